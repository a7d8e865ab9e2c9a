"""A recogniser that says what a script has for so much audio, for tests of what drives recognisers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from domain.ports import SpeechError, Transcript
from infra.audio.pcm import wav_seconds

Script = Callable[[int, float], str]


class ScriptedSpeechToText:
    """A `SpeechToText`. `script(number of the call from 1, seconds of audio)` gives the text, or raises.

    `gate`, where it is set, holds every call until it is opened; `asked` gets the seconds of each call.
    """

    name = "scripted"

    def __init__(self, script: Script, *, gate: asyncio.Event | None = None) -> None:
        self._script = script
        self._gate = gate
        self.asked: list[float] = []
        self.languages: set[str | None] = set()
        self.under_way = 0

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        assert media_type == "audio/wav"
        assert not self.under_way, "one pass at a time"
        seconds = wav_seconds(audio)
        self.asked.append(seconds)
        self.languages.add(language)
        number = len(self.asked)
        self.under_way += 1
        try:
            await asyncio.sleep(0)
            if self._gate is not None:
                await self._gate.wait()
            return Transcript(self._script(number, seconds), language or "en", seconds)
        finally:
            self.under_way -= 1

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        pass


def broken(code: str, *, retryable: bool) -> SpeechError:
    return SpeechError(code, "as the script has it", retryable=retryable)
