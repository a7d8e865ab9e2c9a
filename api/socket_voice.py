"""Live speech over one socket: an utterance at a time, from `voice.start` to its message.

Partial texts are shown to this socket alone. The utterance ends at silence, at `voice.end` or when it is full; then
its text is posted as a message. When the socket drops before that, nothing is posted. It must not touch the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

import msgspec

from api.live.frames import Reply
from api.problems import Problem, problem_of
from api.schemas.requests import VoiceFields
from api.voice_desk import VoiceDesk
from domain.errors import Conflict, DomainError, Invalid, Unavailable
from domain.ports import SpeechError
from domain.values import Json
from infra.speech.live import UTTERANCE_SECONDS_MAX, LiveTranscription, VoiceFinal, VoicePartial
from infra.telemetry import get_logger

AUDIO_FORMAT, AUDIO_RATE = "pcm16", 16_000
# Longer than any utterance: somebody who starts and says nothing does not hold the place for ever.
OPEN_SECONDS_MAX = UTTERANCE_SECONDS_MAX + 15.0

_encode = msgspec.json.Encoder().encode
logger = get_logger("api.socket_voice")

# (body of a message, idempotency key) → the JSON answer of `POST /message`.
Post = Callable[[dict[str, Json], str | None], Awaitable[bytes]]
Show = Callable[[Reply], object]


@dataclass(slots=True)
class _Utterance:
    """`asked` is the requestId of the `voice.end` that waits for its answer; `is_posting`: too late to forget it."""

    request_id: str
    message: dict[str, Json]
    key: str | None
    live: LiveTranscription
    asked: str | None = None
    is_posting: bool = False
    task: asyncio.Task[None] | None = None


class SocketVoice:
    """`post` is the caller's own; `show` puts an answer among the frames of this socket."""

    def __init__(self, desk: VoiceDesk, post: Post, show: Show) -> None:
        self._desk = desk
        self._post = post
        self._show = show
        self._utterance: _Utterance | None = None
        self._ended: Reply | None = None  # what the last utterance came to, for a `voice.end` that comes after silence
        self._is_open = False
        self._is_refused = False  # the last `voice.start` was: audio may be behind it that nobody could hold back

    @property
    def may_come(self) -> bool:
        """Whether audio may come: behind `voice.start`, until `voice.end`, whatever has been heard by then."""
        return self._is_open or self._is_refused

    def start(self, request_id: str, body: dict[str, Json], key: str | None) -> Reply:
        """The acknowledgement. Raises `DomainError` and `pydantic.ValidationError`."""
        self._is_refused = not self._is_open
        reply = self._start(request_id, body, key)
        self._is_refused = False
        return reply

    def _start(self, request_id: str, body: dict[str, Json], key: str | None) -> Reply:
        self._desk.check_hearing()
        if self._utterance is not None:
            raise Conflict("An utterance is under way. End it with voice.end first.", code="voice_running")
        if (body.get("format"), body.get("rate")) != (AUDIO_FORMAT, AUDIO_RATE) or type(body["rate"]) is not int:
            raise Invalid(
                f"Send 16-bit little-endian samples of one channel, as format {AUDIO_FORMAT} and rate {AUDIO_RATE}.",
                code="voice_format",
            )
        fields = VoiceFields.model_validate({name: body[name] for name in body.keys() - {"format", "rate"}})
        message = {"channel": "voice", **fields.model_dump(exclude_defaults=True)}
        place = ExitStack()
        place.enter_context(self._desk.speaker())
        live = LiveTranscription(self._desk.ears, language=fields.language)
        utterance = self._utterance = _Utterance(request_id, message, key, live)
        utterance.task = asyncio.create_task(self._listen(utterance), name="voice")
        # Not within the task: one that is cancelled before it began runs nothing.
        utterance.task.add_done_callback(lambda _: place.close())
        self._is_open, self._ended = True, None
        return _reply({"type": "ack", "requestId": request_id})

    def hear(self, pcm: bytes) -> None:
        """What was under way when an utterance was refused or had ended is dropped. Raises `Invalid`."""
        if self._utterance is None:
            return
        try:
            self._utterance.live.feed(pcm)
        except SpeechError as error:
            raise Invalid(error.detail, code=error.code) from None

    def end(self, request_id: str) -> Reply | None:
        """The answer where there is one already; else it comes once the last words are understood.

        Raises `Conflict`."""
        self._is_refused = False
        if not self._is_open:
            raise Conflict("No utterance was begun. Begin one with voice.start.", code="voice_not_started")
        self._is_open = False
        if self._utterance is None:
            assert self._ended is not None
            members = msgspec.json.decode(self._ended.sse)
            return _reply({**members, "requestId": request_id})
        self._utterance.asked = request_id
        self._utterance.live.finish()
        return None

    async def aclose(self) -> None:
        """The socket is gone: what was being said is forgotten."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None and utterance.task is not None:
            if not utterance.is_posting:
                utterance.task.cancel()
            await asyncio.gather(utterance.task, return_exceptions=True)

    async def _listen(self, utterance: _Utterance) -> None:
        too_long = asyncio.get_running_loop().call_later(OPEN_SECONDS_MAX, utterance.live.finish)
        try:
            answer = await self._understood(utterance)
        except Exception as error:
            answer = _error(utterance.request_id, _problem(error))
        finally:
            too_long.cancel()
        self._utterance, self._ended = None, answer
        if utterance.asked is not None:
            answer = _reply({**msgspec.json.decode(answer.sse), "requestId": utterance.asked})
            self._show(answer)
        elif msgspec.json.decode(answer.sse)["type"] == "error":
            self._show(answer)

    async def _understood(self, utterance: _Utterance) -> Reply:
        """What `voice.end` is answered with: the ids of the message, or none where nothing was said."""
        final: VoiceFinal | None = None
        async with aclosing(utterance.live.events()) as events:
            async for event in events:
                if isinstance(event, VoicePartial):
                    self._show_frame("voice.partial", utterance, {"text": event.text, "stable": event.stable})
                else:
                    final = event
        assert final is not None, "an utterance ends with its final text"
        about: dict[str, Json] = {
            "text": final.text.strip(),
            "seconds": round(final.seconds, 2),
            "reason": final.reason,
        }
        try:
            accepted = await self._posted(utterance, final.text.strip())
            about |= {name: accepted[name] for name in ("messageId", "replyId", "conversationId") if name in accepted}
        finally:
            self._show_frame("voice.final", utterance, about)
        return _reply({"type": "ack", "requestId": utterance.request_id, **accepted})

    async def _posted(self, utterance: _Utterance, text: str) -> dict[str, Json]:
        if not text:
            return {"status": "nothing_heard"}
        utterance.is_posting = True
        answer = await self._post({**utterance.message, "text": text}, utterance.key)
        accepted: dict[str, Json] = msgspec.json.decode(answer)
        return accepted

    def _show_frame(self, name: str, utterance: _Utterance, data: dict[str, Json]) -> None:
        members = {"type": name, "requestId": utterance.request_id, **data}
        self._show(_reply({"event": name, "id": None, "data": members}))


def _problem(error: Exception) -> Problem:
    if isinstance(error, SpeechError):
        kind = Unavailable if error.retryable else Invalid
        return problem_of(kind(error.detail, code=error.code, retry_after_seconds=error.retry_after_seconds))
    problem = problem_of(error)
    if problem.status >= 500 and not isinstance(error, DomainError):
        logger.error("request failed", exc_info=error)
    return problem


def _error(request_id: str, problem: Problem) -> Reply:
    return _reply({**msgspec.json.decode(problem.body()), "type": "error", "requestId": request_id})


def _reply(members: dict[str, Json]) -> Reply:
    return Reply(_encode(members))
