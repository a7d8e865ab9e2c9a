"""Bounds of what audio comes in, what is found out about it, and the one error that refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AUDIO_BYTES_MAX = 25 * 1024 * 1024
AUDIO_SECONDS_MAX = 600
WALK_STEPS_MAX = 200_000  # pages, chunks, elements of one file: ten minutes have far fewer, a hostile file has not

AudioErrorCode = Literal[
    "empty_audio",  # 400
    "malformed_audio",  # 400
    "audio_too_long",  # 400
    "audio_too_large",  # 413
    "unsupported_audio",  # 415
]


class AudioError(Exception):
    """A file that is not taken. `detail` is one sentence for the person who sent it."""

    def __init__(self, code: AudioErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """`seconds` is None where the container does not say: whoever decodes it must count."""

    media_type: str
    seconds: float | None


def malformed(what: str) -> AudioError:
    return AudioError("malformed_audio", f"The audio file is damaged: {what}.")


def too_long() -> AudioError:
    return AudioError("audio_too_long", f"Audio may last at most {AUDIO_SECONDS_MAX} seconds.")
