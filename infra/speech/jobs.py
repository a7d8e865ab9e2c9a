"""What goes over the pipe between a process of ours and its child that holds the local engines: frames of a length
in four bytes and MessagePack. Both sides import this, so it imports nothing heavy.
"""

from __future__ import annotations

import struct

import msgspec

FRAME_BYTES_MAX = 64 * 1024 * 1024
HEAD_BYTES = 4

# What ffmpeg calls the containers that `infra.audio` takes. A decoder that is told the format guesses nothing, so no
# file can pass for a playlist that names other files.
DEMUXERS = {
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/webm": "matroska",
    "audio/mpeg": "mp3",
    "audio/mp4": "mov",
    "audio/flac": "flac",
}


class TranscribeJob(msgspec.Struct, frozen=True, kw_only=True, tag="transcribe"):
    """`model` is a folder, "" for the one in the wheel; `language` "" is not known."""

    model: str
    audio: bytes
    demuxer: str
    language: str
    seconds_max: int
    cpu_seconds_max: int


class SpeakJob(msgspec.Struct, frozen=True, kw_only=True, tag="speak"):
    """`model` is a file, "" for that of the voice; `voice` "" is the one in the wheel."""

    model: str
    voice: str
    text: str
    cpu_seconds_max: int


class Transcribed(msgspec.Struct, frozen=True, kw_only=True, tag="transcribed"):
    text: str
    language: str
    seconds: float


class Spoken(msgspec.Struct, frozen=True, kw_only=True, tag="spoken"):
    wav: bytes


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """`code` as `domain.ports.SpeechError` has it."""

    code: str
    detail: str


Job = TranscribeJob | SpeakJob
Result = Transcribed | Spoken | Failed

_encoder = msgspec.msgpack.Encoder()
_jobs: msgspec.msgpack.Decoder[Job] = msgspec.msgpack.Decoder(Job)
_results: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)


def framed(value: Job | Result) -> bytes:
    body = _encoder.encode(value)
    return struct.pack(">I", len(body)) + body


def length_of(head: bytes) -> int:
    """Raises `ValueError` for a frame that is too long: the other side is out of step."""
    length = int.from_bytes(head, "big")
    if length > FRAME_BYTES_MAX:
        raise ValueError("a frame that is too long")
    return length


def job_of(body: bytes) -> Job:
    return _jobs.decode(body)


def result_of(body: bytes) -> Result:
    return _results.decode(body)
