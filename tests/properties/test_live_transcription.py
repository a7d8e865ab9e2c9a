"""Whatever is said, cut up in whatever way, to a recogniser that says whatever it likes: what a reader may rely on."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.speech.agreement import Agreement
from infra.speech.live import UTTERANCE_SECONDS_MAX, LiveTranscription, Utterance, VoiceEvent, VoiceFinal, VoicePartial
from tests.support.scripted_speech import ScriptedSpeechToText, broken
from tests.support.sounds import RATE, noise, silence, tone

WORDS = st.sampled_from(["send", "the", "The", "budget", "budget.", "report,", "…", "to", "John"])
TRANSCRIPTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=12)

# Half a second each; made once, since a sound takes longer to make than to hear.
SOUNDS = {"voice": tone(0.5), "quiet": silence(0.5), "noise": noise(0.5), "whisper": tone(0.5, -60.0)}
SCENES = st.lists(st.sampled_from(sorted(SOUNDS)), max_size=16)


@given(TRANSCRIPTS)
def test_the_stable_text_only_grows_and_every_partial_begins_with_it(transcripts: list[str]) -> None:
    agreement = Agreement()
    partials = [agreement.take(transcript) for transcript in transcripts]
    assert all(partial.text.startswith(partial.stable) for partial in partials)
    assert all(later.stable.startswith(earlier.stable) for earlier, later in pairwise(partials))


@given(TRANSCRIPTS)
def test_a_partial_has_as_many_words_as_its_pass_or_those_that_were_stable(transcripts: list[str]) -> None:
    agreement = Agreement()
    stable_before = 0
    for transcript in transcripts:
        partial = agreement.take(transcript)
        assert len(partial.text.split()) == max(len(transcript.split()), stable_before)
        stable_before = len(partial.stable.split())


def cut(pcm: bytes, sizes: list[int]) -> list[bytes]:
    """The same samples in pieces of these sizes, over and over."""
    pieces, place = [], 0
    while place < len(pcm):
        size = 2 * sizes[len(pieces) % len(sizes)]
        pieces.append(pcm[place : place + size])
        place += size
    return pieces


@settings(deadline=None, max_examples=40)
@given(scene=SCENES, sizes=st.lists(st.integers(1, 4_000), min_size=1, max_size=4))
def test_how_the_samples_are_cut_up_changes_nothing(scene: list[str], sizes: list[int]) -> None:
    pcm = b"".join(SOUNDS[name] for name in scene)
    whole, pieces = Utterance(), Utterance()
    whole.hear(pcm)
    for piece in cut(pcm, [max(size, 50) for size in sizes]):
        pieces.hear(piece)
    assert (whole.audio, whole.ended, whole.began) == (pieces.audio, pieces.ended, pieces.began)
    assert whole.speech_end == pieces.speech_end
    for utterance in (whole, pieces):
        utterance.end()
    assert whole.audio == pieces.audio


@settings(deadline=None, max_examples=60)
@given(
    scene=SCENES,
    script=st.lists(st.lists(WORDS, max_size=6).map(" ".join), min_size=1, max_size=6),
    fails=st.sets(st.integers(1, 6)),
    breaths=st.integers(0, 6),
)
def test_partials_then_exactly_one_final_whatever_happens(
    scene: list[str], script: list[str], fails: set[int], breaths: int
) -> None:
    last_call = [0]

    def say(number: int, _seconds: float) -> str:
        last_call[0] = number
        if number in fails and number < 6:
            raise broken("unavailable", retryable=True)
        return script[number % len(script)]

    engine = ScriptedSpeechToText(say)
    events, failed = asyncio.run(run(engine, [SOUNDS[name] for name in scene], breaths))
    partials = [event for event in events if isinstance(event, VoicePartial)]
    assert all(later.stable.startswith(earlier.stable) for earlier, later in pairwise(partials))
    assert all(partial.text.startswith(partial.stable) for partial in partials)
    assert all(seconds <= UTTERANCE_SECONDS_MAX for seconds in engine.asked)
    assert all(later >= earlier for earlier, later in pairwise(engine.asked))
    if failed:
        assert last_call[0] in fails, "only the last pass may fail the whole"
        assert not any(isinstance(event, VoiceFinal) for event in events)
    else:
        assert [isinstance(event, VoiceFinal) for event in events] == [False] * len(partials) + [True]


async def run(engine: ScriptedSpeechToText, sounds: list[bytes], breaths: int) -> tuple[list[VoiceEvent], bool]:
    """Half a second at a time, with so many turns of the loop between; the events, and whether it failed."""
    live = LiveTranscription(engine)
    events: list[VoiceEvent] = []

    async def read() -> None:
        async for event in live.events():
            events.append(event)

    reader = asyncio.create_task(read())
    for sound in sounds:
        live.feed(sound)
        for _ in range(breaths):
            await asyncio.sleep(0)
    live.finish()
    failed = (await asyncio.gather(reader, return_exceptions=True))[0] is not None
    return events, failed


@settings(deadline=None, max_examples=20)
@given(scene=st.lists(st.sampled_from(sorted(SOUNDS)), min_size=1, max_size=6), times=st.integers(1, 40))
def test_memory_is_bounded_by_a_minute(scene: list[str], times: int) -> None:
    utterance = Utterance()
    for _ in range(times):
        for name in scene:
            utterance.hear(SOUNDS[name])
            assert len(utterance.audio) <= UTTERANCE_SECONDS_MAX * RATE * 2
