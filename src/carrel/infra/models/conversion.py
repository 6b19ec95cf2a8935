"""The converted model, made once per machine and kept."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Literal

import carrel
from carrel.infra.models.errors import ModelBroken
from carrel.infra.models.files import Progress, locked, publish, scratch, sha256_of, write_whole
from carrel.infra.models.layout import Layout

Precision = Literal["int8", "float32"]

CONVERTER = 1
"""Raise it when the same weights would be converted to another graph."""

CPU_INFO = Path("/proc/cpuinfo")


def converted(model: Layout, identity: str, *, cache: Path, precision: Precision, progress: Progress) -> Path:
    """The file to run for a BERT model, converted now if it is not there whole.

    Of several processes one converts and the others wait for it. The file gets its name when it is complete; a file
    that no longer matches the checksum beside it is made again. Raises `ModelBroken` when the weights are unusable.
    """
    reduced = precision == "int8" and needs_reduced_range(platform.machine(), CPU_INFO)
    kind = f"{precision}-reduced" if reduced else precision
    target = cache.absolute() / f"{identity}-{kind}-v{CONVERTER}.onnx"
    if _is_whole(target):
        return target
    lock = target.with_suffix(".lock")
    with locked(lock, on_wait=lambda: progress("Waiting for another process that converts the model.")):
        if not _is_whole(target):
            progress(f"Converting the model to {precision}; this happens once and takes some seconds.")
            _convert(model, target, precision, reduce_range=reduced)
    return target


def needs_reduced_range(machine: str, cpu_info: Path) -> bool:
    """Whether 8-bit sums can saturate: on x86-64 without VNNI instructions, so that weights must keep to 7 bits."""
    if machine.lower() not in {"x86_64", "amd64"}:
        return False
    flags = cpu_info.read_text(encoding="utf-8") if cpu_info.exists() else ""
    return "avx512_vnni" not in flags and "avx_vnni" not in flags


def _is_whole(target: Path) -> bool:
    checksum = _checksum(target)
    if not target.is_file() or not checksum.is_file():
        return False
    return checksum.read_text(encoding="ascii", errors="replace") == sha256_of(target)


def _checksum(target: Path) -> Path:
    return target.with_suffix(".sha256")


def _convert(model: Layout, target: Path, precision: Precision, *, reduce_range: bool) -> None:
    with scratch(target.parent, target.stem) as folder:
        draft = folder / target.name
        # Tied to this process: an orphan would go on computing for nobody.
        tied = [sys.executable, "-m", "carrel.infra.tied", str(os.getpid())]
        command = [*tied, "carrel.infra.models.convert", str(model.folder.resolve()), str(draft)]
        command += ["--precision", precision, *(["--reduce-range"] if reduce_range else [])]
        # Started where the package lies, so that the child finds it in an installation and in a checkout alike.
        package = Path(carrel.__file__).resolve().parents[1]
        ended = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelBroken(
                f"The model in {model.folder} could not be converted (exit code {ended.returncode}: {last}).",
                hint="Fetch the model's files again. Converting needs 0.6 GB of free memory for some seconds.",
            )
        # The checksum goes first: a crash in between leaves a pair that does not match, never one that passes.
        write_whole(_checksum(target), sha256_of(draft))
        publish(draft, target)
