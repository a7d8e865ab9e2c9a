"""What every event log does, on Postgres and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from domain.ports import Append, Appended, AppendRefused, Duplicate, EventLog, Snapshot, StoredEvent, VersionConflict
from infra.ids import new_id, new_user_id
from tests.support.stores import KINDS, Stores, an_append, event, open_stores

pytestmark = pytest.mark.anyio


@pytest.fixture(params=KINDS)
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with open_stores(request.param, lambda: request.getfixturevalue("module_database_url")) as stores:
        yield stores


@pytest.fixture
def log(stores: Stores) -> EventLog:
    return stores.log


@pytest.fixture
def user() -> str:
    return new_user_id()


async def fill(log: EventLog, user: str, count: int) -> list[bytes]:
    """Append `count` events, one a command; their states."""
    states = []
    for version in range(count):
        new = event(str(version))
        assert isinstance(await log.append(an_append(user, version, new)), Appended)
        states.append(new.state)
    return states


# --- append ---------------------------------------------------------------------------------------------------


async def test_events_of_a_command_go_in_together_in_order(log: EventLog, user: str) -> None:
    first, second, third = event("1"), event("2", "SessionClosed"), event("3")
    assert isinstance(await log.append(an_append(user, 0, first)), Appended)
    verdict = await log.append(an_append(user, 1, second, third))
    rows = await log.read_stream(user, after=0)
    assert [(row.version, row.name, row.state) for row in rows] == [
        (1, "SessionOpened", first.state),
        (2, "SessionClosed", second.state),
        (3, "SessionOpened", third.state),
    ]
    assert verdict == Appended(version=3, position=rows[-1].position)
    assert [row.position for row in rows] == sorted({row.position for row in rows})


async def test_a_stale_command_is_told_the_head_and_leaves_nothing(log: EventLog, user: str) -> None:
    await fill(log, user, 2)
    for stale in (0, 1, 3):
        refused = an_append(user, stale, event(), answer=b"never")
        assert await log.append(refused) == VersionConflict(head=2)
        assert await log.find_command(user, refused.command_id) is None
    assert await log.head(user) == 2


async def test_a_command_without_events_confirms_the_head(log: EventLog, user: str) -> None:
    assert await log.append(an_append(user, 0)) == Appended(version=0, position=0)
    await fill(log, user, 1)
    assert await log.append(an_append(user, 1)) == Appended(version=1, position=0)
    assert await log.append(an_append(user, 0)) == VersionConflict(head=1)


async def test_a_command_id_that_was_used_is_answered_as_then_whatever_is_asked_now(log: EventLog, user: str) -> None:
    command_id, key_id = new_id(), new_id()
    first = Append(
        user_id=user,
        expected_version=0,
        events=[event()],
        command_id=command_id,
        fingerprint=b"one",
        status=201,
        answer=b"the answer",
        answer_key_id=key_id,
    )
    assert isinstance(await log.append(first), Appended)
    stored = Duplicate(fingerprint=b"one", status=201, answer=b"the answer", answer_key_id=key_id, version=1)
    await fill_after(log, user, 1)
    for again in (first, an_append(user, 2, event(), command_id=command_id), an_append(user, 9, command_id=command_id)):
        assert await log.append(again) == stored
    assert await log.find_command(user, command_id) == stored
    assert await log.head(user) == 2


async def fill_after(log: EventLog, user: str, version: int) -> None:
    assert isinstance(await log.append(an_append(user, version, event())), Appended)


async def test_a_command_id_is_the_users_own(log: EventLog, user: str) -> None:
    command_id = new_id()
    await log.append(an_append(user, 0, event(), command_id=command_id, answer=b"mine"))
    other = an_append(new_user_id(), 0, event(), command_id=command_id, answer=b"theirs")
    assert isinstance(await log.append(other), Appended)


async def test_an_answer_without_events_is_kept_too(log: EventLog, user: str) -> None:
    command = an_append(user, 0, answer=b"unchanged")
    assert await log.append(command) == Appended(version=0, position=0)
    assert isinstance(await log.append(command), Duplicate)


async def test_a_command_without_answer_leaves_no_row(log: EventLog, user: str) -> None:
    command = an_append(user, 0, event())
    await log.append(command)
    assert await log.find_command(user, command.command_id) is None
    assert await log.append(command) == VersionConflict(head=1)


async def test_nothing_follows_an_erasure(log: EventLog, user: str) -> None:
    await log.append(an_append(user, 0, event(name="UserErased")))
    for after in (0, 1):
        assert await log.append(an_append(user, after, event())) == AppendRefused("erased")
    assert await log.head(user) == 1


@pytest.mark.parametrize("stranger", ["64/a", "99/b", "xx/c", "d"])
async def test_a_user_of_no_shard_of_this_log_is_refused(log: EventLog, stranger: str) -> None:
    assert await log.append(an_append(stranger, 0, event())) == AppendRefused("not_owned")
    assert await log.read_stream(stranger, after=0) == []


async def test_losers_cost_the_others_nothing(log: EventLog) -> None:
    users = [new_user_id() for _ in range(60)]
    stale = set(users[::3])
    verdicts = await asyncio.gather(*(log.append(an_append(u, 7 if u in stale else 0, event())) for u in users))
    for user, verdict in zip(users, verdicts, strict=True):
        if user in stale:
            assert verdict == VersionConflict(head=0)
        else:
            assert isinstance(verdict, Appended)


async def test_of_rivals_for_one_version_one_wins(log: EventLog, user: str) -> None:
    verdicts = await asyncio.gather(*(log.append(an_append(user, 0, event(str(n)), event())) for n in range(20)))
    assert sum(isinstance(verdict, Appended) for verdict in verdicts) == 1
    assert verdicts.count(VersionConflict(head=2)) == 19
    assert await log.head(user) == 2


async def test_a_command_id_that_is_no_uuid_is_a_mistake_of_ours(log: EventLog, user: str) -> None:
    with pytest.raises(ValueError):
        await log.append(an_append(user, 0, event(), command_id="42"))
    assert isinstance(await log.append(an_append(user, 0, event())), Appended)


# --- reads ----------------------------------------------------------------------------------------------------


async def test_a_stream_is_read_in_parts(log: EventLog, user: str) -> None:
    states = await fill(log, user, 6)
    assert [row.state for row in await log.read_stream(user, after=4)] == states[4:]
    assert [row.state for row in await log.read_stream(user, after=1, until=3)] == states[1:3]
    assert [row.version for row in await log.read_stream(user, after=1, limit=2)] == [2, 3]
    assert await log.read_stream(user, after=6) == []
    assert await log.read_stream(user, after=4, until=2) == []
    assert [row.version for row in await log.read_versions(user, [5, 2, 99])] == [2, 5]
    assert await log.read_versions(user, []) == []


async def test_the_log_is_read_in_position_order_from_anywhere(log: EventLog, user: str) -> None:
    start = await log.last_position()
    others = [new_user_id() for _ in range(5)]
    await asyncio.gather(*(fill(log, other, 3) for other in others))
    rows = await log.read_log(after=start)
    assert len(rows) == 15
    assert [row.position for row in rows] == sorted(row.position for row in rows)
    for other in others:
        assert [row.version for row in rows if row.user_id == other] == [1, 2, 3]
    assert await log.last_position() == rows[-1].position
    assert await log.read_log(after=start, limit=4) == rows[:4]
    assert await log.read_log(after=rows[-1].position) == []


async def test_an_unknown_user_has_an_empty_stream(log: EventLog, user: str) -> None:
    assert (await log.head(user), await log.read_stream(user, after=0)) == (0, [])
    assert await log.find_command(user, new_id()) is None


# --- snapshots ------------------------------------------------------------------------------------------------


async def test_the_newest_snapshot_of_its_name_is_loaded(log: EventLog, user: str) -> None:
    assert await log.load_snapshot(user, "Brain.1") is None
    for version in (100, 200):
        await log.save_snapshot(Snapshot(user, version, "Brain.1", b"%d" % version))
    assert await log.load_snapshot(user, "Brain.1") == Snapshot(user, 200, "Brain.1", b"200")
    assert await log.load_snapshot(user, "Brain.2") is None
    await log.save_snapshot(Snapshot(user, 200, "Brain.2", b"new shape"))
    assert await log.load_snapshot(user, "Brain.2") == Snapshot(user, 200, "Brain.2", b"new shape")


async def test_a_late_snapshot_does_not_hide_a_newer_one(log: EventLog, user: str) -> None:
    await log.save_snapshot(Snapshot(user, 200, "Brain.1", b"200"))
    await log.save_snapshot(Snapshot(user, 100, "Brain.1", b"100"))
    snapshot = await log.load_snapshot(user, "Brain.1")
    assert snapshot is not None
    assert snapshot.version == 200


# --- tail -----------------------------------------------------------------------------------------------------


async def take(
    log: EventLog, after: int | None, count: int, *, started: asyncio.Event | None = None
) -> list[StoredEvent]:
    """The first `count` events that a follower gets."""
    rows: list[StoredEvent] = []
    async with aclosing(log.tail(after=after)) as pages:
        async for page in pages:
            assert page
            rows += page
            if len(rows) >= count:
                return rows
    raise AssertionError("a tail has no end")


async def test_followers_get_what_was_there_and_what_comes(log: EventLog, user: str) -> None:
    start = await log.last_position()
    before = await fill(log, user, 3)
    followers = [asyncio.create_task(take(log, start, 8)) for _ in range(3)]
    later = [*before, *await fill_from(log, user, 3, 5)]
    for rows in await asyncio.gather(*followers):
        assert [row.state for row in rows] == later


async def fill_from(log: EventLog, user: str, version: int, count: int) -> list[bytes]:
    states = []
    for number in range(count):
        new = event(str(number))
        assert isinstance(await log.append(an_append(user, version + number, new)), Appended)
        states.append(new.state)
        await asyncio.sleep(0)
    return states


async def test_a_follower_from_now_gets_only_what_comes(log: EventLog, user: str) -> None:
    await fill(log, user, 3)
    pages = log.tail()
    first_page = asyncio.ensure_future(anext(pages))
    while not first_page.done():
        # It begins at a moment of its own choosing, so something must keep coming.
        await fill_after(log, user, await log.head(user))
        await asyncio.sleep(0.001)
    assert min(row.version for row in await first_page if row.user_id == user) > 3
    await pages.aclose()


async def test_a_follower_that_stopped_goes_on_where_it_was(log: EventLog, user: str) -> None:
    start = await log.last_position()
    states = await fill(log, user, 4)
    rows = await take(log, start, 4)
    states += await fill_from(log, user, 4, 3)
    rows += await take(log, rows[-1].position, 3)
    assert [row.state for row in rows] == states


async def test_writers_at_once_reach_a_follower_exactly_once_in_order(log: EventLog) -> None:
    start = await log.last_position()
    users = [new_user_id() for _ in range(20)]
    follower = asyncio.create_task(take(log, start, 400))
    await asyncio.gather(*(fill(log, one, 20) for one in users))
    rows = await follower
    assert [row.position for row in rows] == sorted({row.position for row in rows})
    for one in users:
        assert [row.version for row in rows if row.user_id == one] == list(range(1, 21))
