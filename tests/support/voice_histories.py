"""Commands about speech for random streams: see histories.py, which draws their kinds."""

from __future__ import annotations

import random
from typing import Protocol

from commands.decide import Command
from commands.messages import PostMessage
from commands.voice import EndVoiceJob, KeepSpeech, StartVoiceJob
from domain.brain import Brain
from domain.events import Fact, VoiceRequest


class Stream(Protocol):
    @property
    def brain(self) -> Brain: ...

    @property
    def facts(self) -> list[Fact]: ...

    @property
    def now_ms(self) -> int: ...


def voice_command(stream: Stream, kind: str, choose: random.Random) -> Command | None:
    """A recording, its end, or an answer that was read aloud; None for any other kind."""
    number = len(stream.facts)
    jobs, replies = list(stream.brain.voice_jobs), list(stream.brain.replies)
    match kind:
        case "record":
            request = VoiceRequest(language="en", url=f"https://files.example/{number}")
            return StartVoiceJob(
                job_id=f"v_{number:032x}", media_type="", bytes=0, speak=choose.random() < 0.5, request=request
            )
        case "transcribe" if jobs:
            text = choose.choice(["", f"spoken {number}"])
            message = PostMessage(channel="voice", text=text, conversation_id="a", conversation_ref="c_a", speak=True)
            given = {"code": "bad_audio"} if choose.random() < 0.3 else {"message": message}
            return EndVoiceJob(job_id=choose.choice(jobs), **given)  # type: ignore[arg-type]
        case "speak" if replies:
            reply_id, until_ms = choose.choice(replies), stream.now_ms + 3_600_000
            return KeepSpeech(reply_id=reply_id, media_type="audio/mpeg", bytes=9, expires_at_ms=until_ms)
    return None
