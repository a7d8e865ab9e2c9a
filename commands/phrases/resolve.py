"""When somebody says "tomorrow at 5" or "every other Friday": from a phrase to a local date, time and recurrence.

Pure: the caller says what now is, in which zone, and how dates like 3/12 are read. What it does not understand is None,
never a guess: the words then stay with the task as they were said. The rules are written down in docs/dates.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from commands.due import YEAR_MAX, YEAR_MIN
from commands.phrases.clock import PART_HOURS, Clock, Placed, place_clock, read_clock, read_part
from commands.phrases.days import Contradiction, DayReader, Days, week_of
from commands.phrases.rules import Repetition, read_repetition, series_of
from commands.phrases.spans import Span, read_span
from commands.phrases.words import Cursor, Part, tokens_of, words

_START = words("starting beginning from ab starten")
_UNTIL = words("until till through bis")
_WHOLE_DAY = ("eod", "end of the day", "end of day", "ende des tages", "close of business", "end of business", "cob")
_COUNT_MAX = 999

Note = Literal["past", "repeated"]


@dataclass(frozen=True, slots=True)
class When:
    """`due` is `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`, local; `recurrence` an RRULE whose first occurrence it is.

    `note` is what should be said about it: it lies in the past, though it was named so; or it would have been in the
    hour that an autumn change repeats, its second time, which a local time cannot say, and is that hour's end.
    """

    due: str
    recurrence: str | None = None
    note: Note | None = None


@dataclass(slots=True)
class _Draft:
    """What a phrase said, piece by piece."""

    days: Days = field(default_factory=Days)
    clock: Clock | None = None
    part: Part | None = None
    span: Span | None = None
    span_from: Days | None = None
    is_whole_day: bool = False
    repetition: Repetition | None = None
    start: Days | None = None
    until: Days | None = None
    lasting: Span | None = None
    count: int | None = None


def writes_month_first(*languages: object) -> bool:
    """Whether 3/12 is the 12th of March. The first that says something decides: `en-US` is month first, others are not.

    What is no language tag and English of no country say nothing; where all are silent it is month first.
    """
    for language in languages:
        parts = language.replace("_", "-").casefold().split("-") if isinstance(language, str) else []
        if parts and parts[0].isalpha() and parts != ["en"]:
            return parts[0] == "en" and "us" in parts
    return True


def resolve_phrase(phrase: str, now: datetime, zone: str, *, is_month_first: bool = True) -> When | None:
    """`now` is the user's local time without a zone, its `fold` set where an hour is repeated; `zone` an IANA name.

    None when the phrase is not understood, or names a day or time that does not exist.
    """
    tokens = tokens_of(phrase)
    if not tokens:
        return None
    reader = DayReader(now.date(), is_month_first)
    try:
        draft = _read(Cursor(tokens), reader)
        when = None if draft is None else _Resolver(now, ZoneInfo(zone)).resolve(draft)
        # A year of less than four digits may be written without its noughts, and is no number then.
        return when if when is not None and YEAR_MIN <= int(when.due[:4]) <= YEAR_MAX else None
    except (ValueError, OverflowError):
        return None


def names_only_a_time(phrase: str) -> bool:
    """Whether it names an hour and no day: "at 4", "3 pm"."""
    tokens = tokens_of(phrase)
    try:
        draft = _read(Cursor(tokens), DayReader(date(2000, 1, 1), True)) if tokens else None
    except (ValueError, OverflowError):
        return False
    if draft is None or draft.clock is None or draft.repetition is not None or draft.span is not None:
        return False
    return draft.days.is_empty and draft.start is None and draft.until is None


# --- reading --------------------------------------------------------------------------------------------------


def _read(cursor: Cursor, reader: DayReader) -> _Draft | None:
    """Every word has to belong to a piece, and no piece may come twice. Raises `ValueError`."""
    draft = _Draft()
    while not cursor.at_end:
        if not (
            _read_count(cursor, draft)
            or _read_bounds(cursor, draft, reader)
            or _read_span(cursor, draft, reader)
            or _read_day(cursor, draft, reader)
            or _read_time(cursor, draft)
        ):
            return None
    return draft


def _read_count(cursor: Cursor, draft: _Draft) -> bool:
    """`10 times`, `for 3 times`."""
    start = cursor.place
    cursor.take_word(("for",))
    number = cursor.take_kind("number")
    if number is None or draft.count is not None or cursor.take_word(("times", "time", "mal")) is None:
        cursor.place = start
        return False
    if not 1 <= number.values[0] <= _COUNT_MAX:
        raise Contradiction("not so often")
    draft.count = number.values[0]
    return True


def _read_bounds(cursor: Cursor, draft: _Draft, reader: DayReader) -> bool:
    """How something repeats, from when, until when, for how long."""
    if draft.repetition is None:
        draft.repetition = read_repetition(cursor, reader)
        if draft.repetition is not None:
            return True
    start = cursor.place
    if cursor.take_word(_START) and draft.start is None:
        draft.start = reader.read(cursor)
        if draft.start is not None:
            return True
    cursor.place = start
    if cursor.take_word(_UNTIL) and draft.until is None:
        draft.until = reader.read(cursor)
        if draft.until is not None:
            return True
    cursor.place = start
    if cursor.take_word(("for",)) and draft.repetition and draft.lasting is None:
        draft.lasting = read_span(cursor)
        if draft.lasting is not None:
            return True
    cursor.place = start
    return False


def _read_span(cursor: Cursor, draft: _Draft, reader: DayReader) -> bool:
    """`in 20 minutes`, `2 weeks from now`, `a week from Friday`."""
    start = cursor.place
    is_in = cursor.take_word(("in", "within")) is not None
    span = read_span(cursor)
    if span is None or draft.span is not None:
        cursor.place = start
        return False
    base: Days | None = None
    if is_in:
        cursor.take_word(("time",))
    elif not (cursor.take_phrase("from now") or cursor.take_phrase("from today") or cursor.take_phrase("ab jetzt")):
        base = reader.read(cursor) if cursor.take_word(("from", "after", "nach", "ab")) else None
        if base is None:
            cursor.place = start
            return False
    draft.span, draft.span_from = span, base
    return True


def _read_day(cursor: Cursor, draft: _Draft, reader: DayReader) -> bool:
    start = cursor.place
    cursor.skip(("by", "at", "the"))
    if not draft.is_whole_day and any(cursor.take_phrase(phrase) for phrase in _WHOLE_DAY):
        draft.is_whole_day = True
        return True
    cursor.place = start
    cursor.skip(("for", "by"))
    if cursor.take_word(("tonight",)):
        draft.days.add(Days(fixed=reader.today))
        draft.part = _only("night", draft.part)
        return True
    cursor.place = start
    days = reader.read(cursor, repeats=draft.repetition is not None)
    if days is None:
        return False
    draft.days.add(days)
    return True


def _read_time(cursor: Cursor, draft: _Draft) -> bool:
    clock = read_clock(cursor) if draft.clock is None else None
    if clock is not None:
        draft.clock = clock
        return True
    part = read_part(cursor)
    if part is None:
        return False
    draft.part = _only(part, draft.part)
    return True


def _only(part: Part, known: Part | None) -> Part:
    if known is not None and known != part:
        raise Contradiction("two parts of a day")
    return part


# --- resolving ------------------------------------------------------------------------------------------------


class _Resolver:
    """Finds the first moment that a draft means."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        self._now = now
        self._zone = zone
        self._now_seconds = now.replace(tzinfo=zone).timestamp()

    def resolve(self, draft: _Draft) -> When | None:
        """Raises `ValueError` where pieces contradict each other."""
        if draft.repetition is not None:
            return self._series(draft)
        if draft.count is not None or draft.lasting is not None:
            return None
        for bound in (draft.start, draft.until):
            if bound is not None:
                draft.days.add(bound)  # "until Friday" of what happens once is its due
        if draft.span is not None:
            if draft.span.minutes:
                return self._from_now(draft)
            self._add_span(draft)
        if draft.is_whole_day:
            if draft.clock is not None or draft.part is not None:
                return None
            if draft.days.is_empty:
                draft.days.fixed = self._now.date()
        return self._once(draft)

    def _from_now(self, draft: _Draft) -> When | None:
        """So many hours and minutes later, up to a full minute; days among them are those of the calendar."""
        span = draft.span
        if span is None or not draft.days.is_empty or draft.clock or draft.part or draft.span_from:
            return None
        day = span.after(self._now.date())
        base = datetime.combine(day, self._now.time(), self._zone).replace(fold=self._now.fold)
        seconds = base.timestamp() + span.minutes * 60
        moment = datetime.fromtimestamp(-(-seconds // 60) * 60, UTC).astimezone(self._zone)
        if not moment.fold:
            return When(moment.strftime("%Y-%m-%dT%H:%M"))
        return When(self._end_of_repeated(moment).strftime("%Y-%m-%dT%H:%M"), note="repeated")

    def _end_of_repeated(self, moment: datetime) -> datetime:
        """The first minute after `moment`, in the second pass of a repeated hour, whose local time comes but once."""
        instant = moment.astimezone(UTC)
        while instant.astimezone(self._zone).fold:
            instant += timedelta(minutes=1)
        return instant.astimezone(self._zone)

    def _add_span(self, draft: _Draft) -> None:
        span, base = draft.span, self._now.date()
        assert span is not None
        if draft.span_from is not None:
            base = _first(draft.span_from.candidates(base))
        day = span.after(base)
        if span.is_weeks and draft.days.weekdays and not draft.days.window:
            draft.days.window = week_of(day)  # "in two weeks on Friday" is that week's Friday
        else:
            draft.days.add(Days(fixed=day))

    def _once(self, draft: _Draft) -> When | None:
        days, today = draft.days, self._now.date()
        if draft.clock is None and draft.part is None:
            if days.is_empty and not draft.is_whole_day:
                return None
            # Nobody says "Wednesday" of a Wednesday and means today.
            is_weekday_alone = days.weekdays and not (days.window or days.month_days or days.month or days.fixed)
            day = _first(days.candidates(today + timedelta(days=1) if is_weekday_alone else today))
            return When(day.isoformat(), note="past" if day < today else None)
        placed = _placed(draft.clock, draft.part)
        found = self._first_ahead(days.candidates(today), placed)
        if found is not None:
            return When(found)
        if days.fixed == today and draft.clock is None:
            return When(today.isoformat())  # "this morning", said at ten, is some time today
        if days.fixed == today and draft.clock is not None and draft.clock.is_bare and draft.part is None:
            later = self._first_ahead(iter([today]), place_clock(draft.clock, None, prefer_later=True))
            if later is not None:
                return When(later)
        return When(_text(_first(days.candidates(today)), placed), note="past")

    def _first_ahead(self, days: Iterator[date], placed: Placed) -> str | None:
        return next((_text(day, placed) for day in days if not self._is_over(day, placed)), None)

    def _is_over(self, day: date, placed: Placed) -> bool:
        moment = datetime.combine(day, placed.at, self._zone) + timedelta(days=placed.is_day_after)
        return moment.timestamp() <= self._now_seconds

    def _series(self, draft: _Draft) -> When | None:
        repetition, today = draft.repetition, self._now.date()
        if repetition is None or draft.span is not None or draft.is_whole_day:
            return None
        part = repetition.part if draft.part is None else _only(draft.part, repetition.part)
        days = Days()
        days.add(repetition.days)
        days.add(draft.days)
        start = today if draft.start is None else _first(draft.start.candidates(today))
        if start < today:
            return None
        series = series_of(repetition, days, start)
        placed = None if draft.clock is None and part is None else _placed(draft.clock, part)
        if placed is not None and placed.is_day_after and repetition.freq != "DAILY":
            return None  # whether midnight begins or ends the day that is named, a rule could not say
        if placed is not None and self._is_over(series.first, placed):
            series = series_of(repetition, days, start + timedelta(days=1))
        ends = _ends(draft, series.first)
        due = series.first.isoformat() if placed is None else _text(series.first, placed)
        return When(due, recurrence=series.rule + ends)


def _ends(draft: _Draft, first: date) -> str:
    """`;COUNT=` or `;UNTIL=`, or nothing. Raises `Contradiction` for two ends, or one before the beginning."""
    ends = [end for end in (draft.count, draft.until, draft.lasting) if end is not None]
    if not ends:
        return ""
    if len(ends) > 1 or (draft.lasting is not None and draft.lasting.minutes):
        raise Contradiction("two ends")
    if draft.count is not None:
        return f";COUNT={draft.count}"
    if draft.lasting is not None:
        last = draft.lasting.after(first) - timedelta(days=1)
    else:
        assert draft.until is not None
        last = _first(draft.until.candidates(first))
    if last < first:
        raise Contradiction("over before it begins")
    return f";UNTIL={last:%Y%m%d}"


def _first(days: Iterator[date]) -> date:
    """Raises `Contradiction` where no day meets what was said."""
    day = next(days, None)
    if day is None:
        raise Contradiction("there is no such day")
    return day


def _placed(clock: Clock | None, part: Part | None) -> Placed:
    if clock is not None:
        return place_clock(clock, part)
    assert part is not None
    return Placed(time(PART_HOURS[part]))


def _text(day: date, placed: Placed) -> str:
    return datetime.combine(day + timedelta(days=placed.is_day_after), placed.at).strftime("%Y-%m-%dT%H:%M")
