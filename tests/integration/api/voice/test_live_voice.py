"""Live speech over the socket: partial texts, one final text, one message; and all that may come in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.live import client as client_module
from api.voice_desk import VoiceDesk
from domain.events import MessageReceived
from domain.ports import SpeechError
from tests.support.api_world import ApiWorld, User
from tests.support.sounds import silence, tone
from tests.support.voices import Ears
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

WORDS = ["Remind", "me", "to", "call", "John", "tomorrow"]
START = {"type": "voice.start", "format": "pcm16", "rate": 16_000}
SPEECH = tone(2.4)
PIECE = 640  # 20 ms


@pytest.fixture(autouse=True)
async def says_a_word_more_every_half_second(world: ApiWorld, ears: Ears) -> AsyncIterator[None]:
    """And listens to nobody any more when the next test begins."""
    ears.live = lambda seconds: " ".join(WORDS[: int(seconds / 0.5)])
    yield
    ears.live = lambda seconds: ""
    await eventually(lambda: not any(desk.speakers for desk in desks_of(world)), "nobody to be listened to")


@pytest.fixture(autouse=True)
def waits_for_whoever_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still reads no last frame either."""
    monkeypatch.setattr(client_module, "CUT_SECONDS", 60.0)


def socket_of(user: User, *, at: int = 0) -> connect:
    url = f"ws://127.0.0.1:{user.world.servers[at].port}/api/v1/realtime"
    headers = {"authorization": f"Bearer {user.token}"}
    return connect(url, additional_headers=headers, open_timeout=60, close_timeout=0.5, proxy=None)


async def send(socket: ClientConnection, request_id: str, **message: Any) -> None:
    await socket.send(json.dumps({"requestId": request_id, **message}))


async def say(socket: ClientConnection, pcm: bytes) -> None:
    for place in range(0, len(pcm), PIECE):
        await socket.send(pcm[place : place + PIECE])


