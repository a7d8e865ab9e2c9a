"""Speech on this machine with the real engines of the extra `voice`: what is read aloud is understood, whole and live,
in every container that is taken; and a file that hurts the engine hurts nothing else.
"""

from __future__ import annotations

import asyncio
import io
import re
import signal
from collections.abc import AsyncIterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from domain.ports import Audio, SpeechError, Transcript
from infra.audio import AudioError, inspect
from infra.audio.pcm import wav_seconds
from infra.speech.jobs import DEMUXERS
from infra.speech.live import LiveTranscription, VoiceEvent, VoiceFinal, VoicePartial
from infra.speech.local import STT_PACKAGES, TTS_PACKAGES, LocalSpeechToText, LocalTextToSpeech, missing
from tests.support import sounds

NOT_INSTALLED = missing((*STT_PACKAGES, *TTS_PACKAGES))

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.voice,
    pytest.mark.timeout(300),
    pytest.mark.skipif(NOT_INSTALLED is not None, reason=str(NOT_INSTALLED)),
]

WORD_ERROR_RATE_MAX = 0.1
SENTENCES = (
    "Find me flights to Boston next week.",
    "Send the budget report to the finance team before Friday.",
    "Remind me to call John tomorrow afternoon.",
    "What is on my agenda today?",
    "Remember that my favorite airport is Kennedy.",
    "Move the meeting with the design team to Monday morning.",
    "Plan my day and keep the evening free for the family.",
    "Please summarize my week in a few sentences.",
)
# How each container is written by ffmpeg: format, codec, rate.
ENCODINGS = {
    "audio/wav": ("wav", "pcm_s16le", 16_000),
    "audio/ogg": ("ogg", "libopus", 48_000),
    "audio/webm": ("webm", "libopus", 48_000),
    "audio/mpeg": ("mp3", "libmp3lame", 44_100),
    "audio/mp4": ("ipod", "aac", 44_100),
    "audio/flac": ("flac", "flac", 44_100),
}


@pytest.fixture(scope="module")
async def ear() -> AsyncIterator[LocalSpeechToText]:
    engine = LocalSpeechToText()
    yield engine
    await engine.aclose()


@pytest.fixture(scope="module")
async def readings() -> list[Audio]:
    voice = LocalTextToSpeech()
    read = [await voice.speak(sentence) for sentence in SENTENCES]
    await voice.aclose()
    return read


