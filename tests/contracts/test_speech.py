"""What every pair of ear and voice does, whoever they are: the local engines, OpenAI's interface and Workers AI's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from domain.ports import SpeechError, SpeechToText, TextToSpeech
from infra.audio import inspect
from infra.speech.local import STT_PACKAGES, TTS_PACKAGES, LocalSpeechToText, LocalTextToSpeech, missing
from infra.speech.openai import OpenAISpeechToText, OpenAITextToSpeech
from infra.speech.reading import SPOKEN_CHARACTERS_MAX
from infra.speech.workers_ai import TTS_MODEL, WorkersAISpeechToText, WorkersAITextToSpeech
from tests.support.fake_speech import ACCOUNT, KEY, fake_speech

pytestmark = pytest.mark.anyio

NOT_INSTALLED = missing((*STT_PACKAGES, *TTS_PACKAGES))

SENTENCES = (
    "Your first meeting today is with the design team.",
    "After that you have lunch with Anna in the garden.",
    "The train to the airport leaves in the afternoon.",
    "Please remember to bring your passport and the tickets.",
    "Your mother called and asked about the weekend.",
    "The weather will be cold and a little windy tomorrow.",
)


@dataclass(frozen=True, slots=True)
class Subject:
    ear: SpeechToText
    voice: TextToSpeech


Open = Callable[[], AbstractAsyncContextManager[Subject]]


@asynccontextmanager
async def closing(ear: SpeechToText, voice: TextToSpeech) -> AsyncIterator[Subject]:
    yield Subject(ear, voice)
    await ear.aclose()
    await voice.aclose()


def on_this_machine() -> AbstractAsyncContextManager[Subject]:
    return closing(LocalSpeechToText(), LocalTextToSpeech())


@asynccontextmanager
async def over_openai() -> AsyncIterator[Subject]:
    async with fake_speech() as server:
        url = f"{server.url}/v1"
        async with closing(
            OpenAISpeechToText(base_url=url, api_key=KEY), OpenAITextToSpeech(base_url=url, api_key=KEY)
        ) as subject:
            yield subject


def over_workers_ai(*, gateway: str = "", model: str = TTS_MODEL) -> Open:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Subject]:
        async with fake_speech() as server:
            ear = WorkersAISpeechToText(account_id=ACCOUNT, api_token=KEY, gateway=gateway, base_url=server.url)
            voice = WorkersAITextToSpeech(
                account_id=ACCOUNT, api_token=KEY, gateway=gateway, model=model, base_url=server.url
            )
            async with closing(ear, voice) as subject:
                yield subject

    return opened


needs_extra = [pytest.mark.voice, pytest.mark.skipif(NOT_INSTALLED is not None, reason=str(NOT_INSTALLED))]
IMPLEMENTATIONS = [
    pytest.param(on_this_machine, id="local", marks=needs_extra),
    pytest.param(over_openai, id="openai"),
    pytest.param(over_workers_ai(), id="workers_ai"),
    pytest.param(over_workers_ai(model="@cf/myshell-ai/melotts"), id="workers_ai, sound in JSON"),
    pytest.param(over_workers_ai(gateway="gateway-1"), id="workers_ai through a gateway"),
]


@pytest.fixture(params=IMPLEMENTATIONS)
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with request.param() as opened:
        yield opened


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


async def test_what_is_read_aloud_is_heard_again(subject: Subject) -> None:
    text = "Send the budget report to the finance team before Friday."
    audio = await subject.voice.speak(text)
    transcript = await subject.ear.transcribe(audio.data, audio.media_type)
    assert words(transcript.text) == words(text)
    assert transcript.text == transcript.text.strip()
    assert transcript.seconds is None or transcript.seconds > 0


async def test_a_reading_is_a_file_of_the_kind_that_it_says(subject: Subject) -> None:
    audio = await subject.voice.speak("Good morning.", "en-US")
    info = inspect(audio.data)
    assert info.media_type == audio.media_type


async def test_a_long_text_is_read_in_one_file(subject: Subject) -> None:
    audio = await subject.voice.speak(" ".join(SENTENCES))
    transcript = await subject.ear.transcribe(audio.data, audio.media_type, "en-US")
    assert [words(sentence)[-1] for sentence in SENTENCES if words(sentence)[-1] not in words(transcript.text)] == []
    assert transcript.language in ("en", "en-US")


async def test_calls_at_once_do_not_mix(subject: Subject) -> None:
    texts = ["Call John tomorrow.", "Buy milk and bread.", "Book the train to Boston.", "Water the plants."]
    sounds = await asyncio.gather(*(subject.voice.speak(text) for text in texts))
    transcripts = await asyncio.gather(*(subject.ear.transcribe(s.data, s.media_type, "en") for s in sounds))
    assert [words(transcript.text)[-1] for transcript in transcripts] == [words(text)[-1] for text in texts]


@pytest.mark.parametrize("text", ["", " \n", "…", "🎉 — 🎉"])
async def test_a_text_without_anything_to_say_is_refused(subject: Subject, text: str) -> None:
    with pytest.raises(SpeechError) as caught:
        await subject.voice.speak(text)
    assert (caught.value.code, caught.value.retryable) == ("refused", False)


async def test_a_text_that_nobody_would_listen_to_is_too_long(subject: Subject) -> None:
    with pytest.raises(SpeechError) as caught:
        await subject.voice.speak("a " * (SPOKEN_CHARACTERS_MAX // 2 + 1))
    assert (caught.value.code, caught.value.retryable) == ("too_long", False)


@pytest.mark.parametrize("data", [b"", b"\0" * 1_000, b"#EXTM3U\nfile:///etc/passwd\n", b"\xff\xfb\x90"])
async def test_what_is_no_audio_is_not_worth_another_try(subject: Subject, data: bytes) -> None:
    with pytest.raises(SpeechError) as caught:
        await subject.ear.transcribe(data, "audio/mpeg", "en")
    assert caught.value.code in ("bad_audio", "refused")
    assert not caught.value.retryable


async def test_a_cancelled_call_leaves_the_engine_of_use(subject: Subject) -> None:
    calls = [asyncio.create_task(subject.voice.speak(f"Sentence number {n} is dropped.")) for n in range(3)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    assert all(isinstance(e, asyncio.CancelledError) for e in await asyncio.gather(*calls, return_exceptions=True))
    audio = await subject.voice.speak("This one is heard.")
    assert words((await subject.ear.transcribe(audio.data, audio.media_type)).text) == ["this", "one", "is", "heard"]


async def test_it_has_a_name_and_can_be_checked_and_closed_twice(subject: Subject) -> None:
    for engine in (subject.ear, subject.voice):
        assert engine.name
        assert await engine.check() is None
        await engine.aclose()
        await engine.aclose()
