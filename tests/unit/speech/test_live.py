"""One utterance, transcribed as it is spoken, by a recogniser that follows a script."""

from __future__ import annotations

import asyncio

import pytest

from domain.ports import SpeechError
from infra.speech.endpointing import FRAME_BYTES
from infra.speech.live import LiveTranscription, Utterance, VoiceEvent, VoiceFinal, VoicePartial
from tests.support.scripted_speech import ScriptedSpeechToText, broken
from tests.support.sounds import RATE, silence, tone

pytestmark = pytest.mark.anyio

WORDS = ["send", "the", "budget", "report", "to", "the", "finance", "team", "before", "friday"]
SECOND = 2 * RATE


def words_so_far(_number: int, seconds: float) -> str:
    """Two words a second, as fast as the tone is meant to speak."""
    return " ".join(WORDS[: int(seconds * 2)])


async def spoken(live: LiveTranscription, pcm: bytes, *, finish: bool) -> list[VoiceEvent]:
    """The events when the samples come in 20 ms frames, each heard before the next one is sent."""
    events: list[VoiceEvent] = []

    async def read() -> None:
        async for event in live.events():
            events.append(event)

    reader = asyncio.create_task(read())
    for place in range(0, len(pcm), FRAME_BYTES):
        live.feed(pcm[place : place + FRAME_BYTES])
        for _ in range(5):
            await asyncio.sleep(0)
    if finish:
        live.finish()
    await reader
    return events


async def test_partials_grow_and_the_final_text_is_of_the_whole_utterance() -> None:
    engine = ScriptedSpeechToText(words_so_far)
    *partials, final = await spoken(LiveTranscription(engine), tone(4), finish=True)
    assert isinstance(final, VoiceFinal)
    assert (final.text, final.reason) == (" ".join(WORDS[:8]), "asked")
    assert final.seconds == pytest.approx(4.0)
    assert len(partials) >= 5
    assert all(isinstance(partial, VoicePartial) and partial.text.startswith(partial.stable) for partial in partials)


async def test_passes_come_every_six_tenths_of_a_second_and_rarer_as_the_utterance_grows() -> None:
    engine = ScriptedSpeechToText(words_so_far)
    await spoken(LiveTranscription(engine), tone(58), finish=True)
    steps = [later - earlier for earlier, later in zip(engine.asked, engine.asked[1:-1], strict=False)]
    assert all(step >= 0.599 for step in steps)
    assert steps[0] == pytest.approx(0.6, abs=0.03)
    assert steps[-1] == pytest.approx(5.5, abs=1.0)
    assert sum(engine.asked) < 58 * 15, "a minute costs no more than a quarter of an hour"


async def test_silence_after_speech_ends_it_and_the_last_pass_that_heard_all_is_not_repeated() -> None:
    engine = ScriptedSpeechToText(words_so_far)
    live = LiveTranscription(engine)
    *_, final = await spoken(live, tone(2) + silence(3), finish=False)
    assert isinstance(final, VoiceFinal)
    assert final.reason == "silence"
    assert final.seconds == pytest.approx(2.8, abs=0.1)
    assert engine.asked[-1] < final.seconds, "the pass in the pause had heard every word"
    assert live.feed(tone(0.1)) is False


async def test_without_a_pass_in_the_pause_there_is_a_last_one() -> None:
    engine = ScriptedSpeechToText(words_so_far)
    live = LiveTranscription(engine)
    live.feed(tone(1) + silence(3))
    events = [event async for event in live.events()]
    assert engine.asked == [pytest.approx(1.8, abs=0.1)]
    assert [type(event) for event in events] == [VoiceFinal]


async def test_an_utterance_ends_at_a_minute() -> None:
    engine = ScriptedSpeechToText(lambda number, _: str(number))
    *_, final = await spoken(LiveTranscription(engine), tone(61), finish=False)
    assert isinstance(final, VoiceFinal)
    assert final.reason == "full"
    assert final.seconds == pytest.approx(60.0, abs=0.03)


async def test_nothing_said_is_an_empty_text_and_costs_no_pass() -> None:
    engine = ScriptedSpeechToText(words_so_far)
    live = LiveTranscription(engine)
    live.finish()
    assert [event async for event in live.events()] == [VoiceFinal("", 0.0, "asked")]
    assert engine.asked == []


async def test_a_whisper_that_never_was_loud_is_transcribed_when_the_speaker_says_that_it_was_all() -> None:
    engine = ScriptedSpeechToText(lambda _, __: "a secret")
    *_, final = await spoken(LiveTranscription(engine), tone(2, -60.0), finish=True)
    assert isinstance(final, VoiceFinal)
    assert final.text == "a secret"
    assert engine.asked == [pytest.approx(2.0)]


async def test_the_language_is_handed_on() -> None:
    engine = ScriptedSpeechToText(words_so_far)
    await spoken(LiveTranscription(engine, language="en-GB"), tone(1), finish=True)
    assert engine.languages == {"en-GB"}


async def test_a_partial_pass_that_fails_in_passing_is_left_out() -> None:
    def fails_at_the_second(number: int, seconds: float) -> str:
        if number == 2:
            raise broken("unavailable", retryable=True)
        return words_so_far(number, seconds)

    *partials, final = await spoken(LiveTranscription(ScriptedSpeechToText(fails_at_the_second)), tone(3), finish=True)
    assert partials
    assert isinstance(final, VoiceFinal)
    assert final.text == " ".join(WORDS[:6])


async def test_a_failure_that_no_other_try_can_help_ends_it_at_once() -> None:
    def refuses(_number: int, _seconds: float) -> str:
        raise broken("language", retryable=False)

    engine = ScriptedSpeechToText(refuses)
    with pytest.raises(SpeechError) as caught:
        await asyncio.wait_for(spoken(LiveTranscription(engine), tone(3), finish=False), 30)
    assert caught.value.code == "language"
    assert len(engine.asked) == 1


async def test_when_the_last_pass_fails_there_is_no_final_text() -> None:
    def fails(_number: int, _seconds: float) -> str:
        raise broken("timeout", retryable=True)

    with pytest.raises(SpeechError, match="script"):
        await spoken(LiveTranscription(ScriptedSpeechToText(fails)), tone(1), finish=True)


async def test_while_a_pass_is_slow_the_samples_are_kept_and_the_next_pass_has_them_all() -> None:
    gate = asyncio.Event()
    engine = ScriptedSpeechToText(words_so_far, gate=gate)
    live = LiveTranscription(engine)
    reader = asyncio.create_task(anext(live.events()))
    live.feed(tone(1))
    while not engine.asked:
        await asyncio.sleep(0)
    live.feed(tone(1))
    gate.set()
    assert isinstance(await reader, VoicePartial)
    assert engine.asked == [pytest.approx(1.0)]
    live.finish()
    *_, final = [event async for event in live.events()]
    assert isinstance(final, VoiceFinal)
    assert final.seconds == pytest.approx(2.0)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(SpeechError) as caught:
        Utterance().hear(b"\0\0\0")
    assert caught.value.code == "bad_audio"


def test_listening_for_hours_keeps_ten_seconds() -> None:
    utterance = Utterance()
    for _ in range(100):
        utterance.hear(silence(1))
    assert len(utterance.audio) <= 10 * SECOND
    utterance.hear(tone(1))
    assert utterance.began
    assert len(utterance.audio) <= 2 * SECOND
