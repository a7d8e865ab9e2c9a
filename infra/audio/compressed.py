"""MP3, M4A and FLAC: their structure, as far as it tells how long they last.

M4A and FLAC may not say, or lie: whoever decodes them counts as well.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from infra.audio.facts import AUDIO_SECONDS_MAX, WALK_STEPS_MAX, AudioError, malformed, too_long

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KILOBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_LAYER_3 = 1
_TAGS_BEHIND = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")

_BOXES_ENTERED = frozenset({b"moov", b"trak", b"mdia"})
_TIMES_UNKNOWN = (0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


# --- MP3


def is_mp3(data: bytes) -> bool:
    """Whether it begins with a tag or with two frames one after the other: a single one occurs in any noise."""
    if data[:3] == b"ID3":
        return True
    first = _frame(data, 0)
    return first is not None and _frame(data, first[0]) is not None


def mp3_seconds(data: bytes) -> float:
    """Raises `AudioError`. Walks every frame: the rate may change, and headers for the whole are no more than hints."""
    place = _after_id3(data)
    seconds, frames = 0.0, 0
    while (frame := _frame(data, place)) is not None:
        length, lasts = frame
        seconds += lasts
        frames += 1
        place += length
        if seconds > AUDIO_SECONDS_MAX:
            raise too_long()
    if frames < 2:
        raise malformed("it holds no MP3 frames")
    rest = data[place:]
    if rest.strip(b"\0") and not rest.startswith(_TAGS_BEHIND):
        raise malformed("there is something else between its frames")
    return seconds


def without_id3(data: bytes) -> bytes:
    """The frames alone. Raises `AudioError` for a tag that is cut off."""
    return data[_after_id3(data) :]


def _after_id3(data: bytes) -> int:
    if data[:3] != b"ID3":
        return 0
    if len(data) < 10 or any(byte & 0x80 for byte in data[6:10]):
        raise malformed("its tag is cut off")
    size = data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]
    return 10 + size + (10 if data[5] & 0x10 else 0)


def _frame(data: bytes, place: int) -> tuple[int, float] | None:
    """Length in bytes and in seconds of the frame at `place`; None where there is none."""
    if place + 4 > len(data) or data[place] != 0xFF or data[place + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[place + 1] >> 3 & 3, data[place + 1] >> 1 & 3
    bit_rate, rate = data[place + 2] >> 4, data[place + 2] >> 2 & 3
    if version == 1 or layer != _LAYER_3 or bit_rate in (0, 15) or rate == 3:
        return None
    samples_a_second = _RATES[version][rate]
    kilobits = (_KILOBITS_1 if version == 3 else _KILOBITS_2)[bit_rate - 1]
    samples = 1_152 if version == 3 else 576
    return samples // 8 * kilobits * 1_000 // samples_a_second + (data[place + 2] >> 1 & 1), samples / samples_a_second


# --- M4A


def mp4_seconds(data: bytes) -> float | None:
    """Raises `AudioError`. None for the fragments that browsers record: their header is written before the sound."""
    seconds: float | None = None
    handlers: list[bytes] = []
    names: set[bytes] = set()
    for name, body in _boxes(data):
        names.add(name)
        if name == b"hdlr":
            handlers.append(body[8:12])
        elif name in (b"mdhd", b"mvhd"):
            lasts = _box_seconds(body)
            seconds = seconds if lasts is None else max(lasts, seconds or 0.0)
    if b"vide" in handlers:
        raise AudioError("unsupported_audio", "M4A files may hold sound only.")
    if b"soun" not in handlers or b"mdat" not in names:
        raise malformed("it holds no sound")
    return seconds


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and the first bytes of each box; those that hold boxes that matter are walked through."""
    place = 0
    for _ in range(WALK_STEPS_MAX):
        if place == len(data):
            return
        if place + 8 > len(data):
            raise malformed("a box is cut off")
        size, name = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1 and place + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, place + 8)[0], 16
        elif size == 0:
            size = len(data) - place
        if size < head or place + size > len(data):
            raise malformed("a box is cut off")
        if name in _BOXES_ENTERED:
            place += head
            continue
        yield name, data[place + head : place + min(size, 64)]
        place += size
    raise malformed("it has too many boxes")


def _box_seconds(body: bytes) -> float | None:
    form = ">IQ" if body[:1] == b"\1" else ">II"
    place = 20 if body[:1] == b"\1" else 12
    if len(body) < place + struct.calcsize(form):
        raise malformed("a box is cut off")
    units_a_second, units = struct.unpack_from(form, body, place)
    if not units_a_second:
        raise malformed("its time has no unit")
    return None if units in _TIMES_UNKNOWN else float(units) / units_a_second


# --- FLAC


def flac_seconds(data: bytes) -> float | None:
    """Raises `AudioError`. None where whoever wrote it did not know its length yet."""
    if len(data) < 42 or data[4] & 0x7F or data[5:8] != b"\0\0\x22":
        raise malformed("its first block is not the one about the stream")
    packed = int.from_bytes(data[18:26], "big")
    samples_a_second, samples = packed >> 44, packed & 0xFFFFFFFFF
    if not samples_a_second:
        raise malformed("its rate is zero")
    place = 4
    for _ in range(WALK_STEPS_MAX):
        if place + 4 > len(data):
            break
        last, size = data[place] & 0x80, int.from_bytes(data[place + 1 : place + 4], "big")
        place += 4 + size
        if last:
            if data[place : place + 1] != b"\xff" or data[place + 1 : place + 2] not in (b"\xf8", b"\xf9"):
                break
            return samples / samples_a_second if samples else None
    raise malformed("it holds no frames")
