"""Whether what the clients of one register saw can have happened in one order that respects real time.

`check_versions` needs the version that each write made and each read saw, and takes O(n log n). `is_linearizable`
needs values only and searches (Wing, Gong and Lowe): for short histories.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

# What a register holds before the first write.
NOTHING = None


@dataclass(frozen=True, slots=True)
class Access:
    """One access of one register. An unknown outcome returns never (`math.inf`).

    `version`: that a write made, or that a read saw. `expected`: a conditional write was made only because the write
    of this version stood there.
    """

    kind: Literal["read", "write"]
    value: Hashable
    version: int
    called_at: float
    returned_at: float = math.inf
    expected: int | None = None


def check_versions(accesses: Sequence[Access]) -> list[str]:
    """What is wrong, in words; nothing for a history that is linearizable in the order of its versions."""
    ordered = sorted(accesses, key=lambda access: (access.version, access.kind == "read", access.called_at))
    return [*_check_values(ordered), *_check_real_time(ordered)]


def _check_values(ordered: Sequence[Access]) -> list[str]:
    problems: list[str] = []
    value: Hashable = NOTHING
    version = 0
    for access in ordered:
        if access.kind == "read":
            if access.value != value:
                problems.append(f"{access} should have read {value!r}, written at version {version}")
            continue
        if access.version == version:
            problems.append(f"two writes made version {version}: {access}")
        if access.expected is not None and access.expected != version:
            problems.append(f"{access} was made although version {version} stood there")
        value, version = access.value, access.version
    return problems


def _check_real_time(ordered: Sequence[Access]) -> list[str]:
    """From the last version to the first: nothing later in the order may have returned before this was called."""
    problems: list[str] = []
    earliest: Access | None = None
    for access in reversed(ordered):
        if earliest is not None and earliest.returned_at < access.called_at:
            problems.append(f"{earliest} returned before {access} was called")
        if earliest is None or access.returned_at < earliest.returned_at:
            earliest = access
    return problems


def check_refused(accesses: Sequence[Access], expected: int, called_at: float, returned_at: float) -> str | None:
    """A conditional write that was refused: at some moment meanwhile another version than `expected` stood there."""
    writes = sorted((access for access in accesses if access.kind == "write"), key=lambda access: access.version)
    for place, write in enumerate(writes):
        if write.version == expected:
            following = writes[place + 1] if place + 1 < len(writes) else None
            if write.returned_at < called_at and (following is None or following.called_at > returned_at):
                return f"refused for version {expected}, which stood there all the time from {called_at}"
    return None


def is_linearizable(accesses: Sequence[Access]) -> bool:
    """Whether an order exists in which each read gives what was written last. Versions are not looked at."""
    ops = sorted(accesses, key=lambda access: access.called_at)
    everything = (1 << len(ops)) - 1
    # A write whose outcome is unknown may never have happened.
    optional = sum(1 << place for place, op in enumerate(ops) if op.kind == "write" and math.isinf(op.returned_at))
    seen: set[tuple[int, Hashable]] = set()
    stack: list[tuple[int, Hashable]] = [(0, NOTHING)]
    while stack:
        done, value = stack.pop()
        if done | optional == everything:
            return True
        if (done, value) in seen:
            continue
        seen.add((done, value))
        # Only what was called before the first of the others returned can come next.
        deadline = min(op.returned_at for place, op in enumerate(ops) if not done >> place & 1)
        for place, op in enumerate(ops):
            if op.called_at > deadline:
                break
            if done >> place & 1:
                continue
            if op.kind == "write":
                stack.append((done | 1 << place, op.value))
            elif op.value == value:
                stack.append((done | 1 << place, value))
    return False
