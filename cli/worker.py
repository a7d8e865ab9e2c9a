"""`microcos worker`: answer messages until SIGTERM or Ctrl-C. The composition root of a worker, and of what runs
beside it: retention, calendar sync, what comes due, speech.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import click
import uvloop

from cli.retention import run_retention
from cli.roles import stop_event, tell_ready
from commands.write_side import WriteSide, open_write_side, run_feed
from domain.errors import Unavailable
from domain.ports import Bus, LanguageModel, SpeechToText, TextToSpeech
from infra.audio_store import audio_store
from infra.calendar_mcp import calendar_of
from infra.event_log.store import BACKGROUND_GATHER_SECONDS
from infra.ids import new_id
from infra.keys.keyring import MasterKeyError
from infra.leases import PostgresLeaders
from infra.nats.bus import NatsBus
from infra.safe_fetch import SafeFetch
from infra.settings import Settings
from infra.speech import make_speech_to_text, make_text_to_speech
from infra.speech_leases import SpeechLeases
from infra.telemetry import configure_logging, get_logger, serve_metrics
from infra.together import beside
from infra.work import PostgresSegments, PostgresWorkQueue
from workers.calendar_sync import CalendarSync
from workers.consumer import Consumer
from workers.desk import Desk
from workers.llm import make_model
from workers.schedule import Schedule
from workers.speech.audio_sweep import AudioSweep
from workers.speech.spoken_answers import SpokenAnswers
from workers.speech.voice_jobs import VoiceJobs
from workers.speech.worker import SpeechWorker
from workers.token_stream import TokenPublisher
from workers.tools.flights import FlightSearch, make_flight_search

logger = get_logger("cli.worker")

STORE_AWAY_SECONDS = 0.5  # between two looks at a store that is away when we start


@click.command()
def worker() -> None:
    """Answer messages. Any number of these processes may run."""
    settings = Settings.load()
    configure_logging(settings, "worker")
    serve_metrics(settings)
    try:
        is_ok = uvloop.run(_run(settings))
    except MasterKeyError as error:
        raise click.ClickException(str(error)) from error
    if not is_ok:
        sys.exit(1)


async def _run(settings: Settings) -> bool:
    """Whether it ended because it was told to."""
    stop = stop_event()
    model = make_model(settings)
    try:
        async with open_worker(settings, model, stop) as (consumer, feed):
            if stop.is_set():
                return True
            tell_ready("worker")
            checked = asyncio.create_task(_check_model(model))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([stopped, feed], return_when=asyncio.FIRST_COMPLETED)
            if not stopped.done():
                # Without it stops are not heard and caches go stale: somebody starts us again.
                logger.error("worker.feed_ended", exc_info=feed.exception())
            for task in (checked, stopped):
                task.cancel()
            await consumer.drain(settings.drain_seconds)
            return stop.is_set()
    finally:
        await model.aclose()


@asynccontextmanager
async def open_worker(
    settings: Settings,
    model: LanguageModel,
    stop: asyncio.Event,
    *,
    ears: SpeechToText | None = None,
    voice: TextToSpeech | None = None,
) -> AsyncIterator[tuple[Consumer, asyncio.Task[None]]]:
    """A worker that claims, and the feed that it hears stops by; the caller drains it. Servers may be away.

    `ears` and `voice` stand in for the engines that the settings name. Raises `SettingsError`.
    """
    bus = NatsBus(settings, name="worker")
    await bus.start()
    try:
        # Nobody has to be woken for what our own appends leave waiting: we look at the state that they produced.
        async with open_write_side(settings, "worker", gather_seconds=BACKGROUND_GATHER_SECONDS) as side:
            await _verify_keys(side, stop)
            flights = make_flight_search(settings, side.clock)
            consumer = make_consumer(side, bus, model, flights)
            side.feed.add(consumer)
            async with (
                aclosing(flights),
                run_feed(side) as feed,
                run_retention(side),
                run_calendar_sync(side),
                run_schedule(side),
                run_speech(side, bus, ears=ears, voice=voice),
            ):
                if not stop.is_set():
                    await consumer.start()
                yield consumer, feed
    finally:
        await bus.close()


@asynccontextmanager
async def run_schedule(side: WriteSide) -> AsyncIterator[None]:
    """Fire what comes due for as long as the block runs."""
    schedule = Schedule(
        queries=side.queries,
        keyring=side.keyring,
        handler=side.handler,
        clock=side.clock,
        poll_seconds=side.settings.schedule_poll_seconds,
    )
    async with beside(schedule.run(), "schedule"):
        yield


@asynccontextmanager
async def run_speech(
    side: WriteSide, bus: Bus, *, ears: SpeechToText | None = None, voice: TextToSpeech | None = None
) -> AsyncIterator[None]:
    """Transcribe recordings and read answers aloud for as long as the block runs, and sweep up their audio."""
    settings, store = side.settings, audio_store(side.settings, side.clock)
    leases = SpeechLeases(side.queries, owner=new_id(), seconds=settings.lease_seconds)
    ears, voice = ears or make_speech_to_text(settings), voice or make_text_to_speech(settings)
    jobs = VoiceJobs(
        queries=side.queries,
        log=side.log,
        keyring=side.keyring,
        handler=side.handler,
        store=store,
        fetch=SafeFetch(),
        ears=ears,
        wake=bus.hint,
    )
    answers = SpokenAnswers(
        queries=side.queries,
        log=side.log,
        keyring=side.keyring,
        handler=side.handler,
        store=store,
        voice=voice,
        clock=side.clock,
    )
    # Without a voice nobody promised that anything would be heard.
    kinds = (jobs,) if voice.name == "none" else (jobs, answers)
    speech = SpeechWorker(
        kinds, leases, poll_seconds=settings.work_poll_seconds, renew_seconds=settings.lease_renew_seconds
    )
    sweep = AudioSweep(queries=side.queries, log=side.log, store=store, leases=leases, clock=side.clock)
    try:
        async with beside(speech.run(), "speech"), beside(sweep.run(), "audio sweep"):
            yield
    finally:
        await ears.aclose()
        await voice.aclose()


@asynccontextmanager
async def run_calendar_sync(side: WriteSide) -> AsyncIterator[None]:
    """Keep in step with another calendar, where one is set, for as long as the block runs."""
    settings = side.settings
    if not settings.calendar_mcp:
        yield
        return
    sync = CalendarSync(
        reader=calendar_of(settings.calendar_mcp),
        handler=side.handler,
        keyring=side.keyring,
        leaders=PostgresLeaders(side.queries, owner=new_id()),
        clock=side.clock,
        issuer=settings.auth_issuer[0] if settings.auth_issuer else "",
        sub=settings.calendar_user,
        every_seconds=settings.calendar_sync_minutes * 60,
    )
    async with beside(sync.run(), "calendar sync"):
        yield


def make_consumer(side: WriteSide, bus: Bus, model: LanguageModel, flights: FlightSearch) -> Consumer:
    settings = side.settings
    segments = PostgresSegments(side.queries)
    desk = Desk(
        log=side.log,
        keyring=side.keyring,
        handler=side.handler,
        tokens=TokenPublisher(bus, segments, segment_seconds=settings.segment_seconds),
        segments=segments,
        bus=bus,
        model=model,
        flights=flights,
        clock=side.clock,
        settings=settings,
        owner=settings.worker_owner or new_id(),
    )
    return Consumer(desk, PostgresWorkQueue(side.queries))


async def _verify_keys(side: WriteSide, stop: asyncio.Event) -> None:
    """Raises `MasterKeyError`. While the store is away nothing can be known and nothing can be done."""
    while not stop.is_set():
        try:
            await side.keyring.verify()
        except Unavailable as error:
            logger.warning("worker.store_away", code=error.code)
            await asyncio.sleep(STORE_AWAY_SECONDS)
        else:
            return


async def _check_model(model: LanguageModel) -> None:
    problem = await model.check()
    if problem is not None:
        # The line may hold a URL with a key in it; `microcos doctor` shows it to who asks.
        logger.warning("model.out_of_reach", model=model.name)
