"""A stream's life: who may open one, what ends it, and what the process does around it."""

from __future__ import annotations

import asyncio

import pytest

from api.auth.tokens import Principal
from api.live import client as client_module
from api.live import timeline as timeline_module
from commands.sessions import CloseSession, OpenSession
from domain.errors import DomainError, Gone, Invalid, NotFound, TooMany, Unavailable
from tests.support.live_world import GENERATION, USER, Connection, Process, World, opened
from tests.support.sse_reader import Reducer
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def refusal(connection: Connection) -> DomainError:
    with pytest.raises(DomainError) as refused:
        await connection.task
    assert connection.status == 0
    return refused.value


async def test_the_stream_begins_at_once_with_a_retry_and_a_comment(process: Process) -> None:
    connection = await opened(process)
    assert connection.status == 200
    assert connection.data == b"retry: 1000\n: ok\n\n"
    assert connection.headers[b"content-type"] == b"text/event-stream"
    assert connection.headers[b"cache-control"] == b"no-cache, no-transform"
    assert connection.headers[b"x-accel-buffering"] == b"no"
    assert connection.headers[b"x-stream-version"] == b"1"


async def test_the_header_beats_the_query(process: Process, world: World) -> None:
    world.history.say("hello")
    connection = await opened(process, cursor=f"{GENERATION}.{len(world.history.facts)}", after="not a cursor")
    assert connection.names() == []


@pytest.mark.parametrize("given", ["abc", "-1", "g1.-1", "g1." + "9" * 10_000])
async def test_a_malformed_cursor_is_refused_before_anything_is_sent(process: Process, given: str) -> None:
    for options in ({"cursor": given}, {"after": given}):
        error = await refusal(Connection(process, **options))  # type: ignore[arg-type]
        assert isinstance(error, Invalid)
        assert error.code == "cursor_malformed"


async def test_a_plus_in_the_query_that_was_not_escaped_is_one(process: Process, world: World) -> None:
    world.history.say("hello")
    connection = await opened(process, after=f"{GENERATION}.1:m_1.1.1.1 ")
    assert connection.status == 200
    assert connection.names()[0] == "conversation.created"


async def test_an_unknown_session_is_not_found_and_one_just_opened_elsewhere_is(process: Process, world: World) -> None:
    await opened(process)
    error = await refusal(Connection(process, session_id="s_nobody"))
    assert isinstance(error, NotFound)
    world.history.do(OpenSession())
    newest = list(world.history.brain.sessions)[-1]
    connection = await opened(process, session_id=newest)
    assert connection.status == 200


async def test_a_closed_session_ends_its_streams(process: Process, world: World) -> None:
    world.history.do(OpenSession())
    newest = list(world.history.brain.sessions)[-1]
    mine, other = await opened(process, session_id=newest), await opened(process)
    world.history.do(CloseSession(session_id=newest))
    process.give_all()
    await process.settle()
    assert mine.complete
    assert mine.names() == ["session.closed"]
    assert not other.complete


