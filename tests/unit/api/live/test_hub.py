"""What a client gets: order, replay, losses and their repair, at one process over ports in memory."""

from __future__ import annotations

import asyncio

import pytest

from commands.preferences import SetPreference
from commands.sessions import OpenSession
from tests.support.live_world import GENERATION, USER, Connection, Process, World, opened
from tests.support.sse_reader import Reducer
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


def start_of_stream(world: World) -> str:
    return f"{GENERATION}.{len(world.history.facts)}"


async def test_a_message_and_its_reply_come_as_they_happen(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.say("hello")
    process.give_all()
    world.start()
    world.write("Hi ")
    world.write("there")
    process.give_all()
    world.end()
    process.give_all()
    await process.settle()
    assert connection.names() == [
        *("conversation.created", "message.created", "message.created"),
        *("llm.token", "llm.token", "message.completed"),
    ]
    last = connection.events()[-1]
    assert last["data"]["text"] == "Hi there"
    assert last["data"]["event"] == "done"
    assert last["id"] == f"{GENERATION}.{len(world.history.facts)}"
    assert last["data"]["messageId"] != last["data"]["inReplyTo"]


async def test_every_client_gets_the_same_bytes(process: Process, world: World) -> None:
    first, second = await opened(process), await opened(process)
    world.history.say("hello")
    process.give_all()
    await process.settle()
    assert first.data == second.data
    assert first.names()


async def test_a_stream_url_followed_late_gives_the_whole_reply_as_one_token(process: Process, world: World) -> None:
    cursor = start_of_stream(world)
    world.history.say("hello")
    world.start()
    world.write("Hi ")
    world.write("there")
    world.end(tail="!")
    connection = await opened(process, after=cursor)
    assert connection.names() == [
        *("conversation.created", "message.created", "message.created", "llm.token", "message.completed")
    ]
    token = connection.events()[-2]["data"]
    assert (token["token"], token["offset"]) == ("Hi there!", 0)


async def test_a_running_reply_is_given_from_the_clients_place(process: Process, world: World) -> None:
    world.history.say("hello")
    world.start()
    world.write("Hi ")
    first = await opened(process, after=f"{GENERATION}.1")
    (*_, token) = (event for event in first.events() if event["event"] == "llm.token")
    await first.leave()
    world.write("there, ")
    world.write(action={"action": "create_task", "payload": {}})
    world.write("you")
    process.give_all()
    second = await opened(process, cursor=token["id"])
    assert second.names() == ["llm.token", "llm.action", "llm.token"]
    assert [event["data"].get("token") for event in second.events()][:3] == ["there, ", None, "you"]


async def test_with_no_cursor_the_stream_starts_now_with_the_text_so_far(process: Process, world: World) -> None:
    world.history.say("hello")
    world.start()
    world.write("so far")
    connection = await opened(process)
    world.write(", so good")
    process.give_all()
    await process.settle()
    reset, token = connection.events()[:2]
    assert reset["event"] == "stream.reset"
    assert reset["data"]["text"] == "so far"
    assert (reset["data"]["attempt"], reset["data"]["index"]) == (1, 1)
    assert reset["data"]["version"] == len(world.history.facts)
    assert token["data"]["token"] == ", so good"


@pytest.mark.parametrize("given", ["another.1", f"{GENERATION}.99"])
async def test_a_cursor_that_cannot_be_continued_is_a_reset_and_then_the_stream(
    process: Process, world: World, given: str
) -> None:
    world.history.say("hello")
    connection = await opened(process, cursor=given)
    assert connection.names() == ["stream.reset"]
    assert connection.events()[0]["data"] == {"type": "stream.reset", "version": 4, "text": ""}
    world.history.do(OpenSession())
    process.give_all()
    await process.settle()
    assert connection.names() == ["stream.reset", "session.opened"]


async def test_a_place_that_was_never_reached_is_a_reset_too(process: Process, world: World) -> None:
    world.history.say("hello")
    world.start()
    world.write("text")
    assert world.running is not None
    reply_id = world.running.ref.reply_id
    connection = await opened(process, cursor=f"{GENERATION}.5:{reply_id}.1.999.9999")
    await until(lambda: bool(connection.names()))
    assert connection.names() == ["stream.reset"]
    await connection.leave()
    world.end()
    process.give_all()
    await process.settle()
    late = await opened(process, cursor=f"{GENERATION}.5:{reply_id}.1.999.9999")
    assert late.names() == ["stream.reset", "message.completed"]
    assert late.events()[0]["data"]["text"] == "text"


async def test_a_client_ahead_of_this_process_waits_for_what_it_has_already(process: Process, world: World) -> None:
    other = Process(world)
    world.history.say("hello")
    world.start()
    process.tokens.connected = False
    here = await opened(process)
    there = await opened(other)
    world.write("one ")
    world.write("two ")
    other.give_all()
    await other.settle()
    await there.leave()
    moved = Connection(process, cursor=there.events()[-1]["id"])
    world.save()
    await process.settle()
    world.write("three")
    world.end()
    process.give_all()
    await process.settle()
    assert [event["data"]["token"] for event in moved.events() if event["event"] == "llm.token"] == ["three"]
    assert here.names()[-1] == "message.completed"
    await other.close()


async def test_a_gap_in_the_facts_is_read_from_the_log(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.do(OpenSession(), OpenSession(), OpenSession())
    process.registry.receive(USER, world.history.facts[-1:])
    await process.settle()
    process.registry.receive(USER, world.history.facts)
    assert connection.names() == ["session.opened"] * 3


async def test_thousands_of_facts_at_once_reach_whoever_takes_them(process: Process, world: World) -> None:
    count = 2_000
    assert count > 1_000  # frames that wait for one client at most
    connection = await opened(process)
    world.history.do(*(SetPreference(key="n", preference_ref="p_n", value=n) for n in range(count)))
    process.give_facts()
    await until(lambda: connection.data.count(b"event: preference.updated") == count or connection.complete)
    values = [event["data"]["value"] for event in connection.events() if event["event"] == "preference.updated"]
    assert values == list(range(count))


async def test_lost_entries_are_read_from_the_bus_at_once(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.say("hello")
    world.start()
    process.give_facts()
    for text in ("a", "b", "c", "d"):
        world.write(text)
    process.give_chunk()
    process.give_chunk(lose=True)
    process.give_chunk(lose=True)
    process.give_chunk()
    await process.settle()
    assert [event["data"]["token"] for event in connection.events() if event["event"] == "llm.token"] == [*"abcd"]


async def test_while_the_bus_is_away_the_segments_are_read_each_second(process: Process, world: World) -> None:
    connection = await opened(process)
    process.tokens.connected = False
    world.history.say("hello")
    world.start()
    process.give_facts()
    world.write("from ")
    world.write("Postgres")
    world.save()
    process.registry.tick()
    await process.settle()
    assert [event["data"]["token"] for event in connection.events() if event["event"] == "llm.token"] == [
        "from Postgres"
    ]
    assert process.tokens.reads == [False]


async def test_a_silent_reply_is_looked_for_in_the_segments_and_an_idle_user_is_not(
    process: Process, world: World
) -> None:
    await opened(process)
    world.clock.advance(5)
    process.registry.tick()
    world.history.say("hello")
    world.start()
    process.give_facts()
    process.registry.tick()
    await process.settle()
    assert process.tokens.reads == []
    world.clock.advance(1)
    process.registry.tick()
    await process.settle()
    assert process.tokens.reads == [False]


async def test_entries_that_nobody_has_are_told_as_lost_and_come_at_the_end(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.say("hello")
    world.start()
    process.give_facts()
    world.write("a")
    world.write("b")
    world.write("c")
    world.wipe_bus()
    process.give_chunk()
    process.give_chunk(lose=True)
    process.give_chunk()
    for _ in range(5):
        await process.settle()
        world.clock.advance(1)
        process.registry.tick()
    await process.settle()
    resets = [event for event in connection.events() if event["event"] == "stream.reset"]
    assert [event["data"]["text"] for event in resets] == ["a"]
    world.end()
    process.give_facts()
    await process.settle()
    assert connection.names()[-2:] == ["llm.token", "message.completed"]
    reducer = Reducer()
    for event in connection.events():
        reducer.apply(event)
    assert [*reducer.ended.values()] == ["abc"]


async def test_text_of_any_kind_is_one_event(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.say("hello")
    world.start()
    nasty = "a\r\nb\n\ndata: x\n\nid: 7\0\u2028\ud7ff😀"
    world.write(nasty)
    world.end()
    process.give_all()
    await process.settle()
    assert [event["data"]["token"] for event in connection.events() if event["event"] == "llm.token"] == [nasty]
    assert connection.data.count(b"\0") == 0


async def test_a_new_reply_brings_its_key_before_its_tokens(process: Process, world: World) -> None:
    await opened(process)
    world.history.say("hello")
    process.give_all()
    await process.settle()
    assert process.tokens.refreshed == 1


async def test_an_entry_that_cannot_be_opened_is_read_again(process: Process, world: World) -> None:
    connection = await opened(process)
    world.history.say("hello")
    world.start()
    process.give_facts()
    world.write("text")
    assert world.running is not None
    process.tokens.receivers[0](world.running.ref.reply_id, None)
    await process.settle()
    assert connection.names()[-1] == "llm.token"
    assert process.tokens.reads == [True]


async def test_a_timer_that_fails_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody watches the timers: one that ended would be missed by every stream of the process."""
    process = Process(world, ping_seconds=0.0)
    pings, again = 0, asyncio.Event()

    def ping() -> None:
        nonlocal pings
        pings += 1
        if pings == 1:
            raise RuntimeError("broken")
        again.set()

    monkeypatch.setattr(process.registry, "ping", ping)
    timers = asyncio.create_task(process.registry.run())
    async with asyncio.timeout(10):
        await asyncio.wait([timers, asyncio.ensure_future(again.wait())], return_when=asyncio.FIRST_COMPLETED)
    timers.cancel()
    await asyncio.gather(timers, return_exceptions=True)
    await process.close()
    assert again.is_set()