async def until(
    socket: ClientConnection, name: str, request_id: str | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The next answer of this type, or frame of this name, and what came before it."""
    before = []
    while True:
        received = json.loads(await socket.recv())
        is_it = received.get("type") == name or received.get("event") == name
        if is_it and (request_id is None or received.get("requestId") == request_id):
            return received, before
        before.append(received)


async def begin(socket: ClientConnection, request_id: str = "v1", **more: Any) -> None:
    await send(socket, request_id, **{**START, **more})
    await until(socket, "ack", request_id)


async def messages_of(user: User) -> list[MessageReceived]:
    return [fact.event for fact in await user.facts() if isinstance(fact.event, MessageReceived)]


def desks_of(world: ApiWorld) -> list[VoiceDesk]:
    return [opened.app._app.state["services"].voice for opened in world.apps]


async def closing_code(socket: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await socket.recv()
    return closed.value.rcvd.code if closed.value.rcvd else None


async def test_what_is_said_becomes_a_message_and_is_answered(world: ApiWorld, ears: Ears) -> None:
    user = world.user()
    async with socket_of(user) as socket:
        await begin(socket, language="en-GB", conversationId="trip", speak=True)
        await say(socket, SPEECH)
        partial, _ = await until(socket, "voice.partial")  # none would come, were its end heard in the same moment
        await send(socket, "v2", type="voice.end")
        ack, before = await until(socket, "ack", "v2")
    assert ack["status"] == "accepted"
    (final,) = [each["data"] for each in before if each.get("event") == "voice.final"]
    assert final["text"] == " ".join(WORDS[:4])
    assert (final["requestId"], final["reason"], final["messageId"]) == ("v1", "asked", ack["messageId"])
    partials = [each["data"] for each in (partial, *before) if each.get("event") == "voice.partial"]
    assert all(partial["text"].startswith(partial["stable"]) for partial in partials)
    message = await user.message(ack["messageId"], "accepted")
    assert (message["text"], message["channel"], message["conversationId"]) == (final["text"], "voice", "trip")
    assert (await user.ended(ack["replyId"]))["status"] == "completed"
    assert "en-GB" in ears.languages
    (received,) = await messages_of(user)
    assert received.speak


async def test_silence_ends_an_utterance_and_the_next_one_can_begin(world: ApiWorld) -> None:
    user = world.user()
    async with socket_of(user) as socket:
        for number in ("v1", "v2"):
            await begin(socket, number)
            await say(socket, SPEECH + silence(1.2))
            final, _ = await until(socket, "voice.final")
            assert final["data"]["reason"] == "silence"
            await say(socket, SPEECH)  # was under way when it ended, and is dropped
            await send(socket, f"{number} end", type="voice.end")
            ack, _ = await until(socket, "ack", f"{number} end")
            assert ack["messageId"] == final["data"]["messageId"]
    assert len(await messages_of(user)) == 2


async def test_a_socket_that_drops_in_the_middle_posts_nothing(world: ApiWorld, ears: Ears) -> None:
    user = world.user()
    asked = ears.asked
    async with socket_of(user) as socket:
        await begin(socket)
        await say(socket, SPEECH)
        await eventually(lambda: ears.asked > asked, "a pass over what was said")
        assert desks_of(world)[0].speakers == 1
    await eventually(lambda: desks_of(world)[0].speakers == 0, "nobody to be listened to")
    assert await messages_of(user) == []


async def test_nothing_said_is_no_message(world: ApiWorld, ears: Ears) -> None:
    ears.live = lambda seconds: ""
    user = world.user()
    async with socket_of(user) as socket:
        await begin(socket)
        await say(socket, silence(0.5))
        await send(socket, "v2", type="voice.end")
        ack, before = await until(socket, "ack", "v2")
    assert ack["status"] == "nothing_heard"
    assert [each["data"]["text"] for each in before if each.get("event") == "voice.final"] == [""]
    assert await messages_of(user) == []


async def test_an_engine_that_fails_is_an_error_and_the_socket_goes_on(world: ApiWorld, ears: Ears) -> None:
    user = world.user()
    async with socket_of(user) as socket:
        await begin(socket)
        ears.failures.append(SpeechError("quota", "The engine's quota is spent.", retryable=False))
        await say(socket, SPEECH)
        await send(socket, "v2", type="voice.end")
        error, _ = await until(socket, "error", "v2")
        assert (error["code"], error["status"]) == ("quota", 400)
        await begin(socket, "v3")
        await say(socket, SPEECH)
        await send(socket, "v4", type="voice.end")
        assert (await until(socket, "ack", "v4"))[0]["status"] == "accepted"


async def test_a_refused_message_is_an_error_beside_its_text(world: ApiWorld) -> None:
    user = world.user()
    async with socket_of(user) as socket:
        await begin(socket, sessionId="s_unknown")
        await say(socket, SPEECH)
        await send(socket, "v2", type="voice.end")
        error, before = await until(socket, "error", "v2")
    assert error["code"] == "session_unknown"
    (final,) = [each["data"] for each in before if each.get("event") == "voice.final"]
    assert final["text"]
    assert "messageId" not in final


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "voice.start"}, "voice_format"),
        ({**START, "format": "opus"}, "voice_format"),
        ({**START, "rate": 48_000}, "voice_format"),
        ({**START, "rate": True}, "voice_format"),
        ({**START, "language": "not a language"}, "invalid"),
        ({**START, "speak": "yes"}, "invalid"),
        ({**START, "colour": "red"}, "invalid"),
        ({"type": "voice.end"}, "voice_not_started"),
    ],
)
async def test_what_cannot_begin_is_said_so(world: ApiWorld, message: dict[str, Any], code: str) -> None:
    async with socket_of(world.user()) as socket:
        await send(socket, "v1", **message)
        error, _ = await until(socket, "error", "v1")
        assert (error["code"], error["status"] in (400, 409)) == (code, True)
        await begin(socket, "v2")


async def test_one_utterance_at_a_time_on_a_socket(world: ApiWorld) -> None:
    async with socket_of(world.user()) as socket:
        await begin(socket)
        await send(socket, "v2", **START)
        error, _ = await until(socket, "error", "v2")
        assert error["code"] == "voice_running"


async def test_no_more_are_listened_to_than_the_engine_can_hear(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for desk in desks_of(world):
        monkeypatch.setattr(desk, "live_at_once_max", 1)
    ada, bob = world.user(), world.user()
    async with socket_of(ada) as first, socket_of(bob) as second, socket_of(bob, at=1) as elsewhere:
        await begin(first)
        await send(second, "v1", **START)
        error, _ = await until(second, "error", "v1")
        assert (error["code"], error["status"]) == ("busy", 503)
        await begin(elsewhere)
        await send(first, "v2", type="voice.end")
        await until(first, "ack", "v2")
        await begin(second, "v3")


@pytest.mark.parametrize(
    ("starts", "data", "code"),
    [(False, b"\0\0", 1003), (True, b"\0", 1003), (True, bytes(70_000), 1009)],
)
async def test_binary_that_may_not_come_ends_the_socket(world: ApiWorld, starts: bool, data: bytes, code: int) -> None:
    async with socket_of(world.user()) as socket:
        if starts:
            await begin(socket)
        await socket.send(data)
        assert await closing_code(socket) == code


async def test_binary_behind_the_end_ends_the_socket(world: ApiWorld) -> None:
    async with socket_of(world.user()) as socket:
        await begin(socket)
        await send(socket, "v2", type="voice.end")
        await until(socket, "ack", "v2")
        await socket.send(b"\0\0")
        assert await closing_code(socket) == 1003


async def test_a_flood_of_audio_ends_the_socket(world: ApiWorld) -> None:
    async with socket_of(world.user()) as socket:
        await begin(socket)
        with suppress(ConnectionClosed):
            for _ in range(4_000):
                await socket.send(bytes(2))
        assert await closing_code(socket) == 1008


async def test_the_frames_of_an_utterance_reach_its_own_socket_alone(world: ApiWorld) -> None:
    user, other = world.user(), world.user()
    async with socket_of(user) as speaker, socket_of(user, at=1) as listener, socket_of(other) as stranger:
        await begin(speaker)
        await say(speaker, SPEECH)
        await send(speaker, "v2", type="voice.end")
        ack, _ = await until(speaker, "ack", "v2")
        _, before = await until(listener, "message.created")
        await send(stranger, "x", type="stop", messageId=ack["messageId"])
        error, strange = await until(stranger, "error", "x")
    assert error["status"] == 404
    assert not any(each.get("event", "").startswith("voice.") for each in before + strange)
    assert not any("message" in each.get("event", "") for each in strange)


async def test_the_loop_is_free_while_an_engine_thinks(world: ApiWorld, ears: Ears) -> None:
    user = world.user()
    async with socket_of(user) as socket:
        await begin(socket)
        ears.gate.clear()
        await say(socket, SPEECH)
        await send(socket, "v2", type="voice.end")
        async with asyncio.timeout(30):
            assert (await user.say("Hello"))["status"] == "accepted"
            await send(socket, "m1", type="message", channel="chat", text="Hello again")
            await until(socket, "ack", "m1")
        ears.gate.set()
        await until(socket, "ack", "v2")