class Watched:
    """An ear of which one sees when it is idle."""

    def __init__(self, ear: LocalSpeechToText) -> None:
        self._ear = ear
        self.name = ear.name
        self.idle = asyncio.Event()
        self.idle.set()

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        self.idle.clear()
        try:
            return await self._ear.transcribe(audio, media_type, language)
        finally:
            self.idle.set()

    async def check(self) -> str | None:
        return await self._ear.check()

    async def aclose(self) -> None:
        await self._ear.aclose()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def word_errors(said: str, heard: str) -> int:
    """Substituted, missing and added words: the edit distance."""
    row = list(range(len(words(heard)) + 1))
    for i, word in enumerate(words(said), 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(words(heard), 1):
            diagonal, row[j] = row[j], min(diagonal + (word != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def samples_16k(reading: Audio) -> bytes:
    """The reading as a microphone would send it: 16 kHz, 16 bits, one channel."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=sounds.RATE)
    with av.open(io.BytesIO(reading.data), format="wav") as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in [*frames, *resampler.resample(None)])


def encoded(reading: Audio, media_type: str) -> bytes:
    import av

    form, codec, rate = ENCODINGS[media_type]
    file = io.BytesIO()
    with av.open(io.BytesIO(reading.data), format="wav") as source, av.open(file, "w", format=form) as target:
        stream: Any = target.add_stream(codec, rate=rate)
        stream.layout = "mono"
        stream.time_base = Fraction(1, rate)
        for frame in source.decode(audio=0):
            for packet in stream.encode(frame):
                target.mux(packet)
        for packet in stream.encode(None):
            target.mux(packet)
    return file.getvalue()


def test_the_measure_counts_substituted_missing_and_added_words() -> None:
    assert word_errors("call John now", "Call John, now!") == 0
    assert word_errors("call John now", "call Jon now please") == 2
    assert word_errors("call John now", "") == 3


async def test_what_is_read_aloud_is_understood(
    ear: LocalSpeechToText, readings: list[Audio], record_property: Any
) -> None:
    heard = [(await ear.transcribe(reading.data, reading.media_type, "en-US")).text for reading in readings]
    errors = sum(word_errors(said, text) for said, text in zip(SENTENCES, heard, strict=True))
    rate = errors / sum(len(words(said)) for said in SENTENCES)
    record_property("word_error_rate", rate)
    print(f"word error rate {rate:.3f}")
    assert rate <= WORD_ERROR_RATE_MAX, heard


@pytest.mark.parametrize("media_type", ENCODINGS)
async def test_every_container_that_is_taken_is_recognised_measured_and_understood(
    ear: LocalSpeechToText, readings: list[Audio], media_type: str
) -> None:
    data = encoded(readings[1], media_type)
    info = inspect(data)
    assert info.media_type == media_type
    assert info.seconds == pytest.approx(wav_seconds(readings[1].data), abs=0.15)
    transcript = await ear.transcribe(data, info.media_type, "en")
    assert word_errors(SENTENCES[1], transcript.text) <= 1
    assert transcript.seconds == pytest.approx(info.seconds, abs=0.15)


def test_every_container_has_a_decoder() -> None:
    assert ENCODINGS.keys() == DEMUXERS.keys()


async def test_live_speech_gives_partials_and_a_final_text_that_is_understood(
    ear: LocalSpeechToText, readings: list[Audio]
) -> None:
    watched = Watched(ear)
    live = LiveTranscription(watched, language="en")
    events: list[VoiceEvent] = []

    async def read() -> None:
        async for event in live.events():
            events.append(event)

    reader = asyncio.create_task(read())
    pcm = sounds.noise(0.5, -60.0) + samples_16k(readings[1]) + sounds.noise(1.5, -60.0)
    # 0.7 s at a time, the next when the pass over it is done: a microphone gives the recogniser that time.
    step = 2 * 7 * sounds.RATE // 10
    for place in range(0, len(pcm), step):
        live.feed(pcm[place : place + step])
        for _ in range(5):
            await asyncio.sleep(0)
        await watched.idle.wait()
    assert live.ended
    await reader
    *partials, final = events
    assert isinstance(final, VoiceFinal)
    assert final.reason == "silence"
    assert word_errors(SENTENCES[1], final.text) <= 1
    assert len(partials) >= 2
    stable = [partial.stable for partial in partials if isinstance(partial, VoicePartial)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
    assert stable[-1], "two passes agreed on something"


async def test_silence_and_noise_say_nothing(ear: LocalSpeechToText) -> None:
    for pcm in (sounds.silence(5), sounds.noise(5, -40.0)):
        assert (await ear.transcribe(sounds.wav(pcm), "audio/wav", "en")).text == ""


async def test_another_language_than_english_is_refused_and_said_so(ear: LocalSpeechToText) -> None:
    with pytest.raises(SpeechError) as caught:
        await ear.transcribe(sounds.wav(sounds.tone(1)), "audio/wav", "de-DE")
    assert caught.value.code == "language"
    with pytest.raises(SpeechError) as caught:
        await LocalTextToSpeech().speak("Guten Morgen", "de")
    assert caught.value.code == "language"


async def test_a_voice_that_is_not_here_is_not_fetched() -> None:
    for name in ("emma", "nobody"):
        voice = LocalTextToSpeech(voice=name)
        with pytest.raises(SpeechError) as caught:
            await voice.speak("Good morning.")
        await voice.aclose()
        assert caught.value.code == "refused"


async def test_a_file_that_decodes_to_hours_is_left_in_time(ear: LocalSpeechToText) -> None:
    # Eleven minutes of silence whose header says that their length is unknown.
    silence = encoded(Audio(sounds.wav(sounds.silence(660)), "audio/wav"), "audio/flac")
    bomb = silence[:21] + bytes([silence[21] & 0xF0]) + bytes(4) + silence[26:]
    assert len(bomb) < 200_000
    assert inspect(bomb).seconds is None
    with pytest.raises(AudioError):
        inspect(silence)
    with pytest.raises(SpeechError) as caught:
        await ear.transcribe(bomb, "audio/flac", "en")
    assert (caught.value.code, caught.value.retryable) == ("too_long", False)


async def test_a_playlist_that_names_other_files_is_not_followed(ear: LocalSpeechToText, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(sounds.wav(sounds.tone(1)))
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    for media_type in DEMUXERS:
        with pytest.raises(SpeechError) as caught:
            await ear.transcribe(playlist, media_type, "en")
        assert caught.value.code == "bad_audio"


async def test_an_engine_that_dies_fails_its_job_alone_and_the_next_finds_a_new_one(readings: list[Audio]) -> None:
    engine = LocalSpeechToText()
    audio = readings[0]
    await engine.transcribe(audio.data, audio.media_type, "en")
    first = engine.process.pid
    assert first is not None
    job = asyncio.create_task(engine.transcribe(audio.data, audio.media_type, "en"))
    await asyncio.sleep(0)
    engine.process.send_signal(signal.SIGKILL)
    with pytest.raises(SpeechError) as caught:
        await job
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
    assert word_errors(SENTENCES[0], (await engine.transcribe(audio.data, audio.media_type, "en")).text) <= 1
    assert engine.process.pid not in (None, first)
    await engine.aclose()


async def test_a_job_that_takes_too_long_is_ended_with_its_process(readings: list[Audio]) -> None:
    engine = LocalSpeechToText(deadline_seconds=0.01)
    with pytest.raises(SpeechError) as caught:
        await engine.transcribe(readings[0].data, readings[0].media_type, "en")
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)
    assert engine.process.pid is None
    await engine.aclose()
