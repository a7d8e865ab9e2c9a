"""What an uploaded file is, told by its bytes: kinds, lengths, and everything that is refused."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.audio import AUDIO_BYTES_MAX, EXTENSIONS, AudioError, inspect, recognise
from infra.audio.pcm import SILENCE_DBFS, level_dbfs, wav_of
from tests.support import sounds

TEN_MINUTES_OF_PACKETS = 30_000  # of 20 ms

FILES = {
    "audio/wav": (sounds.wav(sounds.tone(1.5)), 1.5),
    "audio/ogg": (sounds.ogg([sounds.opus_packet()] * 75), 1.5),
    "audio/webm": (sounds.webm([sounds.opus_packet()] * 75), 1.5),
    "audio/mpeg": (sounds.mp3(100), 100 * 1_152 / 44_100),
    "audio/mp4": (sounds.mp4(1.5), 1.5),
    "audio/flac": (sounds.flac(66_150), 1.5),
}


def refusal(data: bytes) -> str:
    with pytest.raises(AudioError) as caught:
        inspect(data)
    assert caught.value.detail.endswith(".")
    return caught.value.code


def test_every_container_that_is_taken_has_a_file_here() -> None:
    assert FILES.keys() == EXTENSIONS.keys()


@pytest.mark.parametrize("media_type", FILES)
def test_a_file_is_known_by_its_bytes_and_its_length_is_read_from_it(media_type: str) -> None:
    data, seconds = FILES[media_type]
    info = inspect(data)
    assert info.media_type == media_type
    assert info.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("media_type", FILES)
def test_a_file_that_is_cut_off_anywhere_is_refused_and_never_crashes(media_type: str) -> None:
    data, seconds = FILES[media_type]
    for length in [*range(min(len(data), 400)), *range(400, len(data), 97)]:
        try:
            info = inspect(data[:length])
        except AudioError:
            continue
        # Frames and elements may end there; what is left is then a shorter file of the same kind.
        assert info.media_type == media_type
        assert info.seconds is None or info.seconds <= seconds + 0.1


@settings(deadline=None)
@given(
    media_type=st.sampled_from(sorted(FILES)), places=st.lists(st.integers(0, 2_000), min_size=1), seed=st.integers()
)
def test_changed_bytes_are_read_or_refused_and_nothing_else(media_type: str, places: list[int], seed: int) -> None:
    data = bytearray(FILES[media_type][0])
    generator = random.Random(seed)
    for place in places:
        data[place % len(data)] = generator.randrange(256)
    try:
        info = inspect(bytes(data))
    except AudioError:
        return
    assert info.seconds is None or 0 <= info.seconds <= 600


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\x02\x01\x01" + bytes(100),
        b"<!doctype html><title>x</title>",
        b"PK\3\4" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\xff\xfb",
        b"\xff\xfb\x90\x00" + b"one frame alone occurs in noise" * 20,
        sounds.mp4(1.0, brand=b"heic"),
        sounds.mp4(1.0, handler=b"vide"),
        sounds.webm([sounds.opus_packet()], codec=b"A_VORBIS"),
        sounds.webm([sounds.opus_packet()], track_type=1),
        sounds.webm([sounds.opus_packet()], flags=0x86),
        sounds.ogg_page([b"\x01vorbis" + bytes(30)], flags=2),
        sounds.wav(sounds.tone(0.1)).replace(b"\x01\x00\x01\x00", b"\x11\x00\x01\x00", 1),
    ],
)
def test_what_is_not_such_audio_is_not_supported(data: bytes) -> None:
    assert refusal(data) == "unsupported_audio"


def test_an_empty_file_and_one_without_sound_are_refused_as_empty() -> None:
    assert refusal(b"") == "empty_audio"
    assert refusal(sounds.wav(b"")) == "empty_audio"
    assert refusal(sounds.ogg([])) == "empty_audio"
    assert refusal(sounds.webm([])) == "empty_audio"


def test_one_byte_more_than_the_bound_is_too_large() -> None:
    assert refusal(bytes(AUDIO_BYTES_MAX + 1)) == "audio_too_large"
    assert refusal(bytes(AUDIO_BYTES_MAX)) == "unsupported_audio"


def test_a_header_that_claims_more_than_is_there_is_damage() -> None:
    honest = sounds.wav(sounds.tone(0.1))
    four_gigabytes = struct.pack("<I", 0xFFFFFFFF)
    assert refusal(honest[:4] + four_gigabytes + honest[8:]) == "malformed_audio"
    assert refusal(honest[:40] + four_gigabytes + honest[44:]) == "malformed_audio"


@pytest.mark.parametrize("place", [22, 24, 32, 34], ids=["channels", "rate", "block", "bits"])
def test_a_wav_header_with_a_zero_makes_no_sense(place: int) -> None:
    data = bytearray(sounds.wav(sounds.tone(0.1)))
    data[place : place + (4 if place == 24 else 2)] = bytes(4 if place == 24 else 2)
    assert refusal(bytes(data)) == "malformed_audio"


@pytest.mark.parametrize(
    ("exact", "more"),
    [
        (sounds.wav(bytes(600 * 8_000), rate=4_000), sounds.wav(bytes(600 * 8_000 + 2), rate=4_000)),
        (
            sounds.ogg([sounds.opus_packet()] * TEN_MINUTES_OF_PACKETS),
            sounds.ogg([sounds.opus_packet()] * (TEN_MINUTES_OF_PACKETS + 1)),
        ),
        (
            sounds.webm([sounds.opus_packet()] * TEN_MINUTES_OF_PACKETS),
            sounds.webm([sounds.opus_packet()] * (TEN_MINUTES_OF_PACKETS + 1)),
        ),
        (sounds.mp3(600 * 44_100 // 1_152), sounds.mp3(600 * 44_100 // 1_152 + 1)),
        (sounds.mp4(600), sounds.mp4(600.001)),
        (sounds.flac(600 * 44_100), sounds.flac(600 * 44_100 + 1)),
    ],
    ids=list(FILES),
)
def test_ten_minutes_are_taken_and_a_moment_more_is_not(exact: bytes, more: bytes) -> None:
    assert inspect(exact).media_type
    assert refusal(more) == "audio_too_long"


def test_ten_hours_of_silence_in_a_few_kilobytes_are_seen_without_decoding() -> None:
    bomb = sounds.ogg([sounds.opus_packet(config=3, code=3, rest=b"\x02\0")] * 6_000, a_page=255)
    assert len(bomb) < 100_000
    assert refusal(bomb) == "audio_too_long"


@pytest.mark.parametrize(
    "packet", [b"\x7b", sounds.opus_packet(code=3, rest=b"\0"), sounds.opus_packet(config=3, code=3, rest=b"\x03")]
)
def test_an_impossible_packet_is_damage(packet: bytes) -> None:
    assert refusal(sounds.ogg([packet])) == "malformed_audio"
    assert refusal(sounds.webm([packet])) == "malformed_audio"


@pytest.mark.parametrize(
    "hostile",
    [
        sounds.ogg_page([b"OpusHead" + bytes(11)], flags=2) + sounds.ogg_page([]) * 900_000,
        sounds.webm([]) + b"\xec\x80" * 12_000_000,
        sounds.mp4(1.0) + sounds.box(b"free", b"") * 3_000_000,
        b"fLaC" + sounds.flac(1)[4:42].replace(b"\x80\0\0\x22", b"\0\0\0\x22") + b"\1\0\0\0" * 6_000_000,
    ],
    ids=["pages", "elements", "boxes", "blocks"],
)
def test_millions_of_empty_parts_are_not_walked(hostile: bytes) -> None:
    assert len(hostile) <= AUDIO_BYTES_MAX
    assert refusal(hostile) == "malformed_audio"


def test_streams_beside_each_other_are_refused() -> None:
    assert refusal(sounds.ogg([sounds.opus_packet()]) + sounds.ogg_page([b"\0"], serial=8)) == "malformed_audio"


def test_a_length_that_a_recorder_could_not_know_is_unknown() -> None:
    assert inspect(sounds.mp4(0)).seconds is None
    assert inspect(sounds.flac(0)).seconds is None


def test_tags_around_mp3_frames_are_passed_over() -> None:
    data = sounds.mp3(40, tag=b"\xff\xfb\x90\x00" * 100) + b"TAG" + bytes(125)
    assert inspect(data).seconds == pytest.approx(40 * 1_152 / 44_100)
    assert refusal(sounds.mp3(40) + b"<script>" + bytes(500)) == "malformed_audio"


def test_a_page_behind_the_sound_of_a_wav_file_does_not_change_what_it_is() -> None:
    info = inspect(sounds.wav(sounds.tone(1.0)) + b"<html><script>alert(1)</script>")
    assert (info.media_type, info.seconds) == ("audio/wav", 1.0)


def test_the_wav_that_is_written_is_the_one_that_the_standard_library_writes() -> None:
    pcm = sounds.tone(0.3)
    assert wav_of(pcm, rate=16_000) == sounds.wav(pcm)
    assert recognise(wav_of(b"", rate=16_000)) == "audio/wav"


def test_levels_are_in_decibels_below_full_scale() -> None:
    square = struct.pack("<2h", 32_767, -32_767) * 160
    assert level_dbfs(square) == pytest.approx(0.0, abs=0.01)
    assert level_dbfs(struct.pack("<2h", 3_277, -3_277) * 160) == pytest.approx(-20.0, abs=0.01)
    assert level_dbfs(bytes(640)) == SILENCE_DBFS
    assert level_dbfs(struct.pack("<h", 1) * 320) == pytest.approx(20 * math.log10(1 / 32_768), abs=0.01)
