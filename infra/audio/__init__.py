"""What an audio file is, told from its bytes alone: which container, how long, and whether it may come in.

facts.py    bounds, errors, what is found out      pcm.py         WAV, and plain samples
opus.py     Ogg and WebM with Opus inside          compressed.py  MP3, M4A, FLAC

Nothing here decodes, or trusts a name or a declared type. Standard library only, so that every process may import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.audio.compressed import flac_seconds, is_mp3, mp3_seconds, mp4_seconds
from infra.audio.facts import AUDIO_BYTES_MAX, AUDIO_SECONDS_MAX, AudioError, AudioInfo
from infra.audio.opus import ogg_seconds, webm_seconds
from infra.audio.pcm import wav_seconds

__all__ = ["AUDIO_BYTES_MAX", "AUDIO_SECONDS_MAX", "EXTENSIONS", "AudioError", "AudioInfo", "inspect", "recognise"]

# Names for services that tell a container by its file name; the keys are all that is taken.
EXTENSIONS: Mapping[str, str] = {
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/webm": "webm",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/flac": "flac",
}

_SECONDS: Mapping[str, Callable[[bytes], float | None]] = {
    "audio/wav": wav_seconds,
    "audio/ogg": ogg_seconds,
    "audio/webm": webm_seconds,
    "audio/mpeg": mp3_seconds,
    "audio/mp4": mp4_seconds,
    "audio/flac": flac_seconds,
}

_MP4_BRANDS = frozenset({b"M4A ", b"M4B ", b"mp41", b"mp42", b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"dash"})


def recognise(data: bytes) -> str | None:
    """The media type of the container that the first bytes announce; None for anything that is not taken."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    if data[:4] == b"OggS":
        return "audio/ogg"
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return "audio/webm"
    if data[:4] == b"fLaC":
        return "audio/flac"
    if data[4:8] == b"ftyp" and data[8:12] in _MP4_BRANDS:
        return "audio/mp4"
    return "audio/mpeg" if is_mp3(data) else None


def inspect(data: bytes) -> AudioInfo:
    """What a file is, once its structure was walked to the end. Raises `AudioError`.

    Takes up to half a second of CPU for the worst file of 25 MiB: call it in a thread.
    """
    if not data:
        raise AudioError("empty_audio", "The audio file is empty.")
    if len(data) > AUDIO_BYTES_MAX:
        raise AudioError("audio_too_large", f"Audio may have at most {AUDIO_BYTES_MAX} bytes.")
    media_type = recognise(data)
    if media_type is None:
        raise AudioError("unsupported_audio", "Send audio as WAV, Ogg or WebM with Opus, MP3, M4A or FLAC.")
    seconds = _SECONDS[media_type](data)
    if seconds is not None and seconds > AUDIO_SECONDS_MAX:
        raise AudioError("audio_too_long", f"Audio may last at most {AUDIO_SECONDS_MAX} seconds.")
    return AudioInfo(media_type, seconds)
