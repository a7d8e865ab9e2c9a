"""No speech: what stands there until an operator chooses an engine. It refuses, and says which setting to set."""

from __future__ import annotations

from domain.ports import Audio, SpeechError, Transcript
from infra.settings import PREFIX

CHOICES = "local (extra `voice`), openai or workers_ai"


class NoSpeechToText:
    """A `SpeechToText` that is off."""

    name = "none"

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        raise _off("Speech to text", "STT_PROVIDER")

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        pass


class NoTextToSpeech:
    """A `TextToSpeech` that is off."""

    name = "none"

    async def speak(self, text: str, language: str | None = None) -> Audio:
        raise _off("Text to speech", "TTS_PROVIDER")

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        pass


def _off(what: str, variable: str) -> SpeechError:
    return SpeechError("off", f"{what} is off: set {PREFIX}{variable} to {CHOICES}.", retryable=False)
