"""One recording: fetched where it is an address, transcribed, posted as a message, and gone.

Whatever happens the job ends: with its message, or with a code that says why there is none. Who has it in hand, and
how often, is workers/speech/worker.py's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from commands.conversations import MAIN_CONVERSATION_ID
from commands.decide import Command
from commands.handle import CommandHandler, Request
from commands.messages import PostMessage
from commands.voice import EndVoiceJob
from domain.errors import DomainError, NotFound, Unavailable
from domain.events import VoiceJobStarted, VoiceRequest
from domain.ports import Audio, EventLog, SpeechError, SpeechToText
from domain.values import REDACTED
from infra.audio import AudioError, inspect
from infra.audio_store import AudioStore, audio_id
from infra.ids import jitter
from infra.keys.keyring import Keyring
from infra.queries import Queries
from infra.safe_fetch import FetchError, SafeFetch
from infra.telemetry import counter, get_logger, hashed
from projections.voice_queries import Waiting, fetch_waiting_jobs

ATTEMPTS_MAX = 2
RETRY_SECONDS = 5.0
RETRY_SECONDS_MAX = 60.0  # an engine that asks for more patience gets no second try: the user hears of it at once
STORE_AWAY_SECONDS = 1.0
WORKER_LOST = "worker_lost"
GONE = "audio_gone"
# The address, or the way to it, may be better in a moment.
FETCHED_AGAIN = frozenset({"timeout", "unreachable"})

logger = get_logger("workers.speech.voice_jobs")
ENDED = counter("microcos_voice_jobs", "Recordings that this worker ended, by outcome.", labels=("outcome",))


class _Failed(Exception):
    """`again_seconds` None: another try would not help."""

    def __init__(self, code: str, again_seconds: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.again_seconds = again_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceJobs:
    """`wake(user_id)` is called when a message waits for its answer; it must not block."""

    queries: Queries
    log: EventLog
    keyring: Keyring
    handler: CommandHandler
    store: AudioStore
    fetch: SafeFetch
    ears: SpeechToText
    wake: Callable[[str], None]

    async def waiting(self, limit: int) -> list[Waiting]:
        """Raises `Unavailable`."""
        return await fetch_waiting_jobs(self.queries, limit=limit)

    async def work(self, job: Waiting, attempt: int) -> float | None:
        """None once the job has ended and its audio is gone; else in how many seconds it is to be tried again."""
        started = await self._started(job)
        if started is None:  # the user was erased
            return None
        request = started.content
        assert request is not REDACTED
        try:
            if attempt > ATTEMPTS_MAX:
                raise _Failed(WORKER_LOST)
            text = await self._words(job, request)
        except _Failed as failure:
            if failure.again_seconds is not None and attempt < ATTEMPTS_MAX:
                return failure.again_seconds
            await self._end(job, EndVoiceJob(job_id=job.id, code=failure.code))
        else:
            await self._post(job, started, request, text)
        await asyncio.to_thread(self.store.delete, audio_id(job.id))
        return None

    async def _started(self, job: Waiting) -> VoiceJobStarted | None:
        [fact] = await self.keyring.open_events(job.user_id, await self.log.read_versions(job.user_id, [job.version]))
        event = fact.event
        assert isinstance(event, VoiceJobStarted)
        return None if event.content is REDACTED else event

    async def _words(self, job: Waiting, request: VoiceRequest) -> str:
        try:
            audio = await self._uploaded(job) if request.url is None else await self._fetched(request.url)
            return (await self.ears.transcribe(audio.data, audio.media_type, request.language)).text
        except SpeechError as error:
            seconds = RETRY_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds
            is_worth_it = error.retryable and seconds <= RETRY_SECONDS_MAX
            raise _Failed(error.code, seconds if is_worth_it else None) from error

    async def _uploaded(self, job: Waiting) -> Audio:
        try:
            return await asyncio.to_thread(self.store.read, audio_id(job.id))
        except NotFound as error:
            raise _Failed(GONE) from error

    async def _fetched(self, url: str) -> Audio:
        """It stays in memory: nothing of it is to be deleted later."""
        try:
            fetched = await self.fetch.fetch(url)
            return Audio(fetched.data, (await asyncio.to_thread(inspect, fetched.data)).media_type)
        except FetchError as error:
            raise _Failed(error.code, RETRY_SECONDS if error.code in FETCHED_AGAIN else None) from error
        except AudioError as error:
            raise _Failed(error.code) from error

    async def _post(self, job: Waiting, started: VoiceJobStarted, request: VoiceRequest, text: str) -> None:
        keys = await self.keyring.load(job.user_id)
        conversation_id = request.conversation_id or MAIN_CONVERSATION_ID
        message = PostMessage(
            channel="voice",
            text=text.strip(),
            conversation_id=conversation_id,
            conversation_ref=keys.ref("conversation", conversation_id),
            client_message_id=request.client_message_id,
            session_id=request.session_id,
            language=request.language,
            speak=started.speak,
        )
        refusal = await self._end(job, EndVoiceJob(job_id=job.id, message=message))
        if refusal is not None:
            await self._end(job, EndVoiceJob(job_id=job.id, code=refusal))

    async def _end(self, job: Waiting, command: EndVoiceJob) -> str | None:
        """The code that the message is refused with. Goes on trying while the store is away: the lease says how long
        that is ours to do."""
        try:
            # No client can send a key with this first character.
            await insist(self.handler, job.user_id, command, Request(key=f"\0voice:{job.id}"))
        except DomainError as error:
            if error.code in ("voice_job_over", "erased"):
                return None
            logger.info("voice_job.refused", user=hashed(job.user_id), code=error.code)
            return error.code
        ENDED.labels("completed" if command.message is not None else command.code).inc()
        if command.message is not None:
            self.wake(job.user_id)
        return None


async def insist(handler: CommandHandler, user_id: str, command: Command, request: Request) -> None:
    """Sends it again for as long as its outcome is unknown. Raises its refusal."""
    while True:
        try:
            await handler.handle(user_id, command, request)
        except Unavailable:
            await asyncio.sleep(jitter(STORE_AWAY_SECONDS))
        else:
            return
