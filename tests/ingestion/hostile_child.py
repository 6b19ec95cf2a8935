"""A child of the sandbox that does what the document tells it to, as a broken reader might."""

import ctypes
import os
import resource
import signal
import socket
import time
from pathlib import Path

from carrel.ingestion.child import serve
from carrel.ingestion.extraction import Extracted, Heading, extract


def text(content, headings=()):
    return Extracted(content, "text", "text/plain", None, "en", "utf-8", "text", headings=headings)


def hang():
    time.sleep(3_600)


def spin():
    while True:
        pass


def hoard():
    hoarded = []
    while True:
        hoarded.append(bytearray(1 << 20))


def crash():
    ctypes.string_at(0)


def quit_at_once():
    os._exit(3)


def fail():
    raise KeyError("a secret of the document")


def chatter():
    os.write(1, b"This must not be taken for an answer.")
    return text("said nothing")


def talk_nonsense():
    os.write(answers(), b"\xff" * 64)
    hang()


def misplace():
    return text("short", (Heading(1_000, 1, "far away"),))


def name_itself():
    return text(str(os.getpid()))


def open_a_file():
    return text(attempt(Path("/proc/self/status").read_text))


def open_a_socket():
    return text(attempt(socket.socket))


def fork():
    return text(attempt(os.fork))


def show_environment():
    return text(" ".join(sorted(os.environ)))


def show_limits():
    names = ("RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_NPROC")
    return text(" ".join(str(resource.getrlimit(getattr(resource, name))[0]) for name in names))


def ignore_politeness():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang()


def attempt(deed):
    try:
        return f"succeeded: {deed()!r}"
    except OSError as refused:
        return f"refused: {refused.strerror}"


def answers():
    """The descriptor of the answers: the one pipe besides the standard ones."""
    return next(number for number in range(3, 20) if is_open(number))


def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


DEEDS = {
    deed.__name__: deed
    for deed in (
        *(hang, spin, hoard, crash, quit_at_once, fail, chatter, talk_nonsense, misplace, name_itself, open_a_file),
        *(open_a_socket, fork, show_environment, show_limits, ignore_politeness),
    )
}


def read(data, *, filename, declared_type):
    deed = DEEDS.get(data.decode(errors="replace").strip())
    return deed() if deed else extract(data, filename=filename, declared_type=declared_type)


if __name__ == "__main__":
    serve(read)
