"""Days as people say them: "next Friday", "the 3rd", "24.12.", "the last Friday of the month".

A phrase puts constraints on the day, and the first day from today on that meets all of them is meant; so "Friday the
13th" needs no rule of its own. Pure: the caller says what day it is. The rules in words are in docs/dates.md.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from commands.phrases.words import (
    ARTICLES,
    EVERY,
    LAST,
    MONTH_OF,
    NEXT,
    PART_OF,
    THIS,
    WEEKDAY_OF,
    Cursor,
    words,
)

DAYS_LOOKED_AT = 366 * 9  # 29 February may be eight years away
FRIDAY, SATURDAY, SUNDAY = 4, 5, 6

Window = tuple[date, date]

_BEFORE = words("on by before until till for from in at within no later than am im bis vor an spaetestens")
_TODAY = words("today heute")
_TOMORROW = words("tomorrow tmrw tmr morgen")
_WEEK = words("week woche wk")
_MONTH = words("month monat monats")
_YEAR = words("year jahr jahres jahrs")
_WEEKEND = words("weekend wochenende wochenendes")
_END = words("end ende")
_START = words("beginning start anfang")
_MIDDLE = words("middle mid mitte")


class Contradiction(ValueError):
    """Two days were named, or one that no calendar has."""


@dataclass(slots=True)
class Days:
    """Constraints on a day; empty ones allow any. `month_days` count from the month's end where negative.

    `nth` is (place in its month, weekday); `window` is from day to day, both included, and `otherwise` the day in it
    that is meant when nothing else was said.
    """

    fixed: date | None = None
    weekdays: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    nth: tuple[int, int] | None = None
    month: int | None = None
    window: Window | None = None
    otherwise: date | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.fixed or self.weekdays or self.month_days or self.nth or self.month or self.window)

    def add(self, more: Days) -> None:
        """Raises `Contradiction` where both constrain the same."""
        for name in ("fixed", "weekdays", "month_days", "nth", "month", "window", "otherwise"):
            value = getattr(more, name)
            if value:
                if getattr(self, name):
                    raise Contradiction(f"{name} was named twice")
                setattr(self, name, value)

    def candidates(self, today: date) -> Iterator[date]:
        """Days that meet all constraints, from today on; of a window that has none ahead, those that are over."""
        if self.fixed is not None:
            if self._allows(self.fixed):
                yield self.fixed
            return
        if self.otherwise is not None and not (self.weekdays or self.month_days or self.nth or self.month):
            yield self.otherwise
            return
        first, last = self.window or (today, today + timedelta(days=DAYS_LOOKED_AT))
        has_any = False
        for day in _from_to(max(first, today), last):
            if self._allows(day):
                has_any = True
                yield day
        if not has_any:
            yield from (day for day in _from_to(first, min(last, today - timedelta(days=1))) if self._allows(day))

    def _allows(self, day: date) -> bool:
        if self.weekdays and day.weekday() not in self.weekdays:
            return False
        if self.month is not None and day.month != self.month:
            return False
        if self.month_days or self.nth:
            length = monthrange(day.year, day.month)[1]
            if self.month_days and not {day.day, day.day - length - 1} & set(self.month_days):
                return False
            if self.nth is not None:
                place, weekday = self.nth
                from_start, from_end = (day.day - 1) // 7 + 1, -((length - day.day) // 7 + 1)
                return day.weekday() == weekday and place in (from_start, from_end)
        return True


def week_of(day: date, weeks_later: int = 0) -> Window:
    """Monday to Sunday."""
    monday = day - timedelta(days=day.weekday()) + timedelta(weeks=weeks_later)
    return monday, monday + timedelta(days=6)


def month_of(day: date, months_later: int = 0) -> Window:
    months = day.year * 12 + day.month - 1 + months_later
    year, month = months // 12, months % 12 + 1
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def year_of(year: int) -> Window:
    return date(year, 1, 1), date(year, 12, 31)


@dataclass(frozen=True, slots=True)
class DayReader:
    """Reads one piece of a day at a time. `month_first` is about dates like 3/12 alone."""

    today: date
    month_first: bool

    def read(self, cursor: Cursor, *, repeats: bool = False) -> Days | None:
        """What stands here, words like "on" before it included; None, and nothing taken, where it is no day.

        `repeats` where it is known already that something repeats: "the last Friday" is then not over. Raises
        `ValueError` for a date that no calendar shows.
        """
        start = cursor.place
        cursor.skip(_BEFORE)
        was_german_am = cursor.peek(-1).text in ("am", "bis", "vor")
        cursor.skip(ARTICLES)
        is_article = cursor.peek(-1).text in ARTICLES and cursor.place > start
        days = (
            self._named(cursor)
            or self._edge(cursor)
            or self._period(cursor)
            or self._weekday(cursor)
            or self._written(cursor, was_german_am)
            or self._nth(cursor, repeats)
            or self._month_and_day(cursor)
            or self._month_day(cursor, is_article or was_german_am, repeats)
        )
        if days is None:
            cursor.place = start
        return days

    def _named(self, cursor: Cursor) -> Days | None:
        if cursor.take_word(_TODAY):
            return Days(fixed=self.today)
        if cursor.take_phrase("day after tomorrow") or cursor.take_word(("uebermorgen",)):
            return Days(fixed=self.today + timedelta(days=2))
        is_morning = cursor.peek().text == "morgen" and cursor.peek(-1).text in ("heute", "am", *WEEKDAY_OF)
        if not is_morning and cursor.take_word(_TOMORROW):
            return Days(fixed=self.today + timedelta(days=1))
        if cursor.peek().text in THIS and cursor.peek(1).text in PART_OF:
            cursor.take()
            return Days(fixed=self.today)
        return None

    def _edge(self, cursor: Cursor) -> Days | None:
        """`end of the month`, `start of next week`, `mid January`, `Ende des Monats`."""
        if cursor.take_word(("eom", "monatsende")):
            return Days(month_days=(-1,))
        if cursor.take_word(("jahresende",)):
            return Days(month=12, month_days=(-1,))
        start = cursor.place
        edge = cursor.take_word(_END | _START | _MIDDLE)
        if edge is None:
            return None
        cursor.skip(("of",))
        cursor.skip(ARTICLES)
        if month := cursor.take_word(MONTH_OF):
            year = _year(cursor)
            window = year_of(year) if year else None
            return Days(month=MONTH_OF[month], month_days=(_of_month(edge),), window=window)
        weeks_later = 1 if cursor.take_word(NEXT) else 0
        if not weeks_later:
            cursor.take_word(THIS)
        if cursor.take_word(_WEEK):
            return self._edge_of_week(edge, weeks_later)
        if cursor.take_word(_MONTH):
            window = month_of(self.today, weeks_later) if weeks_later else None
            return Days(window=window, month_days=(_of_month(edge),))
        if cursor.take_word(_YEAR):
            window = year_of(self.today.year + weeks_later) if weeks_later else None
            number = 12 if edge in _END else 1 if edge in _START else 7
            return Days(window=window, month=number, month_days=(-1 if edge in _END else 1,))
        cursor.place = start
        return None

    def _edge_of_week(self, edge: str, weeks_later: int) -> Days:
        window = week_of(self.today, weeks_later)
        if edge in _END:
            return Days(window=window, otherwise=self._end_of(window))
        return Days(window=window, weekdays=(0 if edge in _START else 2,))

    def _end_of(self, window: Window) -> date:
        """A week ends on its Friday, as long as that is ahead; all else on its last day."""
        first, last = window
        friday = first + timedelta(days=FRIDAY)
        return friday if (last - first).days == SUNDAY and friday >= self.today else last

    def _period(self, cursor: Cursor) -> Days | None:
        """`next week` with or without a weekday after it, `this month`, `the weekend`, `the week after next`."""
        start = cursor.place
        if cursor.take_phrase("week after next") or cursor.take_phrase("uebernaechste woche"):
            return Days(window=week_of(self.today, 2))
        if cursor.take_phrase("month after next"):
            return Days(window=month_of(self.today, 2))
        cursor.skip(("of",))
        cursor.skip(ARTICLES)
        is_next = cursor.take_word(NEXT) is not None
        is_this = not is_next and cursor.take_word(THIS) is not None
        if cursor.take_word(_WEEKEND):
            monday, sunday = week_of(self.today, 1 if is_next else 0)
            return Days(window=(monday + timedelta(days=SATURDAY), sunday))
        if is_next or is_this:
            later = 1 if is_next else 0
            window = None
            if cursor.take_word(_WEEK):
                window = week_of(self.today, later)
            elif cursor.take_word(_MONTH):
                window = month_of(self.today, later)
            elif cursor.take_word(_YEAR):
                window = year_of(self.today.year + later)
            if window is not None:
                return Days(window=window, otherwise=self._end_of(window) if is_this else None)
        cursor.place = start
        return None

    def _weekday(self, cursor: Cursor) -> Days | None:
        """A weekday is the coming one, today included; a "next" one is that of the next week."""
        start = cursor.place
        window = week_of(self.today, 1) if cursor.take_word(NEXT) else None
        if window is None:
            cursor.skip(THIS)
        weekday = cursor.take_word(WEEKDAY_OF)
        if weekday is None:
            cursor.place = start
            return None
        return Days(weekdays=(WEEKDAY_OF[weekday],), window=window)

    def _written(self, cursor: Cursor, was_german_am: bool) -> Days | None:
        token = cursor.peek()
        if token.kind not in ("iso", "slash", "dots", "dotted"):
            return None
        # "Bis 15.30" is an hour, and "bis 9.10 Uhr" says so.
        is_hour = not was_german_am or token.values[1] > 12 or cursor.peek(1).text == "uhr"
        if token.kind == "dotted" and is_hour and token.values[0] <= 24:
            return None
        cursor.take()
        if token.kind == "iso":
            year, month, day = token.values
            return Days(fixed=date(year, month, day))
        first, second, *years = token.values
        day, month = (second, first) if token.kind == "slash" and self.month_first else (first, second)
        if token.kind == "slash" and month > 12:
            day, month = month, day  # only one reading is a date
        return _month_day(month, day, _full_year(years[0]) if years else None)

    def _nth(self, cursor: Cursor, repeats: bool) -> Days | None:
        """`last Friday of the month`, `first Monday in December`, `last day of next month`."""
        start = cursor.place
        ordinal = cursor.take_kind("ordinal")
        place = ordinal.values[0] if ordinal else -1 if cursor.take_word(LAST) else 0
        weekday = cursor.take_word(WEEKDAY_OF)
        is_day = weekday is None and cursor.take_word(("day", "tag")) is not None
        if not place or place > 5 or not (is_day or weekday) or not (repeats or _is_of_month(cursor)):
            cursor.place = start
            return None
        window = self._of_month(cursor)
        month = cursor.take_word(MONTH_OF) if window is None and cursor.take_word(("of", "in", "im")) else None
        days = Days(window=window, month=MONTH_OF[month] if month else None)
        if weekday:
            days.nth = (place, WEEKDAY_OF[weekday])
        else:
            days.month_days = (place,)
        return days

    def _of_month(self, cursor: Cursor) -> Window | None:
        """Takes `of the month`; a window where it is this or the next one, None where it is whichever comes first."""
        start = cursor.place
        cursor.skip(("of", "in", "im"))
        cursor.skip(ARTICLES)
        is_next = cursor.take_word(NEXT) is not None
        is_this = not is_next and cursor.take_word(THIS) is not None
        if cursor.take_word(_MONTH) is None:
            cursor.place = start
            return None
        return month_of(self.today, 1 if is_next else 0) if is_next or is_this else None

    def _month_and_day(self, cursor: Cursor) -> Days | None:
        """`December 24`, `24th of December 2026`, `in March`."""
        place = cursor.place
        if month := cursor.take_word(MONTH_OF):
            cursor.skip(("the",))
            following = cursor.peek()
            if following.kind in ("number", "ordinal") and 1 <= following.values[0] <= 31:
                day = cursor.take().values[0]
                return _month_day(MONTH_OF[month], day, _year(cursor))
            year = _year(cursor)
            if year is None and cursor.peek(-2).text not in ("in", "im", "by", "until", "before", *NEXT, *THIS):
                cursor.place = place
                return None
            return Days(month=MONTH_OF[month], window=year_of(year) if year else None)
        numbered = cursor.take_kind("number", "ordinal")
        if numbered is not None and 1 <= numbered.values[0] <= 31:
            cursor.skip(("of",))
            if month := cursor.take_word(MONTH_OF):
                return _month_day(MONTH_OF[month], numbered.values[0], _year(cursor))
        cursor.place = place
        return None

    def _month_day(self, cursor: Cursor, is_marked: bool, repeats: bool) -> Days | None:
        """`the 3rd`, `on the 15th of next month`, `am 24.`; several, as in `the 1st and 15th`, of what repeats."""
        start = cursor.place
        token = cursor.take_kind("ordinal") or (cursor.take_kind("number") if is_marked else None)
        is_number = token is not None and token.kind == "number" and not token.text.isdigit()
        is_other = is_number or cursor.peek().text in WEEKDAY_OF  # "the 2nd Tuesday": of what?
        if token is None or is_other or not 1 <= token.values[0] <= 31:
            cursor.place = start
            return None
        days = {token.values[0]}
        while repeats and cursor.peek().text in ("and", "und") and cursor.peek(1).kind == "ordinal":
            cursor.take()
            days.add(cursor.take().values[0])
        if not days <= set(range(1, 32)):
            raise Contradiction("no month has that day")
        return Days(month_days=tuple(sorted(days)), window=self._of_month(cursor))


def _from_to(first: date, last: date) -> Iterator[date]:
    """Both included; nothing when the last is before the first."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _of_month(edge: str) -> int:
    return -1 if edge in _END else 1 if edge in _START else 15


def _month_day(month: int, day: int, year: int | None) -> Days:
    """Raises `ValueError` for a day that no such month has."""
    date(year or 2000, month, day)
    return Days(month=month, month_days=(day,), window=year_of(year) if year else None)


def _year(cursor: Cursor) -> int | None:
    token = cursor.peek()
    if token.kind == "number" and len(token.text) == 4 and token.text.isdigit():
        return cursor.take().values[0]
    return None


def _full_year(year: int) -> int:
    return year + 2000 if year < 100 else year


def _is_of_month(cursor: Cursor) -> bool:
    """Whether a month comes next; "the last Friday" alone is over."""
    return cursor.peek().text in ("of", "in", "im", "des", *EVERY, *NEXT)
