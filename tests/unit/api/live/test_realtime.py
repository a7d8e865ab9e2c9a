"""A socket's conversation with a hub, message by message."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from api.http.request import Call
from api.realtime import Commands, RealtimeEndpoint
from api.voice_desk import VoiceDesk
from infra.audio_store import AudioStore
from infra.speech.none import NoSpeechToText
from tests.support.live_world import GENERATION, PRINCIPAL, USER, Process, World

pytestmark = pytest.mark.anyio


async def nothing(*_: Any) -> bytes:
    raise AssertionError("no command is sent here")


async def test_of_two_resumes_at_once_both_are_answered_and_the_later_one_counts(
    process: Process, world: World, tmp_path: Any
) -> None:
    world.history.say("hello")
    sent: list[dict[str, Any]] = []
    answered = asyncio.Event()
    up: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    up.put_nowait({"type": "websocket.connect"})
    for request_id, version in (("r1", 3), ("r2", 1)):
        body = {"type": "resume", "requestId": request_id, "cursor": f"{GENERATION}.{version}"}
        up.put_nowait({"type": "websocket.receive", "text": json.dumps(body)})

    async def send(message: dict[str, Any]) -> None:
        if message["type"] != "websocket.send":
            return
        sent.append(json.loads(message["text"]))
        if sent[-1].get("event") == "message.created":
            answered.set()

    async def user_id_of(_: Any) -> str:
        return USER

    desk = VoiceDesk(AudioStore(tmp_path, bytes(32), world.clock), NoSpeechToText(), can_speak=False)
    commands = Commands(post_message=nothing, stop=nothing)
    endpoint = RealtimeEndpoint(process.registry, user_id_of, commands, world.clock, desk)
    call = Call("request-1", "GET", "/api/v1/realtime", principal=PRINCIPAL)
    scope = {"type": "websocket", "headers": [], "state": {"call": call}}
    scope["extensions"] = {"microcos.abort": lambda: None}
    socket = asyncio.create_task(endpoint(scope, up.get, send))
    await answered.wait()
    up.put_nowait({"type": "websocket.disconnect"})
    await socket
    assert [one["requestId"] for one in sent if one.get("type") == "ack"] == ["r1", "r2"]
