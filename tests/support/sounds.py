"""Sounds and audio files for tests, made byte by byte from the formats' descriptions: no encoder is needed, and every
field can be made to lie.
"""

from __future__ import annotations

import io
import math
import random
import struct
import wave
from array import array
from collections.abc import Sequence

RATE = 16_000


# --- samples


def tone(seconds: float, dbfs: float = -12.0, *, hertz: float = 220.0, rate: int = RATE) -> bytes:
    """A sine whose level swells and fades four times a second, as syllables do."""
    peak = 32_767 * 10 ** (dbfs / 20) * math.sqrt(2)
    count = round(seconds * rate)
    swell = [0.1 + 0.9 * math.sin(math.pi * 4 * i / rate) ** 2 for i in range(count)]
    wave_form = (swell[i] * peak * math.sin(2 * math.pi * hertz * i / rate) for i in range(count))
    return array("h", (max(-32_768, min(32_767, round(value))) for value in wave_form)).tobytes()


def noise(seconds: float, dbfs: float = -45.0, *, seed: int = 1) -> bytes:
    generator = random.Random(seed)
    scale = 32_767 * 10 ** (dbfs / 20)
    samples = (generator.gauss(0, scale) for _ in range(round(seconds * RATE)))
    return array("h", (max(-32_768, min(32_767, round(value))) for value in samples)).tobytes()


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


# --- containers


def wav(pcm: bytes, *, rate: int = RATE, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return file.getvalue()


def opus_packet(config: int = 15, code: int = 0, rest: bytes = b"\0\0") -> bytes:
    """Config 15 is hybrid with 20 ms a frame; `code` 3 takes its count of frames from the first byte of `rest`."""
    return bytes([config << 3 | code]) + rest


def ogg_page(packets: Sequence[bytes], *, serial: int = 7, number: int = 0, flags: int = 0) -> bytes:
    table = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, serial, number, 0, len(table))
    return head + table + b"".join(packets)


def ogg(packets: Sequence[bytes], *, a_page: int = 50) -> bytes:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
    pages = [ogg_page([head], flags=2), ogg_page([b"OpusTags" + bytes(8)], number=1)]
    groups = [packets[i : i + a_page] for i in range(0, len(packets), a_page)]
    return b"".join([*pages, *(ogg_page(group, number=2 + i) for i, group in enumerate(groups))])


def element(name: bytes, body: bytes, *, open_ended: bool = False) -> bytes:
    size = b"\x01" + b"\xff" * 7 if open_ended else struct.pack(">Q", len(body) | 1 << 56)
    return name + size + body


def webm(packets: Sequence[bytes], *, codec: bytes = b"A_OPUS", track_type: int = 2, flags: int = 0x80) -> bytes:
    """As a browser records it: nothing knows its size, no duration."""
    entry = element(b"\xd7", b"\1") + element(b"\x83", bytes([track_type])) + element(b"\x86", codec)
    tracks = element(b"\x16\x54\xae\x6b", element(b"\xae", entry))
    blocks = b"".join(element(b"\xa3", b"\x81\0\0" + bytes([flags]) + packet) for packet in packets)
    cluster = element(b"\x1f\x43\xb6\x75", element(b"\xe7", b"\0") + blocks, open_ended=True)
    head = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"webm"))
    return head + element(b"\x18\x53\x80\x67", tracks + cluster, open_ended=True)


def mp3_frame(payload: bytes = b"") -> bytes:
    """MPEG 1, layer III, 128 kbit/s, 44.1 kHz: 417 bytes, 1,152 samples."""
    return b"\xff\xfb\x90\x00" + payload.ljust(413, b"\0")


MP3_PAYLOAD_BYTES = 413


def mp3(frames: int = 40, *, tag: bytes = b"") -> bytes:
    head = b"ID3\4\0\0" + bytes([len(tag) >> 21 & 127, len(tag) >> 14 & 127, len(tag) >> 7 & 127, len(tag) & 127])
    return (head + tag if tag else b"") + mp3_frame() * frames


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def mp4(seconds: float, *, handler: bytes = b"soun", brand: bytes = b"M4A ") -> bytes:
    times = struct.pack(">IIIII", 0, 0, 0, 1_000, round(seconds * 1_000))
    media = box(b"mdia", box(b"mdhd", times + bytes(4)) + box(b"hdlr", bytes(8) + handler + bytes(13)))
    moov = box(b"moov", box(b"mvhd", times + bytes(80)) + box(b"trak", media))
    return box(b"ftyp", brand + bytes(4)) + moov + box(b"mdat", bytes(64))


def flac(samples: int, *, rate: int = 44_100) -> bytes:
    packed = (rate << 44 | 0 << 41 | 15 << 36 | samples).to_bytes(8, "big")
    info = bytes(10) + packed + bytes(16)
    return b"fLaC" + b"\x80\0\0\x22" + info + b"\xff\xf8" + bytes(32)
