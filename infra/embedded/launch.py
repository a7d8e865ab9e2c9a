"""Start another program so that it dies with us and is not root. Run as a script, before any import of ours.

    python -I -S launch.py PARENT SIGNAL IDENTITY -- PROGRAM ARGUMENT…

On Linux it asks the kernel for SIGNAL when its parent dies and then becomes the program, so that pid and command line
are the program's. Elsewhere it stays as a small parent that watches its own. IDENTITY is `same`, or `unprivileged`:
as root, the program then runs in a user namespace where it is another id, or, where those are forbidden, as `nobody`
with the one capability that lets it reach root's folders. Standard library only; must not print on success.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWUSER = 0x10000000

NAMESPACE_ID = 1000
NOBODY_ID = 65_534
EXIT_PARENT_GONE = 111
STOP_SECONDS = 5.0


def command(
    program: Sequence[str], *, parent: int, stop_signal: signal.Signals, unprivileged: bool = False
) -> list[str]:
    """The command line that runs `program` under this launcher. Spawn it from the main thread of process `parent`:
    the kernel takes the death of the spawning thread for that of the parent."""
    identity = "unprivileged" if unprivileged else "same"
    return [sys.executable, "-I", "-S", __file__, str(parent), str(int(stop_signal)), identity, "--", *program]


def main(arguments: list[str]) -> None:
    parent, stop_signal, identity = int(arguments[0]), int(arguments[1]), arguments[2]
    program = arguments[4:]
    if identity == "unprivileged" and os.geteuid() == 0:
        leave_root()
    if sys.platform != "linux":
        sys.exit(watch(parent, stop_signal, program))
    # After the change of identity, which clears it; and before the look at the parent, which may be gone already.
    libc = ctypes.CDLL(None, use_errno=True)
    _call(libc.prctl, PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(EXIT_PARENT_GONE)
    os.execvp(program[0], program)


def watch(parent: int, stop_signal: int, program: list[str]) -> int:
    """Run the program as a child, hand on our signals, and stop it once our parent is gone; its exit status."""
    child = os.spawnvp(os.P_NOWAIT, program[0], program)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    deadline: float | None = None
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if os.getppid() != parent and deadline is None:
            os.kill(child, stop_signal)
            deadline = time.monotonic() + STOP_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.1)


def leave_root() -> None:
    """Become something that is not root, by the way that `way_out_of_root` names. Raises `OSError`."""
    if sys.platform != "linux":
        os.setgroups([])
        os.setgid(NOBODY_ID)
        os.setuid(NOBODY_ID)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # Asked first: a process that is half inside a namespace could no longer become anybody.
    if way_out_of_root() == "namespace":
        _enter_user_namespace(libc)
    else:
        _become_nobody(libc)


def way_out_of_root() -> str:
    """`none` (not root), `namespace` or `nobody`: what `leave_root` would do. Asked in a child, which it changes."""
    if os.geteuid() != 0:
        return "none"
    if sys.platform != "linux":
        return "nobody"
    child = os.fork()
    if child == 0:
        try:
            _enter_user_namespace(ctypes.CDLL(None, use_errno=True))
        except OSError:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return "namespace" if status == 0 else "nobody"


def _enter_user_namespace(libc: ctypes.CDLL) -> None:
    user, group = os.geteuid(), os.getegid()
    _call(libc.unshare, CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{NAMESPACE_ID} {user} 1")
    _write("/proc/self/gid_map", f"{NAMESPACE_ID} {group} 1")


def _become_nobody(libc: ctypes.CDLL) -> None:
    """The programs and the data may lie in folders that only root can enter; opening those to everybody would be
    worse than to let this one process keep the right to pass."""
    _call(libc.prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(NOBODY_ID, NOBODY_ID, NOBODY_ID)
    os.setresuid(NOBODY_ID, NOBODY_ID, NOBODY_ID)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << CAP_DAC_OVERRIDE
    # Effective, permitted, inheritable; then the same for capabilities 32 and above.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _call(libc.capset, header, sets)
    _call(libc.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function.__name__}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
