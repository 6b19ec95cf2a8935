"""The command line as people run it: a process, a data directory, an environment of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from carrel.infra.postgres.layout import Layout

SOON = 90.0
PROCESSES = Path("/proc")
COMMAND = [sys.executable, "-m", "carrel"]


class Place:
    """A folder to run commands in, with the data directory `data` inside."""

    def __init__(self, folder, **environment):
        self.folder, self.data, self.log = folder, folder / "data", folder / "log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATA_DIR": str(self.data),
            "SERVER_PORT": "0",
            **environment,
        }

    def run(self, *arguments, **environment):
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SOON,
            check=False,
        )

    def start(self, *arguments, **environment):
        """Start a command that stays; what it says is in `said`."""
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.folder,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def said(self):
        return self.log.read_text("utf-8")

    @property
    def prose(self):
        """The lines for people, without the events for programs."""
        return [line for line in self.said.splitlines() if not line.startswith("{")]

    @property
    def events(self):
        return [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]

    def until(self, condition, process):
        """Wait until `condition` holds while `process` lives."""
        end = time.monotonic() + SOON
        while not condition():
            assert process.poll() is None, f"it ended with {process.returncode}: {self.said}"
            assert time.monotonic() < end, f"it took too long: {self.said}"
            time.sleep(0.02)

    def serving(self, **environment):
        """A server that is ready."""
        process = self.start("serve", **environment)
        try:
            self.until((self.data / "run.json").exists, process)
        except BaseException:
            self.end(process)
            raise
        return process

    @property
    def url(self):
        return json.loads((self.data / "run.json").read_text("utf-8"))["url"]

    @property
    def key(self):
        return (self.data / "admin.key").read_text("utf-8").strip()

    def end(self, process, how=signal.SIGTERM):
        """Ask a process to end; its exit status and the seconds it took."""
        began = time.monotonic()
        process.send_signal(how)
        try:
            return process.wait(30), time.monotonic() - began
        finally:
            process.kill()
            process.wait()

    def left_after(self, seconds):
        """What still runs of it after so long at most."""
        end = time.monotonic() + seconds
        while (left := self.survivors()) and time.monotonic() < end:
            time.sleep(0.02)
        return left

    def survivors(self):
        """What still runs of a server on this data directory."""
        marks = [str(self.data).encode(), Layout.of(self.data / "postgres").mark.encode()]
        return [line for line in map(_command_line, PROCESSES.glob("[0-9]*")) if any(mark in line for mark in marks)]


def _command_line(process):
    try:
        if process.stat().st_uid != os.geteuid():
            return b""
        return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
