"""The ports of speech, a part of domain/ports.py: import them from there. Their engines are in infra/speech/.

Nothing here knows HTTP, processes or audio formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from domain.errors import EngineError


@dataclass(frozen=True, slots=True)
class Transcript:
    """`language` as BCP 47, as heard or as asked for, "" when neither is known; `seconds` of audio, None when nobody
    could tell. Silence has the text ""."""

    text: str
    language: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Audio:
    """A whole file, with the media type of its container."""

    data: bytes
    media_type: str


class SpeechError(EngineError):
    """A speech engine failed. Codes: `off`, `language`, `bad_audio`, `too_long`, `timeout`, `rate_limited`, `quota`,
    `refused`, `unavailable`, `bad_answer`."""


class SpeechToText(Protocol):
    """Raises `SpeechError`. What the audio is was checked before (infra/audio); it is decoded here."""

    @property
    def name(self) -> str: ...

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        """The words in a whole file. `language` as BCP 47 (`en`, `en-US`); None lets the engine find out."""
        ...

    async def check(self) -> str | None:
        """None when the engine can be used, else one line that says what is wrong."""
        ...

    async def aclose(self) -> None: ...


class TextToSpeech(Protocol):
    """Raises `SpeechError`."""

    @property
    def name(self) -> str: ...

    async def speak(self, text: str, language: str | None = None) -> Audio:
        """The text read aloud, as one file. Text without anything to say has the code `refused`."""
        ...

    async def check(self) -> str | None:
        """None when the engine can be used, else one line that says what is wrong."""
        ...

    async def aclose(self) -> None: ...
