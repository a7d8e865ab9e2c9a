"""What tests of the voice routes do again and again."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from domain.events import SpeechMade
from infra.audio_store import AudioStore, audio_id
from infra.clock import SystemClock
from infra.speech_leases import SpeechLeases
from tests.support.api_world import ApiWorld, User
from tests.support.voices import form
from tests.support.waiting import eventually_true
from workers.speech.audio_sweep import AudioSweep


async def upload(
    user: User, sound: bytes | None, *, key: str | None = None, at: int = 0, **fields: str
) -> httpx.Response:
    body, kind = form(sound, **fields)
    return await user.send("POST", "/voice-upload", content=body, key=key, at=at, content_type=kind)


async def job_of(user: User, answer: httpx.Response) -> dict[str, Any]:
    """The job once it has ended, as another process tells it."""
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["transcriptJobId"]

    async def look() -> dict[str, Any] | None:
        job = await user.read(f"/voice-jobs/{job_id}", at=1)
        return job if job["status"] != "running" else None

    found = await eventually_true(look, "the job to end", every_seconds=0.02)
    assert found is not None
    return found


async def gone(store: AudioStore, *audio: str) -> None:
    await eventually_true(
        lambda: asyncio.to_thread(lambda: not set(store.job_ids()) & set(audio)), "the audio to be gone"
    )


def is_stored(answer: httpx.Response, store: AudioStore) -> bool:
    return audio_id(answer.json()["transcriptJobId"]) in store.job_ids()


async def audio_of(user: User, reply_id: str, *, at: int = 0) -> httpx.Response:
    async def look() -> bool:
        return any(isinstance(fact.event, SpeechMade) for fact in await user.facts())

    await eventually_true(look, "the answer to be spoken", every_seconds=0.02)
    return await user.get(f"/message/{reply_id}/audio", at=at)


def sweep_of(world: ApiWorld, store: AudioStore) -> AudioSweep:
    side = world.apps[0].side
    leases = SpeechLeases(side.queries, owner="test", seconds=1)
    return AudioSweep(
        queries=side.queries, log=side.log, store=store, leases=leases, clock=SystemClock(), age_seconds_min=0
    )
