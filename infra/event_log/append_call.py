"""The append function as Python sees it: its parameters, packed, and its rows as verdicts. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from domain.ports import (
    Append,
    Appended,
    AppendRefused,
    Duplicate,
    Verdict,
    VersionConflict,
    WorkChange,
    WorkClaimed,
    WorkWanted,
)
from infra.event_log.binary_arrays import BinaryArray, of_bytes, of_float8, of_int4, of_int8, of_text, of_uuids

APPEND = "SELECT * FROM log0_append(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)"

REFUSALS: dict[int, Literal["erased", "not_owned", "leased"]] = {2: "erased", 3: "not_owned", 5: "leased"}


def append_parameters(batch: Sequence[Append]) -> list[BinaryArray | None]:
    """For a batch in which no user occurs twice. Raises `ValueError` for text or ids that no row can hold."""
    ends = [append.expected_version + len(append.events) for append in batch]
    return [
        of_text([append.user_id for append in batch]),
        of_int8([append.expected_version for append in batch]),
        of_int8(ends),
        of_uuids([append.command_id for append in batch]),
        *_answer_parameters(batch),
        *_work_parameters([append.work for append in batch]),
        *_event_parameters(batch),
    ]


def _answer_parameters(batch: Sequence[Append]) -> list[BinaryArray | None]:
    if all(append.answer is None for append in batch):
        return [None] * 4
    return [
        of_bytes([append.fingerprint for append in batch]),
        of_int4([append.status for append in batch]),
        of_bytes([append.answer for append in batch]),
        of_text([append.answer_key_id for append in batch]),
    ]


def _work_parameters(changes: list[WorkChange | None]) -> list[BinaryArray | None]:
    if not any(changes):
        return [None] * 5
    kinds: list[int | None] = []
    replies: list[str | None] = []
    claims: list[tuple[int, str | None, float]] = []
    for change in changes:
        claim: tuple[int, str | None, float] = (0, None, 0.0)
        if change is None:
            kinds.append(None)
            replies.append(None)
        elif isinstance(change, WorkWanted):
            kinds.append(1)
            replies.append(change.reply_id)
        elif isinstance(change, WorkClaimed):
            kinds.append(2)
            replies.append(change.reply_id)
            claim = (change.attempt, change.owner, change.lease_seconds)
        else:
            kinds.append(3)
            replies.append(None)
        claims.append(claim)
    return [
        of_int4(kinds),
        of_text(replies),
        of_int4([claim[0] for claim in claims]),
        of_text([claim[1] for claim in claims]),
        of_float8([claim[2] for claim in claims]),
    ]


def _event_parameters(batch: Sequence[Append]) -> list[BinaryArray | None]:
    commands: list[int] = []
    users: list[str] = []
    versions: list[int] = []
    names: list[str] = []
    states: list[bytes] = []
    for place, append in enumerate(batch, 1):
        version = append.expected_version
        for event in append.events:
            version += 1
            commands.append(place)
            users.append(append.user_id)
            versions.append(version)
            names.append(event.name)
            states.append(event.state)
    return [of_int4(commands), of_text(users), of_int8(versions), of_text(names), of_bytes(states)]


def verdict_of(row: tuple[Any, ...]) -> Verdict:
    """`row` as the function returns it: user, verdict, version, last position, then what a duplicate answered."""
    _, verdict, version, position, fingerprint, status, answer, answer_key_id = row
    if verdict == 0:
        return Appended(version, position)
    if verdict == 1:
        return Duplicate(fingerprint, status, answer, answer_key_id, version)
    if verdict == 4:
        return VersionConflict(version)
    return AppendRefused(REFUSALS[verdict])
