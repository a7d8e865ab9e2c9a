"""Every store of the event log, over Postgres or in memory, so that one suite holds them to the same contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from domain.ports import Append, EventLog, NewEvent, Segments, WorkChange, WorkQueue
from infra.clock import ManualClock
from infra.event_log.store import open_event_log
from infra.ids import new_id, new_user_id
from infra.keys.keyring import KeyStore
from infra.keys.store import PostgresKeyStore
from infra.leases import Leaders, PostgresLeaders
from infra.memory import (
    MemoryDatabase,
    MemoryEventLog,
    MemoryKeyStore,
    MemoryLeaders,
    MemorySegments,
    MemoryWorkQueue,
)
from infra.postgres import open_pool
from infra.queries import Queries
from infra.settings import Settings
from infra.work import PostgresSegments, PostgresWorkQueue
from tests.support.patience import PATIENCE

Kind = Literal["postgres", "memory"]
KINDS: list[Kind] = ["postgres", "memory"]


@dataclass(frozen=True, slots=True)
class Stores:
    log: EventLog
    work: WorkQueue
    segments: Segments
    keys: KeyStore
    leaders: Callable[[str], Leaders]


@asynccontextmanager
async def open_stores(kind: Kind, database_url: Callable[[], str]) -> AsyncIterator[Stores]:
    if kind == "memory":
        database = MemoryDatabase(ManualClock().monotonic)
        yield Stores(
            MemoryEventLog(database),
            MemoryWorkQueue(database),
            MemorySegments(database),
            MemoryKeyStore(database),
            lambda owner: MemoryLeaders(database, owner),
        )
        return
    settings = Settings(database_url=database_url(), **PATIENCE)
    async with open_pool(settings, "test") as pool, open_event_log(settings, pool) as log:
        queries = Queries(pool)
        yield Stores(
            log,
            PostgresWorkQueue(queries),
            PostgresSegments(queries),
            PostgresKeyStore(queries),
            lambda owner: PostgresLeaders(queries, owner),
        )


def event(text: str = "", name: str = "SessionOpened") -> NewEvent:
    """No two are alike, as in the log, where each holds an id of its own."""
    return NewEvent(name, f'{{"text":"{text}","event_id":"{new_id()}"}}'.encode())


def an_append(
    user_id: str,
    after: int = 0,
    *events: NewEvent,
    command_id: str | None = None,
    answer: bytes | None = None,
    work: WorkChange | None = None,
) -> Append:
    """A command that follows version `after`; without `events` it only confirms the head."""
    return Append(
        user_id=user_id,
        expected_version=after,
        events=events,
        command_id=command_id or new_id(),
        fingerprint=b"fingerprint",
        status=201,
        answer=answer,
        work=work,
    )


__all__ = ["KINDS", "Kind", "Stores", "an_append", "event", "new_user_id", "open_stores"]
