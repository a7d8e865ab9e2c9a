"""The log on a network and a server that fail: whatever was answered is so, and whatever is so was stored once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import LiteralString

import psycopg
import pytest

from domain.errors import Unavailable
from domain.ports import (
    Append,
    Appended,
    Duplicate,
    StoredEvent,
    Verdict,
    VersionConflict,
    WorkClaimed,
    WorkWanted,
)
from infra import failpoints
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.ids import new_user_id
from infra.postgres import make_pool
from infra.settings import Settings
from tests.support.patience import PATIENCE
from tests.support.postgres_proxy import PostgresProxy, postgres_proxy
from tests.support.stores import an_append, event
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(database_url) as proxy:
        yield proxy


@pytest.fixture
async def log(proxy: PostgresProxy) -> AsyncIterator[PostgresEventLog]:
    """Reached through the proxy, and connected."""
    async with open_event_log(Settings(database_url=proxy.url)) as log:
        await log.append(an_append(new_user_id()))
        yield log


@pytest.fixture
def user() -> str:
    return new_user_id()


def execute(database_url: str, statement: LiteralString) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement)


def end_connections(database_url: str) -> None:
    execute(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


# --- appends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, b"the answer"])
@pytest.mark.parametrize("count", [1, 3])
async def test_a_lost_reply_to_a_commit_is_found_out(
    log: PostgresEventLog, proxy: PostgresProxy, user: str, answer: bytes | None, count: int
) -> None:
    command = an_append(user, 0, *(event() for _ in range(count)), answer=answer)
    proxy.cut_after(1, "down")
    verdict = await log.append(command)
    rows = await log.read_stream(user, after=0)
    assert [row.state for row in rows] == [new.state for new in command.events]
    assert verdict == Appended(version=count, position=rows[-1].position)
    assert proxy.connections > 1


async def test_a_lost_reply_to_a_command_without_events_is_found_out(
    log: PostgresEventLog, proxy: PostgresProxy, user: str
) -> None:
    for answer in (None, b"unchanged"):
        proxy.cut_after(1, "down")
        assert await log.append(an_append(user, 0, answer=answer)) == Appended(version=0, position=0)


async def test_a_lost_reply_to_a_claim_and_to_an_erasure_is_found_out(
    log: PostgresEventLog, proxy: PostgresProxy, user: str
) -> None:
    await log.append(an_append(user, 0, event(), work=WorkWanted("reply")))
    proxy.cut_after(1, "down")
    claim = an_append(user, 1, event(), work=WorkClaimed("reply", 1, "a", 60.0))
    assert isinstance(await log.append(claim), Appended)
    proxy.cut_after(1, "down")
    assert isinstance(await log.append(an_append(user, 2, event(name="UserErased"))), Appended)


async def test_a_request_that_was_cut_off_is_sent_again(log: PostgresEventLog, proxy: PostgresProxy, user: str) -> None:
    proxy.cut_after(40, "up")
    assert isinstance(await log.append(an_append(user, 0, event())), Appended)
    assert await log.head(user) == 1


async def test_what_somebody_else_stored_is_not_taken_for_ours(
    log: PostgresEventLog, proxy: PostgresProxy, user: str
) -> None:
    await log.append(an_append(user, 0, event()))
    proxy.cut_after(1, "down")
    assert await log.append(an_append(user, 0, event())) == VersionConflict(head=1)
    first = an_append(user, 1, event(), answer=b"first")
    await log.append(first)
    proxy.cut_after(1, "down")
    rival = an_append(user, 1, event(), command_id=first.command_id, answer=b"second")
    verdict = await log.append(rival)
    assert isinstance(verdict, Duplicate)
    assert verdict.answer == b"first"


async def test_under_random_cuts_every_command_goes_in_once(log: PostgresEventLog, proxy: PostgresProxy) -> None:
    dice = random.Random(7)
    users = [new_user_id() for _ in range(8)]
    sent: dict[str, list[bytes]] = {user: [] for user in users}
    is_over = False

    async def write(user: str) -> None:
        for version in range(12):
            new = event()
            sent[user].append(new.state)
            command = an_append(user, version, new, answer=new.state)
            while isinstance(verdict := await sent_once(log, command), Unavailable):
                pass  # as a client does: the same command, until it is answered
            if isinstance(verdict, Duplicate):
                assert verdict.answer == new.state
            else:
                assert isinstance(verdict, Appended)

    async def cut() -> None:
        while not is_over:
            proxy.cut_after(dice.randrange(1, 20_000), dice.choice(("up", "down")))
            seen = proxy.connections
            # The next cut waits for the connection that follows this one.
            await until(lambda seen=seen: is_over or proxy.connections > seen)  # type: ignore[misc]

    cutter = asyncio.create_task(cut())
    await asyncio.gather(*(write(user) for user in users))
    is_over = True
    await cutter
    for user in users:
        assert [row.state for row in await log.read_stream(user, after=0)] == sent[user]


async def sent_once(log: PostgresEventLog, command: Append) -> Verdict | Unavailable:
    try:
        return await log.append(command)
    except Unavailable as error:
        return error


async def test_ended_connections_cost_nobody_an_answer(
    log: PostgresEventLog, proxy: PostgresProxy, database_url: str
) -> None:
    users = [new_user_id() for _ in range(30)]
    for version in range(5):
        appends = [log.append(an_append(user, version, event())) for user in users]
        _, *verdicts = await asyncio.gather(asyncio.to_thread(end_connections, database_url), *appends)
        assert all(isinstance(verdict, Appended) for verdict in verdicts)
        assert await log.head(users[0]) == version + 1


@pytest.mark.parametrize("place", ["append.before", "append.after"])
async def test_a_failure_before_or_after_the_effect_is_found_out(log: PostgresEventLog, user: str, place: str) -> None:
    with failpoints.armed(place):
        assert isinstance(await log.append(an_append(user, 0, event())), Appended)
    assert await log.head(user) == 1


async def test_a_frozen_server_is_told_apart_and_the_log_recovers(
    log: PostgresEventLog, proxy: PostgresProxy, user: str
) -> None:
    proxy.freeze()
    with pytest.raises(Unavailable, match="outcome is unknown") as raised:
        await log.append(an_append(user, 0, event()))
    assert raised.value.retry_after_seconds
    with pytest.raises(Unavailable, match="nothing was written"):
        await log.append(an_append(user, 0, event()))
    with pytest.raises(Unavailable):
        await log.head(user)
    proxy.thaw()
    head = await recovered_head(log, user)
    assert isinstance(await log.append(an_append(user, head, event())), Appended)


async def recovered_head(log: PostgresEventLog, user: str) -> int:
    while True:
        try:
            return await log.head(user)
        except Unavailable:
            continue


async def test_without_a_server_nothing_hangs(user: str) -> None:
    async with open_event_log(Settings(database_url="postgresql://nobody@127.0.0.1:1/none")) as log:
        with pytest.raises(Unavailable, match="nothing was written"):
            await log.append(an_append(user, 0, event()))
        with pytest.raises(Unavailable):
            await log.last_position()
        waiting = log.append(an_append(user, 0, event()))
    with pytest.raises(Unavailable):
        await waiting


async def test_a_lock_that_somebody_holds_ends_in_a_definite_answer(
    log: PostgresEventLog, database_url: str, user: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(7234470, 0)")
        with pytest.raises(Unavailable, match="nothing was written"):
            await log.append(an_append(user, 0, event()))
    assert await log.append(an_append(user, 0)) == Appended(version=0, position=0)


async def test_what_no_row_can_hold_fails_alone(log: PostgresEventLog) -> None:
    users = [new_user_id() for _ in range(20)]
    appends = [an_append(user, 0, event(name="NUL \0" if n == 7 else "Good")) for n, user in enumerate(users)]
    verdicts = await asyncio.gather(*map(log.append, appends), return_exceptions=True)
    assert isinstance(verdicts.pop(7), psycopg.DataError)
    assert all(isinstance(verdict, Appended) for verdict in verdicts)


async def test_appends_wait_for_the_disk_and_hold_the_lock_for_a_bounded_time(database_url: str) -> None:
    execute(database_url, "ALTER ROLE CURRENT_USER SET synchronous_commit = off")
    try:
        settings = Settings(database_url=database_url)
        log = PostgresEventLog(settings, make_pool(settings, "test"))
        async with await log._connect_writer() as connection:
            for name, value in (
                ("synchronous_commit", "on"),
                ("statement_timeout", "5s"),
                ("transaction_timeout", "5s"),
            ):
                cursor = await connection.execute("SELECT current_setting(%s)", (name,))
                assert await cursor.fetchone() == (value,)
    finally:
        execute(database_url, "ALTER ROLE CURRENT_USER RESET synchronous_commit")


async def test_plans_that_were_made_on_empty_tables_stay_good(database_url: str) -> None:
    settings = Settings(database_url=database_url, **PATIENCE)
    async with open_event_log(settings) as log:
        for number in range(400):
            user = new_user_id()
            work = WorkWanted("reply") if number % 2 else None
            await log.append(an_append(user, 0, event(), answer=b"a", work=work))
    rows: list[tuple[str, int, int, int]] = []

    def are_told() -> bool:
        """By a server process that has ended by now, or is about to."""
        with psycopg.connect(database_url) as connection:
            rows[:] = connection.execute(
                "SELECT relname, seq_scan, idx_tup_fetch, n_tup_ins FROM pg_stat_user_tables"
                " WHERE relname IN ('log0_events', 'commands', 'work')"
            ).fetchall()
        return sorted(inserted for *_, inserted in rows) == [200, 400, 400]

    await eventually(are_told, "the statistics of 400 appends", told=lambda: str(rows))
    for table, scans, fetched, inserted in rows:
        assert (table, scans) == (table, 0)
        assert fetched <= 2 * inserted


# --- following ------------------------------------------------------------------------------------------------


async def follow(log: PostgresEventLog, into: list[StoredEvent], after: int = 0) -> None:
    async with aclosing(log.tail(after=after)) as pages:
        async for page in pages:
            into += page


async def test_a_follower_hears_of_other_processes_by_notify(database_url: str, user: str) -> None:
    settings = Settings(database_url=database_url, log_poll_seconds=3_600, **PATIENCE)
    async with open_event_log(settings) as log, open_event_log(settings) as other:
        got: list[StoredEvent] = []
        following = asyncio.create_task(follow(log, got))
        for version in range(5):
            await other.append(an_append(user, version, event()))
            await until(lambda version=version: len(got) == version + 1)  # type: ignore[misc]
        following.cancel()


def insert_unannounced(database_url: str, version: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO log0_events (originator_id, originator_version, topic, state) VALUES ('00/x', %s, 'E', '')",
            (version,),
        )


async def test_a_follower_needs_no_notify(database_url: str) -> None:
    async with open_event_log(Settings(database_url=database_url, log_poll_seconds=0.01, **PATIENCE)) as log:
        got: list[StoredEvent] = []
        following = asyncio.create_task(follow(log, got))
        for version in range(1, 4):
            insert_unannounced(database_url, version)
            await until(lambda version=version: len(got) == version)  # type: ignore[misc]
        following.cancel()


async def test_a_follower_goes_on_after_every_kind_of_cut(
    log: PostgresEventLog, proxy: PostgresProxy, database_url: str, user: str
) -> None:
    got: list[StoredEvent] = []
    following = asyncio.create_task(follow(log, got))
    async with open_event_log(Settings(database_url=database_url, **PATIENCE)) as direct:
        for version in range(12):
            if version % 3 == 0:
                end_connections(database_url)
            elif version % 3 == 1:
                proxy.cut()
            else:
                proxy.cut_after(10, "down")
            assert isinstance(await direct.append(an_append(user, version, event())), Appended)
        await until(lambda: len(got) == 12)
    assert [row.version for row in got] == list(range(1, 13))
    following.cancel()


async def test_a_follower_that_is_too_slow_reads_for_itself_and_misses_nothing(
    database_url: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.event_log.tail.PAGES_WAITING_MAX", 2)
    monkeypatch.setattr("infra.event_log.tail.PAGE_EVENTS_MAX", 3)
    async with open_event_log(Settings(database_url=database_url, **PATIENCE)) as log:
        quick: list[StoredEvent] = []
        following = asyncio.create_task(follow(log, quick))
        slow: list[StoredEvent] = []
        async with aclosing(log.tail(after=0)) as pages:
            for version in range(60):
                await log.append(an_append(user, version, event()))
                if version % 20 == 0:
                    slow += await anext(pages)
            while len(slow) < 60:
                slow += await anext(pages)
        await until(lambda: len(quick) == 60)
        assert [row.version for row in slow] == [row.version for row in quick] == list(range(1, 61))
        following.cancel()
