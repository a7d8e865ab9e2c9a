"""Facts about speech: a recording that is to become a message, and answers that were spoken.

The audio itself is never part of a fact. The rules of domain/events.py hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from domain.values import Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRequest:
    """Where the recording is to be fetched from (None: it was uploaded), and what its message is to be.

    `conversation_id` None means the main conversation; `language` as BCP 47, None where the engine finds out.
    """

    url: str | None = None
    language: str | None = None
    conversation_id: str | None = None
    session_id: str | None = None
    client_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceJobStarted:
    """A recording was accepted. `media_type` and `bytes` are "" and 0 where it has still to be fetched from a URL."""

    job_id: str
    media_type: str
    bytes: int
    speak: bool = False
    content: VoiceRequest | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceJobEnded:
    """Its audio is needed no more. `message_id` is the message that its words became; `code` says why it failed."""

    job_id: str
    status: Literal["completed", "failed"]
    message_id: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechMade:
    """The reply can be listened to until `expires_at_ms`."""

    reply_id: str
    media_type: str
    bytes: int
    expires_at_ms: int
