"""Change what the calling process may do, for real and for itself only. Call before any thread is started."""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE, MS_REMOUNT = 0x4000, 0x40000, 32
EVERY_ID = "0 0 65536"


def forbid_user_namespaces() -> None:
    """Stay (or become) root, in a namespace whose limit of further namespaces is zero."""
    if os.geteuid() == 0:
        _unshare_with_every_id()
    else:
        enter_user_namespace(0)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def enter_user_namespace(uid: int) -> None:
    """Be seen as `uid`, without any of root's privileges on files of others."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{uid} {outer_gid} 1")


def mount_tmpfs(folder: Path, size: str) -> None:
    """Put a small disk over `folder`, visible to this process and its children only, gone with them."""
    if os.geteuid() == 0:
        _call("unshare", CLONE_NEWNS)
    else:
        enter_user_namespace(0)
        _call("unshare", CLONE_NEWNS)
    _call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
    _call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={size},mode=755".encode())


def resize_tmpfs(folder: Path, size: str) -> None:
    _call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", MS_REMOUNT, f"size={size}".encode())


def _unshare_with_every_id() -> None:
    # Only a process that has stayed outside may map more than one id.
    entered, written = os.pipe(), os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.read(entered[0], 1)
        Path(f"/proc/{parent}/uid_map").write_text(EVERY_ID)
        Path(f"/proc/{parent}/gid_map").write_text(EVERY_ID)
        os.write(written[1], b"!")
        os._exit(0)
    _call("unshare", CLONE_NEWUSER)
    os.write(entered[1], b"!")
    os.read(written[0], 1)
    os.waitpid(child, 0)


def _call(name: str, *arguments: int | bytes | None) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
