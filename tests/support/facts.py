"""Real events without a command: sessions that open, sealed as the log keeps them."""

from __future__ import annotations

from domain.events import Fact, Meta, SessionOpened
from domain.ports import Append, Appended, EventLog, NewEvent
from infra import codec
from infra.ids import new_id
from tests.support.histories import PlainKeys

NOW_MS = 1_763_546_400_000


def session_opened(user_id: str, version: int, *, at_ms: int = NOW_MS) -> NewEvent:
    meta = Meta(
        event_id=new_id(),
        command_id=new_id(),
        causation_id=new_id(),
        correlation_id=new_id(),
        origin="user",
        at_ms=at_ms,
        end_version=version,
    )
    fact = Fact(version=version, event=SessionOpened(session_id=new_id()), meta=meta)
    return codec.seal(fact, user_id, PlainKeys(user_id))


async def append_sessions(log: EventLog, user_id: str, after: int, count: int, *, at_ms: int = NOW_MS) -> int:
    """As one command; the user's new version."""
    events = [session_opened(user_id, after + number, at_ms=at_ms) for number in range(1, count + 1)]
    verdict = await log.append(
        Append(user_id=user_id, expected_version=after, events=events, command_id=new_id(), fingerprint=b"", status=200)
    )
    assert isinstance(verdict, Appended), verdict
    return verdict.version
