"""Recordings from their job's side: fetched from addresses, tried again, and finished after a worker was killed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.handle import Outcome
from commands.voice import StartVoiceJob
from domain.events import MessageReceived, VoiceJobEnded, VoiceRequest
from domain.ports import Audio, SpeechError
from infra.audio_store import AudioStore, audio_id, audio_store
from infra.clock import SystemClock
from infra.embedded.nats import EmbeddedNats
from infra.safe_fetch import Address, SafeFetch
from infra.settings import Settings
from projections.voice_queries import Waiting
from tests.support.api_world import ApiWorld, User, open_world, world_settings
from tests.support.fake_speech import KEY, Answer, SpeechServer, fake_speech, spoken
from tests.support.processes import Running, python
from tests.support.sounds import wav
from tests.support.tls_server import TlsServer, answer, tls_server
from tests.support.voice_routes import upload
from tests.support.voices import Ears
from tests.support.waiting import eventually, eventually_true
from workers.speech.voice_jobs import RETRY_SECONDS, VoiceJobs

pytestmark = pytest.mark.anyio

HOST = "files.example.com"
JOB = "v_0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def ears() -> Ears:
    return Ears()


@pytest.fixture(scope="module")
async def world(
    module_database_url: str, nats_server: EmbeddedNats, tmp_path_factory: pytest.TempPathFactory, ears: Ears
) -> AsyncIterator[ApiWorld]:
    """Without a worker: these tests are it."""
    settings = world_settings(module_database_url, nats_server.url, tmp_path_factory.mktemp("data"))
    async with open_world(settings, apis=1, answers=False, ears=ears) as opened:
        yield opened


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TlsServer]:
    async with tls_server(tmp_path, HOST) as listening:
        yield listening


def jobs_of(world: ApiWorld, ears: Ears, server: TlsServer | None = None, woken: list[str] | None = None) -> VoiceJobs:
    side = world.apps[0].side

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["10.1.2.3"] if host == "inside.example.com" else ["127.0.0.1"]

    def allowed(address: Address) -> bool:
        return str(address) == "127.0.0.1"

    fetch = SafeFetch()
    if server is not None:
        fetch = SafeFetch(
            resolve=resolve, allowed=allowed, ports=frozenset({server.port, 443}), ssl_context=server.client_context
        )
    return VoiceJobs(
        queries=side.queries,
        log=side.log,
        keyring=side.keyring,
        handler=side.handler,
        store=store_of(world.settings),
        fetch=fetch,
        ears=ears,
        wake=([] if woken is None else woken).append,
    )


def store_of(settings: Settings) -> AudioStore:
    return audio_store(settings, SystemClock())


async def started(world: ApiWorld, user: User, url: str | None) -> Waiting:
    """A job as a worker finds it."""
    side = world.apps[0].side
    user_id = await world.user_id(user.sub)
    command = StartVoiceJob(job_id=JOB, media_type="", bytes=0, speak=False, request=VoiceRequest(url=url))
    handled = await side.handler.handle(user_id, command)
    assert isinstance(handled.outcome, Outcome)
    return Waiting(user_id, JOB, handled.version)


async def end_of(user: User) -> VoiceJobEnded:
    (ended,) = [fact.event for fact in await user.facts() if isinstance(fact.event, VoiceJobEnded)]
    return ended


async def texts_of(user: User) -> list[str]:
    received = [fact.event for fact in await user.facts() if isinstance(fact.event, MessageReceived)]
    return [message.content.text for message in received]  # type: ignore[union-attr]


async def test_a_recording_behind_an_address_becomes_a_message(world: ApiWorld, server: TlsServer, ears: Ears) -> None:
    sound = spoken("From afar")
    server.answers["/a"] = answer(302, location="/b")
    server.answers["/b"] = answer(200, sound, content_type="audio/mpeg", content_length=str(len(sound)))
    user, woken = world.user(), list[str]()
    job = await started(world, user, f"https://{HOST}:{server.port}/a")
    assert await jobs_of(world, ears, server, woken).work(job, 1) is None
    assert await texts_of(user) == ["From afar"]
    assert (await end_of(user)).status == "completed"
    assert woken == [job.user_id]
    assert store_of(world.settings).job_ids() == [], "what was fetched is written nowhere"


REFUSALS = [
    ("/missing", answer(404), "bad_status"),
    ("/page", answer(200, b"<html>", content_type="text/html"), "not_audio"),
    ("/inside", answer(302, location="https://inside.example.com/"), "forbidden_address"),
    ("/down", answer(302, location="http://files.example.com/"), "bad_url"),
    ("/elf", answer(200, b"\x7fELF" + bytes(99), content_type="audio/wav"), "unsupported_audio"),
    ("/empty", answer(200, b"", content_type="audio/wav", content_length="0"), "empty_audio"),
    ("/long", answer(200, wav(bytes(2 * 8_000 * 661), rate=8_000), content_type="audio/wav"), "audio_too_long"),
    ("/large", answer(200, b"", content_type="audio/wav", content_length=str(26_214_401)), "too_large"),
]


@pytest.mark.parametrize(("path", "given", "code"), REFUSALS, ids=[code for _, _, code in REFUSALS])
async def test_what_an_address_gives_is_judged_like_an_upload(
    world: ApiWorld, server: TlsServer, ears: Ears, path: str, given: bytes, code: str
) -> None:
    server.answers[path] = given
    user = world.user()
    job = await started(world, user, f"https://{HOST}:{server.port}{path}")
    assert await jobs_of(world, ears, server).work(job, 1) is None
    ended = await end_of(user)
    assert (ended.status, ended.code) == ("failed", code)
    assert await texts_of(user) == []


async def test_what_may_be_better_in_a_moment_is_tried_once_more(world: ApiWorld, ears: Ears) -> None:
    async def nobody(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    user = world.user()
    job = await started(world, user, "https://nobody.invalid/a")
    jobs = replace(jobs_of(world, ears), fetch=SafeFetch(resolve=nobody))
    assert await jobs.work(job, 1) == RETRY_SECONDS
    assert not any(isinstance(fact.event, VoiceJobEnded) for fact in await user.facts())
    assert await jobs.work(job, 2) is None
    assert (await end_of(user)).code == "unreachable"


@pytest.mark.parametrize(("patience", "again"), [(None, RETRY_SECONDS), (7.0, 7.0), (900.0, None)])
async def test_an_engine_that_is_busy_is_asked_once_more_unless_it_wants_too_much_patience(
    world: ApiWorld, ears: Ears, patience: float | None, again: float | None
) -> None:
    user = world.user()
    store_of(world.settings).write(audio_id(JOB), _audio("Hello"))
    job = await started(world, user, None)
    ears.failures.append(SpeechError("rate_limited", "Later.", retryable=True, retry_after_seconds=patience))
    assert await jobs_of(world, ears).work(job, 1) == again
    if again is None:
        assert (await end_of(user)).code == "rate_limited"
    else:
        assert await jobs_of(world, ears).work(job, 2) is None
        assert await texts_of(user) == ["Hello"]
    assert store_of(world.settings).job_ids() == []


def _audio(text: str) -> Audio:
    return Audio(spoken(text), "audio/mpeg")


async def test_a_job_whose_audio_is_gone_fails(world: ApiWorld, ears: Ears) -> None:
    user = world.user()
    assert await jobs_of(world, ears).work(await started(world, user, None), 1) is None
    assert (await end_of(user)).code == "audio_gone"


async def test_a_job_that_is_done_twice_posts_one_message(world: ApiWorld, ears: Ears) -> None:
    user = world.user()
    store, jobs = store_of(world.settings), jobs_of(world, ears)
    store.write(audio_id(JOB), _audio("Hello"))
    job = await started(world, user, None)
    assert await jobs.work(job, 1) is None
    store.write(audio_id(JOB), _audio("Something else"))
    assert await jobs.work(job, 2) is None
    assert await jobs.work(job, 3) is None
    assert await texts_of(user) == ["Hello"]
    assert (await end_of(user)).status == "completed"
    assert store.job_ids() == []


# --- workers that die ---------------------------------------------------------------------------------------------


@pytest.fixture
async def speech() -> AsyncIterator[SpeechServer]:
    async with fake_speech() as server:
        yield server


def worker(settings: Settings) -> Running:
    running = Running(python("-m", "cli.main", "worker"), environment=settings.as_environment())
    running.expect("^ready worker$")
    return running


async def killed_while_it_listens(settings: Settings, speech: SpeechServer) -> None:
    speech.arrived.clear()
    speech.next_answers.append(Answer(200, b"", hangs=True))
    running = await asyncio.to_thread(worker, settings)
    try:
        await asyncio.wait_for(speech.arrived.wait(), 60)
        running.signal(signal.SIGKILL)
        await asyncio.to_thread(running.wait)
    finally:
        await asyncio.to_thread(running.close)


@pytest.mark.parametrize(("deaths", "code"), [(1, None), (2, "worker_lost")])
async def test_a_recording_outlives_one_worker_and_its_audio_outlives_none(
    database_url: str, nats_url: str, tmp_path: Path, speech: SpeechServer, deaths: int, code: str | None
) -> None:
    settings = world_settings(
        database_url,
        nats_url,
        tmp_path,
        stt_provider="openai",
        speech_base_url=f"{speech.url}/v1",
        speech_api_key=KEY,
        lease_seconds=1.0,
        lease_renew_seconds=0.2,
        work_poll_seconds=0.1,
    )
    async with open_world(settings, apis=1, answers=False) as world:
        user, store = world.user(), store_of(settings)
        accepted = await upload(user, spoken("Call John"))
        job_id = accepted.json()["transcriptJobId"]
        for _ in range(deaths):
            await killed_while_it_listens(settings, speech)
            assert store.job_ids() == [audio_id(job_id)]
        running = await asyncio.to_thread(worker, settings)
        try:

            async def look() -> dict[str, Any] | None:
                job = await user.read(f"/voice-jobs/{job_id}")
                return job if job["status"] != "running" else None

            job = await eventually_true(look, "the job to end")
            assert job is not None
            assert job["code"] == code
            assert await texts_of(user) == ([] if code else ["Call John"])
            await eventually(lambda: store.job_ids() == [], "the audio to be gone")
        finally:
            await asyncio.to_thread(running.close)
