"""What a call of a tool is read against, and what it comes to. Pure: the caller says what now is and keeps the keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from commands.actions import Deed, RunAction
from commands.phrases.resolve import When, resolve_phrase, writes_month_first
from domain.brain import Brain
from domain.local_times import local_moment
from domain.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """`payload` is what the card shows: the arguments as they were understood. `waits`: for the user's approval."""

    kind: str
    payload: Mapping[str, Json]
    deed: Deed
    waits: bool = False

    def command(self, *, reply_id: str, attempt: int, ordinal: int) -> RunAction:
        """The command that does it, as the message's `ordinal`-th action of its kind."""
        return RunAction(
            reply_id=reply_id,
            attempt=attempt,
            kind=self.kind,
            ordinal=ordinal,
            payload=self.payload,
            deed=self.deed,
            waits=self.waits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNote:
    """A note with its text. `kept_on`: the user's day, `YYYY-MM-DD`."""

    note_ref: str
    note_id: str
    text: str
    title: str | None
    kept_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`now` is the user's local time; `ref(kind, text)` is the keyed hash of an id that somebody chose.

    `whens` has phrases of time that a slower reader has understood already; `is_month_first` is about dates like 3/12.
    `notes` are the user's, newest first; None where they were not read.
    """

    brain: Brain
    message_id: str
    now: datetime
    ref: Callable[[str, str], str]
    is_month_first: bool = True
    whens: Mapping[str, When] = field(default_factory=dict)
    notes: Sequence[KeptNote] | None = None

    @classmethod
    def at(
        cls,
        now_ms: int,
        brain: Brain,
        message_id: str,
        ref: Callable[[str, str], str],
        language: str | None = None,
    ) -> Setting:
        """`now_ms` is what the user's "today" is read from; `language` is a tag, the message's."""
        now = local_moment(now_ms, brain.timezone).replace(tzinfo=None)
        is_month_first = writes_month_first(language, brain.preference("locale"), brain.preference("language"))
        return cls(brain=brain, message_id=message_id, now=now, ref=ref, is_month_first=is_month_first)

    def when(self, phrase: str, *, now: datetime | None = None) -> When | None:
        """When `phrase`, on one line, is; None where nobody understands it."""
        if now is None and (known := self.whens.get(phrase)) is not None:
            return known
        return resolve_phrase(phrase, now or self.now, self.brain.timezone, is_month_first=self.is_month_first)
