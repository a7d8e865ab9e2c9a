"""Opus in Ogg and in WebM: the length of what it decodes to, summed over its packets.

A packet's first bytes say how much sound it holds, so ten hours of silence in a hundred kilobytes are seen before
anybody decodes them, whatever the container claims.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from infra.audio.facts import AUDIO_SECONDS_MAX, WALK_STEPS_MAX, AudioError, malformed, too_long

RATE = 48_000  # Opus counts in these samples a second, whatever it was made from
_SAMPLES_MAX = AUDIO_SECONDS_MAX * RATE
_PACKET_SAMPLES_MAX = RATE * 120 // 1000

_SILK = (480, 960, 1_920, 2_880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)

_EBML = 0x1A45DFA3
_DOC_TYPE = 0x4282
_SEGMENT, _CLUSTER, _BLOCK_GROUP, _TRACKS, _TRACK_ENTRY = 0x18538067, 0x1F43B675, 0xA0, 0x1654AE6B, 0xAE
_ENTERED = frozenset({_EBML, _SEGMENT, _CLUSTER, _BLOCK_GROUP, _TRACKS, _TRACK_ENTRY})
_TRACK_TYPE, _CODEC_ID, _ENCODINGS = 0x83, 0x86, 0x6D80
_SIMPLE_BLOCK, _BLOCK = 0xA3, 0xA1
_AUDIO_TRACK = b"\x02"


def packet_samples(head: bytes) -> int:
    """How many samples a packet decodes to, by its first two bytes. Raises `AudioError`."""
    if not head:
        raise malformed("a packet is empty")
    config, code = head[0] >> 3, head[0] & 3
    frame = _SILK[config & 3] if config < 12 else _HYBRID[config & 1] if config < 16 else _CELT[config & 3]
    frames = (1, 2, 2)[code] if code < 3 else head[1] & 63 if len(head) > 1 else 0
    if not 0 < frames * frame <= _PACKET_SAMPLES_MAX:
        raise malformed("a packet has an impossible length")
    return frames * frame


def ogg_seconds(data: bytes) -> float:
    """Raises `AudioError`. One stream of Opus, not chained, not multiplexed."""
    packets = _ogg_packets(data)
    if data[28 : 28 + 8] != b"OpusHead":
        raise AudioError("unsupported_audio", "Of Ogg files only those with Opus are taken.")
    next(packets, None)
    if next(packets, None) != b"Op":
        raise malformed("its comment header is missing")
    return _seconds(packets)


def webm_seconds(data: bytes) -> float:
    """Raises `AudioError`. One track of Opus, as browsers record it."""
    return _seconds(_webm_packets(data))


def _seconds(packets: Iterator[bytes]) -> float:
    samples = 0
    for head in packets:
        samples += packet_samples(head)
        if samples > _SAMPLES_MAX:
            raise too_long()
    if not samples:
        raise AudioError("empty_audio", "The audio file holds no sound.")
    return samples / RATE


def _ogg_packets(data: bytes) -> Iterator[bytes]:
    """The first two bytes of each packet."""
    serial = data[14:18]
    place, head, begins = 0, b"", True
    for _ in range(WALK_STEPS_MAX):
        if place == len(data):
            if not begins:
                raise malformed("its last packet is cut off")
            return
        if data[place : place + 5] != b"OggS\0" or place + 27 > len(data) or data[place + 14 : place + 18] != serial:
            raise malformed("it is not one unbroken stream of pages")
        sizes = data[place + 27 : place + 27 + data[place + 26]]
        body = place + 27 + data[place + 26]
        place = body + sum(sizes)
        if place > len(data):
            raise malformed("its last page is cut off")
        for size in sizes:
            if begins:
                head = data[body : body + min(size, 2)]
            body += size
            begins = size < 255
            if begins:
                yield head
    raise malformed("it has too many pages")


def _webm_packets(data: bytes) -> Iterator[bytes]:
    """The first two bytes of each packet of the one audio track."""
    doc_type, codec = b"", b""
    for name, body in _webm_elements(data):
        if name == _DOC_TYPE:
            doc_type = body
        elif name == _TRACK_TYPE and body != _AUDIO_TRACK:
            raise AudioError("unsupported_audio", "WebM files may hold sound only.")
        elif name == _CODEC_ID:
            if codec:
                raise AudioError("unsupported_audio", "WebM files may hold one track only.")
            codec = body
        elif name == _ENCODINGS:
            raise AudioError("unsupported_audio", "This WebM file is compressed or encrypted once more.")
        elif name in (_SIMPLE_BLOCK, _BLOCK):
            if doc_type.rstrip(b"\0") not in (b"webm", b"matroska") or codec.rstrip(b"\0") != b"A_OPUS":
                raise AudioError("unsupported_audio", "Of WebM files only those with Opus are taken.")
            yield _packet_head(body)


def _packet_head(block: bytes) -> bytes:
    """Of a block: track number, two bytes of time, flags, then the packet."""
    _, place = _number(block, 0, keep_marker=False)
    if place + 3 > len(block):
        raise malformed("a block is cut off")
    if block[place + 2] & 0x06:
        raise AudioError("unsupported_audio", "This WebM file packs several packets into a block.")
    return block[place + 3 : place + 5]


def _webm_elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Name and the first bytes of each element that holds no others that matter; those that do are walked through."""
    place = 0
    for _ in range(WALK_STEPS_MAX):
        if place == len(data):
            return
        name, place = _number(data, place, keep_marker=True)
        size, place = _number(data, place, keep_marker=False)
        if name in _ENTERED:
            continue  # Its elements follow; recorders that cannot go back leave its size open.
        if size is None or name is None or place + size > len(data):
            raise malformed("an element is cut off")
        yield name, data[place : place + min(size, 64)]
        place += size
    raise malformed("it has too many elements")


def _number(data: bytes, place: int, *, keep_marker: bool) -> tuple[int | None, int]:
    """A number of variable length and the place after it; None where all its bits are set, which means unknown."""
    first = data[place] if place < len(data) else 0
    length = 9 - first.bit_length()
    if not first or place + length > len(data):
        raise malformed("a number in it is cut off")
    number: int = struct.unpack(">Q", data[place : place + length].rjust(8, b"\0"))[0]
    bits = 7 * length
    if keep_marker:
        return number, place + length
    value = number & ((1 << bits) - 1)
    return (None if value == (1 << bits) - 1 else value), place + length
