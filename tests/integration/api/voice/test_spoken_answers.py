"""Answers that are read aloud: for whom, for how long, and for nobody else."""

from __future__ import annotations

import json

import pytest

from infra.audio_store import AudioStore, audio_id
from infra.clock import SystemClock
from projections.wait import Freshness
from tests.support.api_world import ApiWorld
from tests.support.fake_speech import heard, spoken
from tests.support.voice_routes import audio_of, job_of, sweep_of, upload
from tests.support.voices import Voice

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000


async def test_an_answer_is_heard_for_an_hour(
    world: ApiWorld, store: AudioStore, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = world.user()
    reply_id = (await user.say("Hello", speak=True, language="en-GB"))["replyId"]
    text = (await user.ended(reply_id))["text"]
    audio = await audio_of(user, reply_id, at=1)
    assert (audio.status_code, audio.headers["content-type"]) == (200, "audio/mpeg")
    assert audio.headers["cache-control"] == "private, no-store"
    assert audio.headers["x-content-type-options"] == "nosniff"
    assert heard(audio.content).split() == voice.said[-1][0].split()
    assert set(voice.said[-1][0].split()) & set(text.split())
    assert voice.said[-1][1] == "en-GB"
    assert heard(store.read(audio_id(reply_id)).data) == heard(audio.content)
    now_ms = SystemClock().now_ms
    with monkeypatch.context() as patch:
        patch.setattr(SystemClock, "now_ms", lambda self: now_ms() + HOUR_MS)
        expired = await user.get(f"/message/{reply_id}/audio")
        assert (expired.status_code, expired.json()["code"]) == (410, "audio_expired")
        await sweep_of(world, store).sweep()  # if the worker's own was not quicker
    assert audio_id(reply_id) not in store.job_ids()
    assert (await user.get(f"/message/{reply_id}/audio")).status_code == 410


async def test_a_recording_that_asks_for_it_is_answered_aloud(world: ApiWorld) -> None:
    user = world.user()
    job = await job_of(user, await upload(user, spoken("Hello"), speak="true"))
    reply_id = next(m["id"] for m in (await user.read("/state"))["messages"] if m.get("inReplyTo") == job["messageId"])
    assert (await audio_of(user, reply_id)).status_code == 200


async def test_the_preference_speaks_for_every_message(world: ApiWorld) -> None:
    user = world.user()
    await user.put("/preferences/speak", {"value": True})
    reply_id = (await user.say("Hello"))["replyId"]
    assert (await audio_of(user, reply_id)).status_code == 200


async def test_a_process_that_was_not_told_of_it_waits_for_it_as_well(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, side = world.user(), world.apps[1].side
    await user.task("All that the second process knows", at=1)
    waited_for: list[int] = []
    wait_for = Freshness.wait_for

    async def told(self: Freshness, view: str, user_id: str, min_version: int, timeout_seconds: float) -> None:
        waited_for.append(min_version)
        await wait_for(self, view, user_id, min_version, timeout_seconds)

    side.feed.remove(side.states)
    try:
        reply_id = (await user.say("Hello", speak=True))["replyId"]
        await audio_of(user, reply_id)
        monkeypatch.setattr(Freshness, "wait_for", told)
        assert (await audio_of(user, reply_id, at=1)).status_code == 200
    finally:
        side.feed.add(side.states)
    assert waited_for == [await user.head()]


async def test_what_cannot_be_heard_is_not_found_whoever_asks(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    reply_id = (await ada.say("Hello", speak=True))["replyId"]
    assert (await audio_of(ada, reply_id)).status_code == 200
    answers = [await bob.get(f"/message/{given}/audio") for given in (reply_id, "m_unknown", "x")]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert answers[0].content == answers[1].content == answers[2].content
    silent = (await ada.say("Hello"))["replyId"]
    await ada.ended(silent)
    assert (await ada.get(f"/message/{silent}/audio")).json()["code"] == "audio_unknown"


async def test_a_deleted_conversation_is_heard_no_more(world: ApiWorld, store: AudioStore) -> None:
    user = world.user()
    reply_id = (await user.say("Hello", speak=True, conversationId="trip"))["replyId"]
    assert (await audio_of(user, reply_id)).status_code == 200
    assert (await user.delete("/conversations/trip")).status_code == 200
    assert (await user.get(f"/message/{reply_id}/audio")).status_code == 404
    await sweep_of(world, store).sweep()
    assert audio_id(reply_id) not in store.job_ids()


async def test_the_stream_says_when_an_answer_can_be_heard(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello", speak=True)
    seen = ""
    headers = {"authorization": f"Bearer {user.token}"}
    async with world.clients[1].stream("GET", ack["streamUrl"], headers=headers) as stream:
        async for chunk in stream.aiter_text():
            seen += chunk
            if "event: message.audio" in seen and seen.endswith("\n\n"):
                break
    frame = json.loads(seen.rpartition("event: message.audio\ndata: ")[2].partition("\n")[0])
    assert frame["messageId"] == ack["replyId"]
    assert (await user.get(frame["url"].removeprefix("/api/v1"), at=1)).status_code == 200
