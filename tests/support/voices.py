"""Engines of speech that write the words into the sound and read them out again, for whatever wires them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from domain.ports import Audio, SpeechError, Transcript
from infra.audio.pcm import wav_seconds
from tests.support.fake_speech import heard, spoken


class Ears:
    """A `SpeechToText` for what `spoken` makes; of a WAV it says what `live` has for so many seconds.

    `gate` holds every call while it is closed, `failures` are raised first; `asked` counts the calls that came.
    """

    name = "scripted ears"

    def __init__(self, live: Callable[[float], str] = lambda seconds: "") -> None:
        self.live = live
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: deque[SpeechError] = deque()
        self.asked = 0
        self.languages: list[str | None] = []

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        self.asked += 1
        self.languages.append(language)
        await self.gate.wait()
        if self.failures:
            raise self.failures.popleft()
        if media_type == "audio/wav":
            return Transcript(self.live(wav_seconds(audio)), language or "en", wav_seconds(audio))
        return Transcript(heard(audio), language or "en", None)

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        pass


class Voice:
    """A `TextToSpeech`. `said` are the texts with their languages."""

    name = "scripted voice"

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None]] = []
        self.failures: deque[SpeechError] = deque()

    async def speak(self, text: str, language: str | None = None) -> Audio:
        self.said.append((text, language))
        if self.failures:
            raise self.failures.popleft()
        return Audio(spoken(text), "audio/mpeg")

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        pass


def form(file: bytes | None, *, boundary: str = "bOuNdArY", name: str = "a.mp3", **fields: str) -> tuple[bytes, str]:
    """A multipart body and its Content-Type."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    body = "".join(parts).encode()
    if file is not None:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body += head.encode() + b"Content-Type: audio/mpeg\r\n\r\n" + file + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
