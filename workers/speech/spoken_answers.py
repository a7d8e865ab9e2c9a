"""One answer that its user wants to hear: read aloud, and kept for an hour. Ends no reply and changes no text."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from commands.handle import CommandHandler, Request
from commands.voice import KeepSpeech
from domain.errors import DomainError, Unavailable
from domain.events import BrainEvent, MessageReceived, ReplyCompleted
from domain.ports import Clock, EventLog, SpeechError, TextToSpeech
from domain.values import REDACTED
from infra.audio_store import AUDIO_AGE_SECONDS_MAX, AudioStore, audio_id
from infra.keys.keyring import Keyring
from infra.queries import Queries
from infra.telemetry import counter, get_logger, hashed
from projections.voice_queries import Waiting, fetch_waiting_replies
from workers.speech.spoken_text import spoken_text
from workers.speech.voice_jobs import ATTEMPTS_MAX, RETRY_SECONDS, RETRY_SECONDS_MAX, insist

GIVEN_UP_SECONDS = 2.0 * AUDIO_AGE_SECONDS_MAX  # by then nobody waits for it any more

logger = get_logger("workers.speech.spoken_answers")
SPOKEN = counter("microcos_spoken_answers", "Answers that were to be read aloud, by outcome.", labels=("outcome",))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenAnswers:
    queries: Queries
    log: EventLog
    keyring: Keyring
    handler: CommandHandler
    store: AudioStore
    voice: TextToSpeech
    clock: Clock

    async def waiting(self, limit: int) -> list[Waiting]:
        """Raises `Unavailable`."""
        since_ms = self.clock.now_ms() - AUDIO_AGE_SECONDS_MAX * 1000
        return await fetch_waiting_replies(self.queries, since_ms=since_ms, limit=limit)

    async def work(self, reply: Waiting, attempt: int) -> float | None:
        """None once it can be heard; else in how many seconds it is to be tried again."""
        if attempt > ATTEMPTS_MAX:
            return self._given_up(reply, "worker_lost")
        text, language = await self._text(reply)
        if not text:
            return self._given_up(reply, "nothing_to_say")
        try:
            audio = await self.voice.speak(text, language)
        except SpeechError as error:
            seconds = RETRY_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds
            if error.retryable and attempt < ATTEMPTS_MAX and seconds <= RETRY_SECONDS_MAX:
                return seconds
            return self._given_up(reply, error.code)
        expires_at_ms = self.clock.now_ms() + AUDIO_AGE_SECONDS_MAX * 1000
        try:
            await asyncio.to_thread(self.store.write, audio_id(reply.id), audio)
        except Unavailable as error:  # no room on the disk
            return RETRY_SECONDS if attempt < ATTEMPTS_MAX else self._given_up(reply, error.code)
        command = KeepSpeech(
            reply_id=reply.id, media_type=audio.media_type, bytes=len(audio.data), expires_at_ms=expires_at_ms
        )
        try:
            # No client can send a key with this first character.
            await insist(self.handler, reply.user_id, command, Request(key=f"\0speech:{reply.id}"))
        except DomainError as error:  # its conversation, or its user, is gone
            await asyncio.to_thread(self.store.delete, audio_id(reply.id))
            return self._given_up(reply, error.code)
        SPOKEN.labels("made").inc()
        return None

    async def _text(self, reply: Waiting) -> tuple[str, str | None]:
        """What is to be said, and the language that the message named; "" where nothing is left of it."""
        completed = await self._event(reply.user_id, reply.version)
        assert isinstance(completed, ReplyCompleted)
        if completed.content is REDACTED or completed.content.text is None:
            return "", None
        received = await self._event(reply.user_id, completed.reply.message_version)
        assert isinstance(received, MessageReceived)
        language = None if received.content is REDACTED else received.content.language
        return spoken_text(completed.content.text), language

    async def _event(self, user_id: str, version: int) -> BrainEvent:
        [fact] = await self.keyring.open_events(user_id, await self.log.read_versions(user_id, [version]))
        return fact.event

    def _given_up(self, reply: Waiting, code: str) -> float:
        logger.warning("speech.given_up", user=hashed(reply.user_id), reply_id=reply.id, code=code)
        SPOKEN.labels(code).inc()
        return GIVEN_UP_SECONDS
