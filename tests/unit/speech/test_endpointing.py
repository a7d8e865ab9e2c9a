"""Where speech begins and ends, by energy alone, on sounds made for the purpose."""

from __future__ import annotations

import pytest

from infra.speech.endpointing import FRAME_BYTES, FRAME_SECONDS, Endpointer
from tests.support.sounds import noise, silence, tone


def frames(pcm: bytes) -> list[bytes]:
    return [pcm[i : i + FRAME_BYTES] for i in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)]


def heard(*sounds: bytes) -> Endpointer:
    endpointer = Endpointer()
    for frame in frames(b"".join(sounds)):
        endpointer.hear(frame)
    return endpointer


def mixed(left: bytes, right: bytes) -> bytes:
    from array import array

    pairs = zip(array("h", left), array("h", right), strict=True)
    return array("h", (max(-32_768, min(32_767, a + b)) for a, b in pairs)).tobytes()


@pytest.mark.parametrize("dbfs", [-70.0, -50.0, -40.0, -30.0, -20.0, -10.0])
def test_steady_noise_of_any_level_is_no_speech(dbfs: float) -> None:
    assert not heard(noise(10, dbfs)).began


def test_digital_silence_is_no_speech() -> None:
    assert not heard(silence(5)).began


@pytest.mark.parametrize("noise_dbfs", [-80.0, -60.0, -45.0, -35.0])
def test_a_voice_over_noise_begins_and_ends(noise_dbfs: float) -> None:
    quiet = noise(1, noise_dbfs, seed=2)
    spoken = mixed(tone(2, -15.0), noise(2, noise_dbfs, seed=3))
    assert heard(quiet, spoken).began
    assert heard(quiet, spoken).silent_frames * FRAME_SECONDS < 0.3
    after = heard(quiet, spoken, noise(1, noise_dbfs, seed=4))
    assert 0.9 <= after.silent_frames * FRAME_SECONDS <= 1.2


def test_a_voice_from_the_first_sample_on_is_heard() -> None:
    assert heard(tone(1, -18.0)).began


def test_a_click_is_no_speech() -> None:
    assert not heard(silence(1), tone(0.06, -6.0), silence(1), tone(0.06, -6.0), silence(1)).began


def test_the_pauses_between_words_are_short_of_an_end() -> None:
    words = b"".join(tone(0.4, -16.0) + silence(0.3) for _ in range(5))
    endpointer = Endpointer()
    longest = 0
    for frame in frames(silence(0.5) + words):
        endpointer.hear(frame)
        if endpointer.began:
            longest = max(longest, endpointer.silent_frames)
    assert longest * FRAME_SECONDS <= 0.6
