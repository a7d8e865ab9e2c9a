"""A long text as parts that an engine reads aloud one by one, and the parts' sound as one file again."""

from __future__ import annotations

import re

from domain.ports import Audio, SpeechError
from infra.audio.compressed import without_id3

SPOKEN_CHARACTERS_MAX = 8_000  # nine minutes; who writes more than this writes something to be read

# From the best place for a breath to the worst; the pattern ends where the next part begins.
_BREATHS = (
    re.compile(r"\n\s*\n|\n"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+"),
    re.compile(r"[,;:–—]\s+"),
    re.compile(r"\s+"),
)


def checked(text: str) -> str:
    """The text without blanks around it. Raises `SpeechError` where there is nothing, or too much, to say."""
    if not says_something(text):
        raise SpeechError("refused", "There is nothing to read aloud.", retryable=False)
    if len(text) > SPOKEN_CHARACTERS_MAX:
        raise SpeechError("too_long", f"At most {SPOKEN_CHARACTERS_MAX} characters are read aloud.", retryable=False)
    return text.strip()


def says_something(text: str) -> bool:
    """Whether there is a letter or a digit in it; engines fail at a lone dash or emoji."""
    return any(character.isalnum() for character in text)


def parts_of(text: str, characters_max: int) -> list[str]:
    """Parts of at most so many characters, cut where one would breathe; their concatenation is `text`."""
    parts = []
    while len(text) > characters_max:
        cut = next((cut for breath in _BREATHS if (cut := _last_end(breath, text[:characters_max]))), characters_max)
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def joined(parts: list[Audio]) -> Audio:
    """One file. MP3 is a row of frames, so files behind each other, without their tags, are one; others are not."""
    if len(parts) == 1:
        return parts[0]
    if any(part.media_type != "audio/mpeg" for part in parts):
        raise SpeechError("bad_answer", "The parts of a long text are not MP3.", retryable=False)
    return Audio(b"".join(without_id3(part.data) for part in parts), "audio/mpeg")


def _last_end(pattern: re.Pattern[str], text: str) -> int:
    end = 0
    for match in pattern.finditer(text):
        if says_something(text[: match.end()]):
            end = match.end()
    return end