async def test_erasure_is_the_last_thing_that_a_client_hears(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.erase()
    process.give_all()
    await process.settle()
    assert connection.names() == ["user.erased"]
    assert connection.complete


async def test_one_stream_too_many_is_refused_until_another_ends(process: Process) -> None:
    connections = [await opened(process) for _ in range(3)]
    error = await refusal(Connection(process))
    assert isinstance(error, TooMany)
    await connections[0].leave()
    assert (await opened(process)).status == 200


async def test_a_client_that_does_not_read_is_closed_as_lagged_and_stalls_nobody(world: World) -> None:
    process = Process(world, queue_frames=8)
    slow, quick = await opened(process), await opened(process)
    slow.writable.clear()
    for _ in range(12):
        world.history.do(OpenSession())
        process.give_all()
        await process.settle()
    assert quick.names() == ["session.opened"] * 12
    assert not quick.complete
    slow.writable.set()
    await process.settle()
    # What was given to the connection before is whole; nothing is missing from the middle.
    assert slow.names() == [*["session.opened"] * (len(slow.names()) - 1), "server.lagged"]
    assert slow.events()[-1]["id"] is None
    assert slow.complete
    await quick.leave()
    await process.close()


async def test_a_lagging_client_that_never_reads_again_is_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LAGGED_CUT_SECONDS", 0.01)
    process = Process(world, queue_frames=8)
    slow = await opened(process)
    slow.writable.clear()
    for _ in range(12):
        world.history.do(OpenSession())
        process.give_all()
        await process.settle()
    await until(lambda: slow.task.done())
    assert slow.aborted
    assert not process.hub.clients
    await process.close()


async def test_a_token_that_expires_ends_the_stream(process: Process, world: World) -> None:
    expires_at = world.clock.now_ms() // 1000 + 10
    connection = Connection(process, principal=Principal("", "u1", expires_at))
    await process.settle()
    process.registry.tick()
    assert not connection.complete
    world.clock.advance(10)
    process.registry.tick()
    await process.settle()
    assert connection.names() == ["auth.expired"]
    assert connection.events()[-1]["id"] is None
    assert connection.complete


async def test_draining_closes_every_stream_and_lets_nobody_in(process: Process, world: World) -> None:
    connections = [await opened(process) for _ in range(3)]
    await process.registry.drain()
    for connection in connections:
        await connection.task
        assert connection.names() == ["server.closing"]
        assert connection.complete
        assert not connection.aborted
        assert b"\nretry: " in connection.data
    assert isinstance(await refusal(Connection(process)), Unavailable)


async def test_what_came_after_an_unfinished_past_is_not_sent_when_the_stream_ends(
    process: Process, world: World
) -> None:
    await opened(process)
    world.history.say("hello")
    world.start()
    world.write("the text so far ")
    process.give_all()
    slow = Connection(process, after=f"{GENERATION}.1", stall_after_sends=1)
    await process.settle()
    world.write("goes on")
    process.give_all()
    draining = asyncio.create_task(process.registry.drain())
    await process.settle()
    slow.writable.set()
    await draining
    reducer = Reducer()
    for event in slow.events():
        reducer.apply(event)
    assert reducer.facts[-1][0] == 4
    assert reducer.texts == {}
    assert slow.names()[-1] == "server.closing"


async def test_a_ping_is_a_comment_for_every_client(process: Process) -> None:
    connection = await opened(process)
    process.registry.ping()
    await process.settle()
    assert connection.data.endswith(b": ping\n\n")
    assert connection.events() == []


async def test_a_store_that_is_away_refuses_new_users_and_ends_a_replay_with_its_cursor_good(
    process: Process, world: World
) -> None:
    world.log_away = True
    assert isinstance(await refusal(Connection(process)), Unavailable)
    world.log_away = False
    assert (await opened(process)).status == 200
    world.history.say("hello")
    process.give_all()
    world.log_away = True
    connection = await opened(process, after=f"{GENERATION}.1")
    assert connection.names() == ["server.closing"]
    assert connection.complete
    world.log_away = False


async def test_a_user_whose_facts_cannot_be_framed_harms_nobody_else(
    process: Process, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await opened(process)
    world.history.do(OpenSession())
    monkeypatch.setattr(timeline_module, "frame_of", lambda fact: 1 / 0)
    process.give_all()
    await process.settle()
    assert connection.names() == ["server.closing"]
    assert not process.registry.wants(USER)


async def test_the_hub_is_kept_a_little_and_then_given_up(process: Process, world: World) -> None:
    connection = await opened(process)
    await connection.leave()
    process.registry.tick()
    assert process.registry.wants(USER)
    world.clock.advance(6)
    process.registry.tick()
    assert not process.registry.wants(USER)
    await process.settle()
    assert process.tokens.receivers == []


async def test_presence_follows_the_first_and_the_last_client_of_a_session(process: Process, world: World) -> None:
    first, second = await opened(process), await opened(process)
    await first.leave()
    await process.settle()
    assert world.presence[-1] == (world.session_id, True)
    await second.leave()
    await process.settle()
    assert world.presence[-1] == (world.session_id, False)


async def test_sessions_are_said_to_be_there_with_each_ping_as_long_as_they_have_a_client(
    process: Process, world: World
) -> None:
    process.registry.ping()
    await process.settle()
    assert world.beats == [], "nobody is there"
    first, second = await opened(process), await opened(process)
    process.registry.ping()
    await process.settle()
    assert world.beats == [[world.session_id]]
    await first.leave()
    await second.leave()
    process.registry.ping()
    await process.settle()
    assert world.beats == [[world.session_id]]


async def test_who_was_erased_gets_a_last_frame_and_no_stream_any_more(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.erase()
    process.give_all()
    await until(lambda: "user.erased" in [event["event"] for event in connection.events()])
    await until(lambda: not process.hub.clients)
    assert isinstance(await refusal(Connection(process)), Gone)


async def test_the_views_are_told_once_on_connect_and_once_for_many_facts(process: Process, world: World) -> None:
    connection = await opened(process)
    await until(lambda: "state.updated" in [event["event"] for event in connection.events()])
    greeting = connection.events()[0]
    assert greeting["id"] is None
    assert greeting["data"] == {"type": "state.updated", "version": 1}
    world.history.do(OpenSession(), OpenSession(), OpenSession())
    process.give_all()
    await until(lambda: connection.events()[-1]["event"] == "state.updated" and len(connection.events()) > 1)
    assert connection.events()[-1]["data"] == {"type": "state.updated", "version": 4, "tasks": [{"version": 4}]}
    assert world.looks == [(1, 1), (1, 4)]


async def test_a_client_that_comes_back_is_told_what_the_views_changed_since(process: Process, world: World) -> None:
    await opened(process)
    world.history.do(OpenSession())
    process.give_all()
    await until(lambda: (1, 2) in world.looks)
    world.looks.clear()
    connection = await opened(process, after=f"{GENERATION}.1")
    await until(lambda: connection.events()[-1]["event"] == "state.updated")
    assert world.looks == [(1, 2)]
