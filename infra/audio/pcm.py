"""Plain samples: signed 16 bits, little-endian, one channel; and WAV, the container that holds such samples.

Levels are computed without numpy, which only the extra `voice` brings: 20 ms of speech take 20 µs.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array

from infra.audio.facts import WALK_STEPS_MAX, AudioError, malformed

SAMPLE_BYTES = 2
SILENCE_DBFS = -100.0
_FULL_SCALE = 32_768.0

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_FORMATS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _A_LAW: (8,), _MU_LAW: (8,)}
_CHANNELS_MAX = 8
_RATE_MIN, _RATE_MAX = 4_000, 192_000


def level_dbfs(pcm: bytes) -> float:
    """Root mean square of samples in decibels below full scale: 0 at most, `SILENCE_DBFS` for digital silence."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 10.0 * math.log10(energy / len(samples) / _FULL_SCALE**2))


def wav_of(pcm: bytes, *, rate: int) -> bytes:
    """A WAV file of one channel; `rate` in samples a second."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16),
        *(_PCM, 1, rate, rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES),
        *(b"data", len(pcm)),
    )
    return head + pcm


def wav_seconds(data: bytes) -> float:
    """How long a WAV file lasts. Raises `AudioError`; a header that claims more than is there is damage."""
    if len(data) < 12 or struct.unpack_from("<I", data, 4)[0] + 8 > len(data):
        raise malformed("it is shorter than its header says")
    bytes_a_second: int | None = None
    place = 12
    for _ in range(WALK_STEPS_MAX):
        if place + 8 > len(data):
            break
        name, size = struct.unpack_from("<4sI", data, place)
        place += 8
        if place + size > len(data):
            raise malformed("a part of it is shorter than its header says")
        if name == b"fmt ":
            bytes_a_second = _bytes_a_second(data[place : place + size])
        elif name == b"data":
            if bytes_a_second is None:
                raise malformed("its samples come before their format")
            if not size:
                raise AudioError("empty_audio", "The audio file holds no sound.")
            return float(size) / bytes_a_second
        place += size + size % 2
    raise malformed("it holds no samples")


def _bytes_a_second(form: bytes) -> int:
    if len(form) < 16:
        raise malformed("its format is cut off")
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = struct.unpack_from("<H", form, 24)[0]
    if tag not in _FORMATS:
        raise AudioError("unsupported_audio", "This WAV file is compressed in a way that is not taken.")
    if not 1 <= channels <= _CHANNELS_MAX or not _RATE_MIN <= rate <= _RATE_MAX or bits not in _FORMATS[tag]:
        raise malformed("its channels, rate or sample size make no sense")
    if block != channels * bits // 8:
        raise malformed("its block size makes no sense")
    return int(rate * block)
