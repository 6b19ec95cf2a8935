"""What every bench prints: Markdown tables for people, then one line of JSON that says where and of what it speaks."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.server import usable_cores

CPU_INFO = Path("/proc/cpuinfo")


def publish(bench: str, where: Mapping[str, Any], tables: Iterable[str], figures: Mapping[str, Any]) -> None:
    """Print the tables and the line. `where` are the circumstances at the start: later the load is the bench's own."""
    print("\n\n".join(tables))
    load, cores = where["machine"]["load"], where["machine"]["cores"]
    if where["machine"]["busy"]:
        print(
            f"\nThe machine was busy before this began (load average {load} on {cores} cores): trust the ratios only."
        )
    print("\n" + json.dumps({"bench": bench, **where, **figures}))


def circumstances() -> dict[str, Any]:
    """The commit and the machine."""
    load, cores = os.getloadavg()[0], usable_cores()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    machine = {
        "cores": cores,
        "memory_gb": round(memory / 2**30, 1),
        "cpu": _cpu(CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else ""),
        "python": platform.python_version(),
        "load": round(load, 2),
        "busy": load > cores,
    }
    return {"commit": _commit(), "machine": machine}


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table: numbers as they are read best, what is None as a dash."""
    lines = [header, ["---"] * len(header), *([_shown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def say(line: str) -> None:
    """Tell whoever waits how far it is. Not part of the result."""
    print(line, file=sys.stderr, flush=True)


def _shown(cell: object) -> str:
    if cell is None:
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    if abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.3g}"


def _cpu(info: str) -> str:
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return told.stdout.strip() or "unknown"
