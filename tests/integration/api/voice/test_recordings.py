"""Recordings over HTTP: from the upload to the message, and what is left of the audio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from domain.events import VoiceJobEnded, VoiceJobStarted
from domain.limits import VOICE_JOBS_RUNNING_MAX
from domain.ports import Audio, SpeechError
from infra.audio_store import AudioStore, audio_id
from infra.embedded.nats import EmbeddedNats
from infra.ids import new_id
from tests.support.api_world import ApiWorld, open_world, world_settings
from tests.support.fake_speech import spoken
from tests.support.sounds import silence, wav
from tests.support.voice_routes import gone, is_stored, job_of, sweep_of, upload
from tests.support.voices import Ears, form
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio


async def test_a_recording_becomes_a_message_and_its_audio_is_gone(
    world: ApiWorld, store: AudioStore, ears: Ears
) -> None:
    user = world.user()
    ears.gate.clear()
    answer = await upload(user, spoken("Remind me to call John"), language="en-GB", conversationId="trip")
    assert answer.json().keys() == {"transcriptJobId", "version"}
    job_id = answer.json()["transcriptJobId"]
    running = await user.read(f"/voice-jobs/{job_id}")
    assert (running["status"], running["messageId"], running["code"]) == ("running", None, None)
    assert is_stored(answer, store)
    ears.gate.set()
    job = await job_of(user, answer)
    assert job["status"] == "completed"
    message = await user.message(job["messageId"], "accepted")
    assert message["text"] == "Remind me to call John"
    assert (message["channel"], message["conversationId"], message["role"]) == ("voice", "trip", "user")
    assert ears.languages[-1] == "en-GB"
    await gone(store, audio_id(job["transcriptJobId"]))
    state = await user.read("/state")
    (reply,) = [each for each in state["messages"] if each.get("inReplyTo") == job["messageId"]]
    assert (await user.ended(reply["id"]))["status"] == "completed"


async def test_the_same_upload_again_is_the_same_job(world: ApiWorld, store: AudioStore) -> None:
    user, before = world.user(), set(store.job_ids())
    first = await upload(user, spoken("Hello"), key="k1")
    body, kind = form(spoken("Hello"), boundary="another")
    again = await user.send("POST", "/voice-upload", content=body, key="k1", content_type=kind, at=1)
    assert (again.status_code, again.content) == (202, first.content)
    assert (await upload(user, spoken("Goodbye"), key="k1")).status_code == 422
    await job_of(user, first)
    await eventually_true(lambda: asyncio.to_thread(lambda: set(store.job_ids()) <= before), "both files to be gone")
    started = [fact for fact in await user.facts() if isinstance(fact.event, VoiceJobStarted)]
    assert len(started) == 1


async def test_what_is_said_stands_in_no_clear_field(world: ApiWorld) -> None:
    user = world.user()
    await job_of(
        user, await upload(user, spoken("canary words"), clientMessageId="canary-id", conversationId="canary-trip")
    )
    user_id = await world.user_id(user.sub)
    rows = await world.apps[0].side.log.read_stream(user_id, after=0)
    assert not any(b"canary" in row.state for row in rows)


async def test_silence_becomes_no_message(world: ApiWorld, store: AudioStore) -> None:
    user = world.user()
    job = await job_of(user, await upload(user, wav(silence(1.0))))
    assert (job["status"], job["code"], job["messageId"]) == ("failed", "nothing_heard", None)
    await gone(store, audio_id(job["transcriptJobId"]))


async def test_more_words_than_a_message_may_have_are_said_so(world: ApiWorld) -> None:
    user = world.user()
    job = await job_of(user, await upload(user, spoken("word " * 2_000)))
    assert (job["status"], job["code"]) == ("failed", "text_too_long")


async def test_an_engine_that_refuses_ends_the_job(world: ApiWorld, store: AudioStore, ears: Ears) -> None:
    user = world.user()
    ears.failures.append(SpeechError("bad_audio", "It can't be decoded.", retryable=False))
    job = await job_of(user, await upload(user, spoken("Hello")))
    assert (job["status"], job["code"]) == ("failed", "bad_audio")
    await gone(store, audio_id(job["transcriptJobId"]))


async def test_a_session_that_was_closed_meanwhile_does_not_lose_the_message(world: ApiWorld, ears: Ears) -> None:
    user = world.user()
    session_id = (await user.made("/sessions"))["sessionId"]
    ears.gate.clear()
    answer = await upload(user, spoken("Hello"), sessionId=session_id)
    assert (await user.delete(f"/sessions/{session_id}")).status_code == 200
    ears.gate.set()
    assert (await job_of(user, answer))["status"] == "completed"


async def test_only_so_many_recordings_of_a_user_may_wait(world: ApiWorld, ears: Ears, store: AudioStore) -> None:
    user, before = world.user(), set(store.job_ids())
    ears.gate.clear()
    answers = [await upload(user, spoken(f"Number {number}")) for number in range(VOICE_JOBS_RUNNING_MAX + 1)]
    assert [answer.status_code for answer in answers] == [202] * VOICE_JOBS_RUNNING_MAX + [429]
    assert answers[-1].json()["code"] == "voice_jobs_running"
    assert len(set(store.job_ids()) - before) == VOICE_JOBS_RUNNING_MAX, "the file of the refused one is gone"
    ears.gate.set()
    for answer in answers[:-1]:
        assert (await job_of(user, answer))["status"] == "completed"


async def test_a_job_of_another_user_is_unknown(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    job_id = (await upload(ada, spoken("Hello"))).json()["transcriptJobId"]
    answers = [await bob.get(f"/voice-jobs/{given}") for given in (job_id, "v_unknown", "x")]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert answers[0].content == answers[1].content == answers[2].content


async def test_a_sweep_keeps_what_is_needed(world: ApiWorld, store: AudioStore, ears: Ears) -> None:
    user = world.user()
    ears.gate.clear()
    answer = await upload(user, spoken("Hello"))
    assert is_stored(answer, store)
    never_accepted = new_id()
    store.write(never_accepted, Audio(b"sound", "audio/mpeg"))
    await sweep_of(world, store).sweep()
    assert is_stored(answer, store)
    assert never_accepted not in store.job_ids()
    ears.gate.set()
    assert (await job_of(user, answer))["status"] == "completed"


async def test_without_engines_the_routes_say_which_setting_to_set(
    module_database_url: str, nats_server: EmbeddedNats, tmp_path: Path, world: ApiWorld
) -> None:
    settings = world_settings(module_database_url, nats_server.url, tmp_path, master_key=world.settings.master_key)
    async with open_world(settings, apis=1, answers=False) as silent:
        user = silent.user()
        for answer in (
            await upload(user, spoken("Hello")),
            await user.post("/voice-upload", {"url": "https://x.example/a"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "voice_off")
            assert "MICROCOS_STT_PROVIDER" in answer.json()["detail"]
        message_id = (await user.say("Hello", speak=True))["messageId"]
        refused = await user.get(f"/message/{message_id}/audio")
        assert (refused.status_code, refused.json()["code"]) == (409, "speech_off")
        assert "MICROCOS_TTS_PROVIDER" in refused.json()["detail"]
        assert not any(isinstance(fact.event, VoiceJobStarted | VoiceJobEnded) for fact in await user.facts())
