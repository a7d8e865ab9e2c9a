"""Voice: a recording is accepted, becomes a message or fails, and an answer was spoken. Knows no audio."""

from __future__ import annotations

from dataclasses import dataclass, replace

from commands.context import CommandContext
from commands.messages import PostMessage, check_rate, check_text, message_events
from domain import limits
from domain.brain import Brain
from domain.errors import Conflict, Invalid, NotFound, TooMany
from domain.events import BrainEvent, MessageReceived, SpeechMade, VoiceJobEnded, VoiceJobStarted, VoiceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class StartVoiceJob:
    """`job_id` is the caller's to choose, as the audio has to be stored under it before the job can be promised."""

    job_id: str
    media_type: str
    bytes: int
    speak: bool
    request: VoiceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class EndVoiceJob:
    """Either the message that its words became, or the `code` of why there is none."""

    job_id: str
    message: PostMessage | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSpeech:
    """The reply was read aloud."""

    reply_id: str
    media_type: str
    bytes: int
    expires_at_ms: int


def start_voice_job(command: StartVoiceJob, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Refused as its message would be now: what has been accepted is not turned away once it is understood."""
    check_rate(brain, context)
    running = sum(job.status == "running" for job in brain.voice_jobs.values())
    if running >= limits.VOICE_JOBS_RUNNING_MAX:
        raise TooMany(
            f"{limits.VOICE_JOBS_RUNNING_MAX} recordings already wait for their transcript. Wait for one to end.",
            code="voice_jobs_running",
            retry_after_seconds=5,
        )
    if command.request.session_id is not None and command.request.session_id not in brain.sessions:
        raise NotFound("There is no such session. Open one with POST /api/v1/sessions.", code="session_unknown")
    return [
        VoiceJobStarted(
            job_id=command.job_id,
            media_type=command.media_type,
            bytes=command.bytes,
            speak=command.speak,
            content=command.request,
        )
    ]


def end_voice_job(command: EndVoiceJob, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """The message and the job's end at once. Raises what the message is refused for, which may then be its `code`."""
    job = brain.voice_jobs.get(command.job_id)
    if job is None or job.status != "running":
        raise Conflict("This recording has been dealt with.", code="voice_job_over")
    if command.message is None:
        return [VoiceJobEnded(job_id=command.job_id, status="failed", code=command.code)]
    message = command.message
    if not message.text.strip():
        raise Invalid("Nothing was said.", code="nothing_heard")
    check_text(message.text)
    if message.session_id not in brain.sessions:
        message = replace(message, session_id=None)  # it was closed meanwhile
    events = message_events(message, brain, context)
    received = next(event for event in events if isinstance(event, MessageReceived))
    return [*events, VoiceJobEnded(job_id=command.job_id, status="completed", message_id=received.message_id)]


def keep_speech(command: KeepSpeech, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Refused once the reply is gone: deleted with its conversation, or so old that nobody waits for it."""
    if command.reply_id not in brain.replies:
        raise NotFound("There is no such message.", code="message_unknown")
    return [
        SpeechMade(
            reply_id=command.reply_id,
            media_type=command.media_type,
            bytes=command.bytes,
            expires_at_ms=command.expires_at_ms,
        )
    ]
