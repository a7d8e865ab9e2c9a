"""Which days a message is about, and what the state knows of them: pure lines for prompts and answers.

Occurrences of the calendar are worked out within a window, and a bounded number. Must not decide what is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from commands.calendar_deeds import local_start
from commands.phrases.days import month_of
from commands.phrases.resolve import resolve_phrase
from commands.phrases.words import WEEKDAYS
from domain.brain import Brain, TaskState
from domain.local_times import instant_ms, local_minute, local_moment
from domain.occurrences import Occurrence, occurrences
from domain.text import one_line
from domain.values import Task
from workers.understanding.german_words import german
from workers.understanding.intents import Intent
from workers.understanding.time_words import WHEN_WITHIN, is_weekend

WEEK_DAYS = 7
DAYS_AHEAD = 30  # "when is my next meeting" looks so far
WORDS_CHARACTERS_MAX = 1_000  # of a message, looked at for a day
EVENTS_MAX = 60
TASKS_SHOWN_MAX = 40
TRIPS_MAX = 10
LOCATION_CHARACTERS_MAX = 120

_WEEK_AFTER_NEXT = re.compile(r"\bweek after next\b|" + german(r"\bübernächste[nr]? woche\b"), re.IGNORECASE)
_NEXT_WEEK = re.compile(r"\bnext week\b|" + german(r"\bnächste[nr]? woche\b"), re.IGNORECASE)
_LAST_WEEK = re.compile(r"\b(?:last|past|previous) week\b|\b(?:letzte|vergangene)[nr]? woche\b", re.IGNORECASE)
_WEEK = re.compile(r"\bweek(?:ly)?\b|\bwoche\b", re.IGNORECASE)
# All of it: not "the end of", "the 3rd of" or "the last Friday of this month".
_MONTH = re.compile(
    r"(?<!(?:st|nd|rd|th|rt|ng|le|ay) of )\b(?:this|my|(?P<next>next)|(?P<last>last|past|previous)) month\b"
    + german(r"|\b(?:diese[nmr]?|meine[nm]?|(?P<kommend>nächste[nmr]?)|(?P<letzt>letzte[nmr]?)) monat\b"),
    re.IGNORECASE,
)
_WEEKDAY = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|\w{3,6}tag\b|mittwoch", re.IGNORECASE)
_COMING = re.compile(r"\d|next|coming|" + german("nächst|kommend"), re.IGNORECASE)
_YESTERDAY = re.compile(r"\byesterday\b|\bgestern\b", re.IGNORECASE)
_SOME_DAY = re.compile(r"\b(?:when|what time|next|upcoming|coming up)\b|\bwann\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Days:
    """Local days: `first` (`YYYY-MM-DD`) and how many."""

    first: str
    count: int

    @property
    def last(self) -> str:
        return (date.fromisoformat(self.first) + timedelta(days=self.count - 1)).isoformat()

    def window_ms(self, zone: str) -> tuple[int, int]:
        after = (date.fromisoformat(self.first) + timedelta(days=self.count)).isoformat()
        return instant_ms(self.first, zone), instant_ms(after, zone)


def local_now(now_ms: int, zone: str) -> datetime:
    """The user's wall time, without its zone."""
    return local_moment(now_ms, zone).replace(tzinfo=None)


def days_of(words: str, intent: Intent, now_ms: int, zone: str) -> Days:
    """A summary of the week looks back to its Monday, one of a month to its first; an agenda begins today."""
    now = local_now(now_ms, zone)
    today = now.date()
    monday = today - timedelta(days=today.weekday())
    if _WEEK_AFTER_NEXT.search(words):
        return Days((monday + timedelta(days=2 * WEEK_DAYS)).isoformat(), WEEK_DAYS)
    if _NEXT_WEEK.search(words):
        return Days((monday + timedelta(days=WEEK_DAYS)).isoformat(), WEEK_DAYS)
    if _LAST_WEEK.search(words):
        return Days((monday - timedelta(days=WEEK_DAYS)).isoformat(), WEEK_DAYS)
    if _WEEK.search(words):
        return Days((monday if intent == "summary" else today).isoformat(), WEEK_DAYS)
    if intent in ("agenda", "summary") and (month := _MONTH.search(words)) is not None:
        later = 1 if month["next"] or month["kommend"] else -1 if month["last"] or month["letzt"] else 0
        first, last = month_of(today, later)
        first = today if intent == "agenda" and first <= today <= last else first
        return Days(first.isoformat(), (last - first).days + 1)
    if intent in ("agenda", "plan", "summary"):
        for match in WHEN_WITHIN.finditer(words[:WORDS_CHARACTERS_MAX]):
            when = resolve_phrase(" ".join(match["when"].split()), now, zone)
            if when is not None:
                day = date.fromisoformat(when.due[:10])
                is_past = intent == "summary" and _COMING.search(match["when"]) is None
                if is_past and day > today and _WEEKDAY.search(match["when"]):
                    day -= timedelta(days=WEEK_DAYS)  # what was done on Monday was done on the one before
                return Days(day.isoformat(), 2 if is_weekend(match["when"]) else 1)
        if _YESTERDAY.search(words):
            return Days((today - timedelta(days=1)).isoformat(), 1)
    if intent == "agenda" and _SOME_DAY.search(words):
        return Days(today.isoformat(), DAYS_AHEAD)
    if intent == "calendar":
        return Days(today.isoformat(), WEEK_DAYS)
    return Days(today.isoformat(), 1)


