"""Run a program that refuses to be root, as root, without giving up root's access to files.

Run as a script by path, standard library only: `unprivileged.py MODE UID GID PROGRAM ARGUMENT…`. Two modes:

- `namespace`: a user namespace in which UID stands for whoever starts this. The program sees an ordinary user
  while its files stay those of the starter; needs a kernel that lets us make user namespaces (most containers
  refuse).
- `setuid`: become UID, keeping (where the kernel allows it) the right to pass through directories that only
  root may enter.
"""

import ctypes
import os
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


def enter_namespace(uid: int, gid: int) -> None:
    """Be `uid` and `gid` inside a new user namespace and the present user outside.

    Raises OSError where refused.
    """
    outside = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {outside[0]} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {outside[1]} 1", "ascii")


def become(uid: int, gid: int) -> None:
    """Be `uid` and `gid` for good, with root's way through directories if the kernel grants it.

    Raises OSError.
    """
    _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    try:
        _keep(_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH)
    except OSError:
        return  # the caller finds out by running the program once


def _keep(*capabilities: int) -> None:
    """Reduce the capabilities of this thread to these and have the next program inherit them."""
    mask = sum(1 << capability for capability in capabilities)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; low then high words
    _call("capset", header, data)
    for capability in capabilities:
        _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def _main(mode: str, uid: int, gid: int, argv: list[str]) -> None:
    try:
        {"namespace": enter_namespace, "setuid": become}[mode](uid, gid)
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.exit(f"{argv[0]}: {error}")


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
