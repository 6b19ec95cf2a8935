"""Become a program of PostgreSQL that does not outlive its owner. Run by path, as a process of its own.

It replaces `preexec_fn`, which may deadlock in an owner that has threads. Only the standard library is there.
Usage: launch.py OWNER own|namespace|account UID GID FOLDER PROGRAM [ARGUMENT ...]
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

NO_FOLDER, NO_IDENTITY, NO_PROGRAM, NO_OWNER = 123, 124, 125, 126
"""Exit statuses of a launch that failed; the programs themselves end with small numbers."""

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    owner, mode, uid, gid, folder, *command = arguments
    # Python's own handler would only note the signal, and the note would be lost in exec; an owner started in the
    # background may even have handed down that it is ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        step = NO_IDENTITY
        _die_with(int(owner))
        _become(mode, int(uid), int(gid))
        # A second time, because the kernel forgets the wish when a process changes its identity.
        _die_with(int(owner))
        step = NO_FOLDER
        os.chdir(folder)
        step = NO_PROGRAM
        os.execv(command[0], command)  # noqa: S606 (a shell is what must not be here)
    except OSError as error:
        sys.stderr.write(f"{mode}: {error}\n")
    return step


def _die_with(owner: int) -> None:
    if sys.platform == "linux":
        _call("prctl", PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
    # An owner that died before the wish was recorded sends no signal any more.
    if os.getppid() != owner:
        raise SystemExit(NO_OWNER)


def _become(mode: str, uid: int, gid: int) -> None:
    if mode == "account":
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    elif mode == "namespace":
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        _call("unshare", CLONE_NEWUSER)
        # A process may map its own group only after it gave up changing groups.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        raise OSError(f"this system has no {name}")
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
