"""The cache of folded states: what it reads when it has to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec
import pytest

from commands import states
from commands.context import Limits
from commands.handle import CommandHandler
from commands.messages import PostMessage
from commands.states import States
from commands.tasks import CreateTask
from domain.brain import BRAIN_SCHEMA, Brain
from domain.events import Fact
from domain.ports import StoredEvent
from domain.values import Json, Task
from infra.clock import ManualClock
from infra.event_log.feed import FactFeed
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


# --- snapshots ----------------------------------------------------------------------------------------------------

SHAPE = (3, "108626b5359dcb99")


def test_a_state_of_another_shape_has_another_schema() -> None:
    """A snapshot of the old shape would be read with nothing where the new one has something. Whoever changes the shape
    raises `BRAIN_SCHEMA`, and writes both down here."""
    _, described = msgspec.json.schema_components([Brain])
    shape = msgspec.json.encode(without_descriptions(described), order="sorted")
    assert (BRAIN_SCHEMA, hashlib.sha256(shape).hexdigest()[:16]) == SHAPE


def without_descriptions(schema: Json) -> Json:
    if isinstance(schema, dict):
        told = {name for name, part in schema.items() if name == "description" and isinstance(part, str)}
        return {name: without_descriptions(part) for name, part in schema.items() if name not in told}
    return [without_descriptions(part) for part in schema] if isinstance(schema, list) else schema


async def test_of_a_state_that_was_dropped_no_snapshot_is_remembered() -> None:
    log, keyring, user_id = await stream_of_events()
    kept = States(log, keyring, snapshot_events=EVENTS)
    brain = await kept.refresh(user_id)
    await kept.save_snapshot(user_id, brain)
    assert not kept.snapshot_due(user_id, brain)
    kept.drop(user_id)
    assert kept.snapshot_due(user_id, brain)  # the log may have been set back, and what it held with it


# --- beside other processes ---------------------------------------------------------------------------------------


class HeldLog(MemoryEventLog):
    """Streams are read as they are when it is asked, and answered when the test says so."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def read_stream(
        self, user_id: str, *, after: int, until: int | None = None, limit: int = 5_000
    ) -> list[StoredEvent]:
        rows = await super().read_stream(user_id, after=after, until=until, limit=limit)
        self.asked.set()
        await self.may_answer.wait()
        return rows


class Process:
    """What one process has of a database that it shares. Snapshots are taken after each command."""

    def __init__(self, log: MemoryEventLog, database: MemoryDatabase, clock: ManualClock) -> None:
        self.log = log
        self.keyring = Keyring(MemoryKeyStore(database), bytes(32), monotonic=clock.monotonic)
        self.states = States(log, self.keyring, snapshot_events=1)
        limits = Limits(messages_per_minute=0, tokens_per_day=0)
        self.handler = CommandHandler(log, self.keyring, self.states, clock, new_id, limits)

    async def say(self, user_id: str) -> None:
        command = PostMessage(channel="chat", text="Hello", conversation_id="c", conversation_ref="c_1")
        await self.handler.handle(user_id, command)
        await self.handler.aclose()


async def test_a_conversation_that_is_known_by_a_snapshot_alone_can_be_written_to() -> None:
    """Its key was made beside us, and no event that we opened has shown it to us."""
    clock = ManualClock()
    database = MemoryDatabase(clock.monotonic)
    here, beside = (Process(MemoryEventLog(database), database, clock) for _ in range(2))
    user_id = await here.keyring.ensure_user("issuer", "sub")
    await here.keyring.load(user_id)

    await beside.say(user_id)
    await here.say(user_id)

    assert len((await here.states.load(user_id)).queue) == 2


async def test_what_is_committed_while_a_state_is_read_is_in_what_is_kept_of_it() -> None:
    clock = ManualClock()
    database = MemoryDatabase(clock.monotonic)
    held = HeldLog(database)
    here, beside = Process(held, database, clock), Process(MemoryEventLog(database), database, clock)
    user_id = await beside.keyring.ensure_user("issuer", "sub")
    await beside.say(user_id)
    heard = asyncio.Event()

    class Ear:
        def wants(self, _: str) -> bool:
            return True

        def receive(self, _: str, facts: Sequence[Fact]) -> None:
            heard.set()

    feed = FactFeed(held, here.keyring)
    feed.add(here.states)
    feed.add(Ear())
    following = asyncio.create_task(feed.run(after=await held.last_position()))
    reading = asyncio.create_task(here.states.load(user_id))
    await held.asked.wait()
    await beside.say(user_id)
    await heard.wait()
    held.may_answer.set()
    await reading
    following.cancel()

    kept = here.states.cached(user_id)
    assert kept is not None
    assert kept.version == await held.head(user_id)
