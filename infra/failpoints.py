"""Named places where I/O may be made to fail, so that tests reach every line that a crash or a cut would reach.

Off unless armed, by a test or by a spec that a child process was given (`arm_all`). A failpoint is reached just
before an effect (`append.before`) or just after it and before anybody knows (`append.after`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Effect = Literal["raise", "kill", "call"]

ANY = "*"


class InjectedFault(OSError):
    """What an armed failpoint raises: an I/O error like any other to the code around it."""


@dataclass(slots=True)
class _Armed:
    effect: Effect
    nth: int
    call: Callable[[], object] | None = None
    reached: int = 0


_armed: dict[str, _Armed] = {}
_counting: dict[str, int] | None = None


async def reach(name: str) -> None:
    """Marks a place. Raises `InjectedFault`, or ends the process, where that was asked for."""
    reach_now(name)


def reach_now(name: str) -> None:
    """`reach` for code that is not asynchronous."""
    if _counting is not None:
        _counting[name] = _counting.get(name, 0) + 1
    if not _armed:
        return
    for key in (name, ANY):
        armed = _armed.get(key)
        if armed is not None:
            armed.reached += 1
            if armed.reached == armed.nth:
                _fire(name, armed)


def _fire(name: str, armed: _Armed) -> None:
    if armed.effect == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif armed.effect == "call":
        assert armed.call is not None
        armed.call()
    else:
        raise InjectedFault(f"failpoint {name} at reach {armed.reached}")


def arm(name: str, effect: Effect = "raise", *, nth: int = 1, call: Callable[[], object] | None = None) -> None:
    """At the `nth` reach from now, once. `*` stands for every failpoint together."""
    _armed[name] = _Armed(effect, nth, call)


def arm_all(spec: str) -> None:
    """`append.after=kill:3,relay.publish.before=raise:1`. Raises `ValueError`."""
    for part in filter(None, spec.split(",")):
        name, _, what = part.partition("=")
        effect, _, nth = what.partition(":")
        if effect not in ("raise", "kill"):
            raise ValueError(f"failpoint {part!r}: the effect must be raise or kill")
        arm(name.strip(), "raise" if effect == "raise" else "kill", nth=int(nth or 1))


def disarm() -> None:
    _armed.clear()


@contextmanager
def armed(
    name: str, effect: Effect = "raise", *, nth: int = 1, call: Callable[[], object] | None = None
) -> Iterator[None]:
    """Armed while the block runs."""
    arm(name, effect, nth=nth, call=call)
    try:
        yield
    finally:
        _armed.pop(name, None)


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Counts reaches by name while the block runs: how many failures a scenario can have."""
    global _counting
    _counting = {}
    try:
        yield _counting
    finally:
        _counting = None
