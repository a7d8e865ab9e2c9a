"""The cache of folded states: what it reads when it has to."""

from __future__ import annotations

import pytest

from commands import states
from commands.context import Limits
from commands.handle import CommandHandler
from commands.states import States
from commands.tasks import CreateTask
from domain.ports import StoredEvent
from domain.values import Task
from infra.clock import ManualClock
from infra.ids import new_id
from infra.keys.keyring import Keyring
from infra.memory import MemoryDatabase, MemoryEventLog, MemoryKeyStore

pytestmark = pytest.mark.anyio

EVENTS = 5


class CountedLog(MemoryEventLog):
    """Notes after which version each page was read."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.read_after: list[int] = []

    async def read_stream(
        self, user_id: str, *, after: int, until: int | None = None, limit: int = 5_000
    ) -> list[StoredEvent]:
        self.read_after.append(after)
        return await super().read_stream(user_id, after=after, until=until, limit=limit)


async def stream_of_events() -> tuple[CountedLog, Keyring, str]:
    """A user whose stream has `EVENTS` events, and a log that nobody has counted on yet."""
    clock = ManualClock(0)
    database = MemoryDatabase(clock.monotonic)
    log = CountedLog(database)
    keyring = Keyring(MemoryKeyStore(database), bytes(32), monotonic=clock.monotonic)
    user_id = await keyring.ensure_user("issuer", "sub")
    limits = Limits(messages_per_minute=0, tokens_per_day=0)
    handler = CommandHandler(log, keyring, States(log, keyring), clock, new_id, limits)
    for _ in range(EVENTS):
        await handler.handle(user_id, CreateTask(task=Task(title="t")))
    await handler.aclose()
    log.read_after.clear()
    return log, keyring, user_id


async def test_a_stream_that_fits_into_a_page_is_read_once() -> None:
    log, keyring, user_id = await stream_of_events()
    assert (await States(log, keyring).refresh(user_id)).version == EVENTS
    assert log.read_after == [0]


@pytest.mark.parametrize(("page", "read_after"), [(2, [0, 2, 4]), (5, [0, 5]), (1, [0, 1, 2, 3, 4, 5])])
async def test_a_longer_stream_is_read_to_its_head(
    monkeypatch: pytest.MonkeyPatch, page: int, read_after: list[int]
) -> None:
    """A page that is just full may not be the last one."""
    monkeypatch.setattr(states, "PAGE_EVENTS", page)
    log, keyring, user_id = await stream_of_events()
    log.read_after.clear()
    brain = await States(log, keyring).refresh(user_id)
    assert (brain.version, len(brain.tasks)) == (EVENTS, EVENTS)
    assert log.read_after == read_after