# --- what the state knows of them -----------------------------------------------------------------------------


def events_on(brain: Brain, days: Days) -> list[Occurrence]:
    """What takes place on these days of the user's, by its start; at most EVENTS_MAX."""
    from_ms, until_ms = days.window_ms(brain.timezone)
    entries = ((calendar_id, state.entry) for calendar_id, state in brain.calendar.items())
    return occurrences(entries, from_ms=from_ms, until_ms=until_ms, limit=EVENTS_MAX)


def name_of(one: Occurrence) -> str:
    """Which occurrence it is, for a manifest."""
    return f"{one.calendar_id} {one.original}"


def event_line(one: Occurrence, zone: str) -> str:
    """`Wednesday 2025-11-19 15:00–16:00 Budget meeting (Room 4)`, on the user's clock."""
    title = one_line(one.entry.title)
    place = f" ({one_line(one.entry.location)[:LOCATION_CHARACTERS_MAX]})" if one.entry.location else ""
    return f"{_times(one, zone)} {title}{place}"


def _times(one: Occurrence, zone: str) -> str:
    start = local_start(one, zone)
    day = with_day(start[:10])
    if len(start) == 10:
        last = (date.fromisoformat(one.end[:10]) - timedelta(days=1)).isoformat()
        return f"{day} all day" if last <= start else f"{day} to {last}"
    end = local_minute(one.ends_at_ms, zone)
    return f"{day} {start[11:]}–{end[11:] if end[:10] == start[:10] else end.replace('T', ' ')}"


def with_day(day: str) -> str:
    """`Wednesday 2025-11-19`."""
    return f"{WEEKDAYS[date.fromisoformat(day).weekday()].capitalize()} {day}"


def open_tasks(brain: Brain) -> list[tuple[str, TaskState]]:
    """By due date, those without one behind."""
    tasks = [(task_id, state) for task_id, state in brain.tasks.items() if state.task.status == "open"]
    far_ms = 1 << 62
    return sorted(tasks, key=lambda item: far_ms if item[1].task.due_at_ms is None else item[1].task.due_at_ms)


def local_due(task: Task, zone: str) -> str:
    """When it is due on the user's clock, as `Task.due` has it; "" where it has no date."""
    if task.due is None or task.due_at_ms is None:
        return task.due or ""
    if len(task.due) == 10 or task.timezone in (None, zone):
        return task.due
    return local_minute(task.due_at_ms, zone)


def agenda_lines(brain: Brain, days: Days, now_ms: int, events: Sequence[Occurrence]) -> list[str]:
    """Events, then what is due on these days, what is overdue, and what the user was reminded of."""
    zone = brain.timezone
    lines = [event_line(one, zone) for one in events]
    due: list[str] = []
    late: list[str] = []
    reminded: list[str] = []
    for _, state in open_tasks(brain)[: TASKS_SHOWN_MAX * 4]:
        task, local = state.task, local_due(state.task, zone)
        title = one_line(task.title)
        if local and task.due_at_ms is not None and task.due_at_ms < now_ms:
            late.append(f"Overdue: {title} (was due {local.replace('T', ' ')})")
        elif local and days.first <= local[:10] <= days.last:
            due.append(f"Due {_on(local, days)}: {title}")
        elif state.reminded_ms is not None:
            reminded.append(f"Reminded: {title}")
    return [*lines, *(due + late + reminded)[:TASKS_SHOWN_MAX]]


def _on(local: str, days: Days) -> str:
    day = with_day(local[:10]) if days.count > 1 else "that day"
    return f"{day} at {local[11:]}" if len(local) > 10 else day


def trip_lines(brain: Brain, now_ms: int) -> list[tuple[str, str]]:
    """Trips that are not over, the next one first: id and line."""
    today = local_now(now_ms, brain.timezone).date().isoformat()
    coming = [
        (trip_id, state.trip)
        for trip_id, state in brain.trips.items()
        if (state.trip.return_date or state.trip.departure_date) >= today
    ]
    coming.sort(key=lambda item: (item[1].departure_date, item[0]))
    return [
        (
            trip_id,
            f"{one_line(trip.destination)}, {trip.departure_date}"
            + (f" to {trip.return_date}" if trip.return_date else ""),
        )
        for trip_id, trip in coming[:TRIPS_MAX]
    ]


def done_lines(brain: Brain, done_ids: Sequence[str], times: Mapping[int, int]) -> list[str]:
    """`times`: for the version of each of these tasks, when that was."""
    lines = []
    for task_id in done_ids:
        state = brain.tasks[task_id]
        moment = local_now(times[state.version], brain.timezone)
        lines.append(f"{with_day(moment.date().isoformat())} {one_line(state.task.title)}")
    return lines


def done_within(brain: Brain, days: Days, times: Mapping[int, int]) -> list[str]:
    """Ids of tasks that were completed on these days, oldest first; of those whose `times` are known."""
    from_ms, until_ms = days.window_ms(brain.timezone)
    done = [
        (times[state.version], task_id)
        for task_id, state in brain.tasks.items()
        if state.task.status == "done" and from_ms <= times.get(state.version, -1) < until_ms
    ]
    return [task_id for _, task_id in sorted(done)]
