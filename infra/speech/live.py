"""Live transcription of one utterance: samples go in as they are spoken, partial texts and one final text come out.

The growing utterance is transcribed again whenever enough was added; time is counted in samples, so the same samples
give the same passes. It must not know sockets: whoever owns one feeds it, and begins a new one for what is said next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal

from domain.ports import SpeechError, SpeechToText
from infra.audio.pcm import SAMPLE_BYTES, wav_of
from infra.speech.agreement import Agreement, Partial
from infra.speech.endpointing import FRAME_BYTES, FRAME_SECONDS, RATE, Endpointer

UTTERANCE_SECONDS_MAX = 60.0
SILENCE_SECONDS = 0.8  # after speech, this ends the utterance
PASS_SECONDS = 0.6
PASS_SHARE = 0.1  # but at least this share of the utterance is new, or a minute would be transcribed a hundred times
BEFORE_SPEECH_SECONDS = 0.5  # kept from before the first loud frames: soft consonants
WAITING_SECONDS = 10.0  # kept while nothing loud was heard; whoever whispers and says voice.end is heard
AFTER_SPEECH_SECONDS = 0.2  # a pass that reached this far behind the last loud frame has heard all of it
SHORTEST_SECONDS = 0.1

EndReason = Literal["silence", "asked", "full"]


@dataclass(frozen=True, slots=True)
class VoicePartial:
    """`text` begins with `stable`, which no later partial takes back; the final text may, having heard it all."""

    text: str
    stable: str


@dataclass(frozen=True, slots=True)
class VoiceFinal:
    """`text` is "" when nothing was said; `seconds` of audio that it was made from."""

    text: str
    seconds: float
    reason: EndReason


VoiceEvent = VoicePartial | VoiceFinal


class Utterance:
    """The audio of one utterance and why it ended. Holds at most `UTTERANCE_SECONDS_MAX`."""

    def __init__(self, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self.audio = bytearray()
        self.ended: EndReason | None = None
        self._endpointer = Endpointer()
        self._silence_frames = round(silence_seconds / FRAME_SECONDS)
        self._speech_end = 0
        self._rest = b""  # less than a frame

    @property
    def began(self) -> bool:
        return self._endpointer.began

    @property
    def speech_end(self) -> int:
        """Bytes of `audio` up to the end of the last loud frame."""
        return self._speech_end

    def hear(self, pcm: bytes) -> None:
        """Samples of any length. Those behind the end are dropped. Raises `SpeechError` for half a sample."""
        if len(pcm) % SAMPLE_BYTES:
            raise SpeechError("bad_audio", "Send whole samples of 16 bits.", retryable=False)
        data = self._rest + pcm
        place = 0
        while self.ended is None and place + FRAME_BYTES <= len(data):
            self._hear_frame(data[place : place + FRAME_BYTES])
            place += FRAME_BYTES
        self._rest = b"" if self.ended else data[place:]

    def end(self) -> None:
        """The speaker says that this was all."""
        if self.ended is None:
            self.audio += self._rest
            self._rest = b""
            self._speech_end = len(self.audio)
            self.ended = "asked"

    def _hear_frame(self, frame: bytes) -> None:
        began_before = self.began
        self._endpointer.hear(frame)
        self.audio += frame
        if not self.began:
            _keep_last(self.audio, WAITING_SECONDS)
            return
        if not began_before:
            # The frames that were loud enough to begin lie within the window that is kept.
            _keep_last(self.audio, BEFORE_SPEECH_SECONDS)
        silent = self._endpointer.silent_frames
        if not silent:
            self._speech_end = len(self.audio)
        if silent >= self._silence_frames:
            self.ended = "silence"
        elif len(self.audio) + FRAME_BYTES > _bytes_of(UTTERANCE_SECONDS_MAX):
            self.ended = "full"


class LiveTranscription:
    """`feed` and `finish` are called by whoever hears, while somebody reads `events` to its end."""

    def __init__(
        self, engine: SpeechToText, *, language: str | None = None, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self._engine = engine
        self._language = language
        self._utterance = Utterance(silence_seconds=silence_seconds)
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Nothing that is fed from now on is heard."""
        return self._utterance.ended is not None

    def feed(self, pcm: bytes) -> bool:
        """Samples of 16 kHz, 16 bits, one channel. False once the utterance has ended: begin a new one.

        Raises `SpeechError` for half a sample.
        """
        self._utterance.hear(pcm)
        self._changed.set()
        return not self.ended

    def finish(self) -> None:
        """The speaker says that this was all."""
        self._utterance.end()
        self._changed.set()

    async def events(self) -> AsyncGenerator[VoiceEvent, None]:
        """Partials as they change, then one `VoiceFinal`. Raises `SpeechError`; a partial pass that fails in passing
        is left out."""
        utterance, agreement = self._utterance, Agreement()
        tried = heard = 0  # bytes of audio in the last pass, and in the last one that came to a text
        text, last = "", Partial("", "")
        while await self._pass_is_due(tried):
            tried = len(utterance.audio)
            try:
                text = await self._transcribe(bytes(utterance.audio))
            except SpeechError as error:
                if not error.retryable:
                    raise
                continue
            heard = tried
            partial = agreement.take(text)
            if partial != last:
                last = partial
                yield VoicePartial(partial.text, partial.stable)
        if not heard or heard < _end_of_sound(utterance):
            text = await self._transcribe(bytes(utterance.audio))
        assert utterance.ended is not None
        yield VoiceFinal(text, _seconds_of(utterance.audio), utterance.ended)

    async def _pass_is_due(self, tried: int) -> bool:
        """Waits until there is enough that no pass has heard; False once the utterance has ended."""
        while not self.ended:
            length = len(self._utterance.audio)
            if self._utterance.began and length - tried >= max(_bytes_of(PASS_SECONDS), length * PASS_SHARE):
                return True
            self._changed.clear()
            await self._changed.wait()
        return False

    async def _transcribe(self, pcm: bytes) -> str:
        if len(pcm) < _bytes_of(SHORTEST_SECONDS):
            return ""
        transcript = await self._engine.transcribe(wav_of(pcm, rate=RATE), "audio/wav", self._language)
        return transcript.text


def _end_of_sound(utterance: Utterance) -> int:
    return min(utterance.speech_end + _bytes_of(AFTER_SPEECH_SECONDS), len(utterance.audio))


def _keep_last(audio: bytearray, seconds: float) -> None:
    del audio[: max(0, len(audio) - _bytes_of(seconds))]


def _bytes_of(seconds: float) -> int:
    return round(seconds * RATE) * SAMPLE_BYTES


def _seconds_of(audio: bytearray) -> float:
    return len(audio) / SAMPLE_BYTES / RATE
