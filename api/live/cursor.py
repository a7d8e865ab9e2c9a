"""Where a client stands in its user's stream: the last fact and the last token that it was given.

Owns the text form, `generation.version` and, while a reply runs, `:reply.attempt.index.offset` after it, with a `+`
where the next fact was begun. Opaque to clients; good in any session, at any process, after a restart of anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.errors import Invalid

CURSOR_CHARACTERS_MAX = 256

_NAME = r"[A-Za-z0-9_-]{1,64}"
_NUMBER = r"0|[1-9][0-9]{0,17}"  # at most 18 digits fit in 64 bits
_CURSOR = re.compile(
    rf"(?P<generation>{_NAME})\.(?P<version>{_NUMBER})"
    rf"(?::(?P<reply>{_NAME})\.(?P<attempt>{_NUMBER})\.(?P<index>{_NUMBER})\.(?P<offset>{_NUMBER})(?P<ahead>\+)?)?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """How much of a running reply was given: its entries up to `index`, its code points up to `offset`."""

    reply_id: str
    attempt: int
    index: int = 0
    offset: int = 0

    def covers(self, other: Place) -> bool:
        """Whether `other` lies at or before this place, in the same attempt."""
        return self.same_attempt(other) and other.index <= self.index and other.offset <= self.offset

    def same_attempt(self, other: Place) -> bool:
        return (self.reply_id, self.attempt) == (other.reply_id, other.attempt)


@dataclass(frozen=True, slots=True)
class Cursor:
    """`generation` names the log and changes when one is restored; `version` is that of the last fact.

    With no `place` a reply that runs is given from its first character. `ahead`: the next fact ends another reply,
    beside the one that runs at `place`, and its text was given.
    """

    generation: str
    version: int
    place: Place | None = None
    ahead: bool = False

    @property
    def needed_version(self) -> int:
        """That of the last fact of which something was given."""
        return self.version + self.ahead

    def __str__(self) -> str:
        place = self.place
        if place is None:
            return f"{self.generation}.{self.version}"
        ahead = "+" if self.ahead else ""
        return f"{self.generation}.{self.version}:{place.reply_id}.{place.attempt}.{place.index}.{place.offset}{ahead}"


def parse_cursor(text: str) -> Cursor:
    """Raises `Invalid` (`cursor_malformed`) for whatever `str(cursor)` could not have made."""
    match = _CURSOR.fullmatch(text) if len(text) <= CURSOR_CHARACTERS_MAX else None
    if match is None:
        raise Invalid(
            "The cursor is malformed. Send the id of the last event as it came, or none to start now.",
            code="cursor_malformed",
        )
    place = None
    if match["reply"] is not None:
        place = Place(match["reply"], int(match["attempt"]), int(match["index"]), int(match["offset"]))
    return Cursor(match["generation"], int(match["version"]), place, match["ahead"] is not None)
