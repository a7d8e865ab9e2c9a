"""Calendar events by chat: which event is meant, and what a call of its tools comes to. Pure.

An event is named by its title, by its day or hour, or by both: "my 3 pm meeting". One of a series is changed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from commands.actions import Deed
from commands.arguments import CreateEventArguments, DeleteEventArguments, NotUnderstood, UpdateEventArguments
from commands.calendar import MoveOccurrence, RemoveCalendarEvent, SetCalendarEvent
from commands.calendar_times import moved_past_gap
from commands.moving import BARE_HOUR, moved, other_half
from commands.phrases.resolve import When, names_only_a_time
from commands.setting import Setting
from domain.local_times import between, instant_ms, later, local_minute
from domain.occurrences import Occurrence, occurrences
from domain.text import clean, one_line
from domain.values import Json

DAYS_AHEAD = 60
FOUND_MAX = 500
PHRASE_WORDS_MAX = 6
SHOWN_MAX = 3

_HALF_DAY = timedelta(hours=12)
_ANY_EVENT = frozenset(
    {
        *("my", "the", "a", "an", "this", "that", "our", "meeting", "appointment", "event", "calendar", "entry", "one"),
        *("at", "with", "for", "on", "from", "to", "of", "in", "and", "o'clock", "mein", "meine", "meinen", "der"),
        *("die", "das", "den", "termin", "treffen", "um", "am", "mit", "uhr"),
    }
)


def create_event(arguments: CreateEventArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    title = one_line(arguments.title)
    phrase = one_line(arguments.start_text)
    when = setting.when(phrase) if phrase else None
    if not title:
        raise NotUnderstood("The event has no title, so nothing was added to your calendar.")
    if when is None:
        said = f"I do not understand the time “{phrase}”" if phrase else "I do not know when that is"
        raise NotUnderstood(f"{said}, so “{title}” is not in your calendar yet. When does it begin?")
    zone = setting.brain.timezone
    payload: dict[str, Json] = {"title": title, "start": when.due}
    fields: dict[str, Json] = {"title": title, "start": _start(when.due, zone), "timezone": zone}
    if (end := _end(arguments.end_text, when, setting)) is not None:
        payload["end"] = fields["end"] = end
    elif ends := one_line(arguments.end_text or ""):
        payload["endText"] = ends
    for name, text in (("location", one_line(arguments.location or "")), ("description", clean(arguments.notes or ""))):
        if text.strip():
            payload[name] = fields[name] = text.strip()
    if when.recurrence is not None:
        payload["recurrence"] = fields["recurrence"] = when.recurrence
    if when.note is not None:
        payload["dueNote"] = when.note
    return payload, SetCalendarEvent(fields=fields, created_from=setting.message_id)


def update_event(arguments: UpdateEventArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    found = find_event(arguments.event, setting)
    fields: dict[str, Json] = {}
    if arguments.new_title is not None and (title := one_line(arguments.new_title)):
        fields["title"] = title
    if arguments.location is not None:
        fields["location"] = one_line(arguments.location) or None
    phrase = one_line(arguments.start_text or "")
    start = _new_start(phrase, found, setting) if phrase else None
    if start is not None:
        fields["start"] = start
    if not fields:
        raise NotUnderstood(f"I do not know what to change about “{found.entry.title}”, so it stays as it is.")
    payload: dict[str, Json] = {"eventId": found.calendar_id, "title": found.entry.title, "changes": dict(fields)}
    if found.entry.recurrence is None:
        return payload, SetCalendarEvent(calendar_id=found.calendar_id, fields=fields)
    payload["occurrence"] = found.original
    return payload, MoveOccurrence(
        calendar_id=found.calendar_id,
        original=found.original,
        fields={**_of_occurrence(found, start), **fields},
        created_from=setting.message_id,
    )


def delete_event(arguments: DeleteEventArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    found = find_event(arguments.event, setting)
    payload: dict[str, Json] = {"eventId": found.calendar_id, "title": found.entry.title, "start": found.start}
    if found.entry.recurrence is None:
        return payload, RemoveCalendarEvent(calendar_id=found.calendar_id)
    payload["occurrence"] = found.original
    excluded = [*found.entry.excluded, found.original]
    return payload, SetCalendarEvent(calendar_id=found.calendar_id, fields={"excluded": excluded})


def _start(due: str, zone: str) -> str:
    return moved_past_gap(due, zone).local


def _end(text: str | None, start: When, setting: Setting) -> str | None:
    """`until 9 pm`, or `for two hours`; of whole days the last, as `until Friday`. None where nothing of use was said,
    and the event takes its usual time."""
    phrase = one_line(text or "")
    if not phrase:
        return None
    begins = datetime.fromisoformat(start.due)
    bare = phrase.casefold().removeprefix("until ").removeprefix("till ").removeprefix("to ")
    lasting = bare.removeprefix("for ").removeprefix("lasting ")
    said = f"in {lasting}" if lasting != bare else f"at {bare}" if bare[:1].isdigit() else bare
    when = setting.when(said, now=begins) or setting.when(bare, now=begins)
    if when is None or when.due <= start.due or len(when.due) != len(start.due):
        return None
    if "T" not in when.due:
        last = date.fromisoformat(when.due) - timedelta(days=1 if lasting != bare else 0)
        return (last + timedelta(days=1)).isoformat()
    due = when.due
    if BARE_HOUR.fullmatch(said) is not None:
        # "From 6 to 8" ends when a clock shows an eight for the first time after six.
        half = _HALF_DAY if begins + _HALF_DAY < datetime.fromisoformat(due) else timedelta()
        due = (datetime.fromisoformat(due) - half).strftime("%Y-%m-%dT%H:%M")
    return _start(due, setting.brain.timezone)


def _new_start(phrase: str, found: Occurrence, setting: Setting) -> str:
    """An hour alone is one of the event's day, a day alone keeps the event's hour."""
    zone, user_zone = found.entry.timezone, setting.brain.timezone
    when = moved(phrase, local_start(found, user_zone), setting)
    if when is None or when.recurrence is not None:
        raise NotUnderstood(f"I do not understand the time “{phrase}”, so “{found.entry.title}” stays as it is.")
    if "T" not in when.due:
        return when.due
    # The user speaks of their own clock, wherever the event was made.
    return local_minute(moved_past_gap(when.due, user_zone).at_ms, zone)


def _of_occurrence(found: Occurrence, start: str | None) -> dict[str, Json]:
    """What one of a series is when it stands alone."""
    begins = start or found.start
    return {
        "title": found.entry.title,
        "start": begins,
        "end": later(begins, between(found.start, found.end)),
        "timezone": found.entry.timezone,
        "description": found.entry.description,
        "location": found.entry.location,
        "attendees": list(found.entry.attendees),
    }


# --- which event is meant -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Named:
    """`day` and `hour`, local to the user, where they were said; `words` of the title."""

    words: frozenset[str]
    day: str = ""
    hour: str = ""


def find_event(text: str, setting: Setting) -> Occurrence:
    """The one that is meant, today or ahead. Raises `NotUnderstood`."""
    zone = setting.brain.timezone
    midnight = setting.now.replace(hour=0, minute=0, second=0, microsecond=0)
    from_ms = instant_ms(midnight.isoformat(), zone)
    entries = ((calendar_id, state.entry) for calendar_id, state in setting.brain.calendar.items())
    ahead = occurrences(entries, from_ms=from_ms, until_ms=from_ms + DAYS_AHEAD * 86_400_000, limit=FOUND_MAX)
    shown = one_line(text)
    if shown in setting.brain.calendar:
        ahead = [one for one in ahead if one.calendar_id == shown]
        if ahead:
            return ahead[0]
    for named in _readings(shown, setting, midnight):
        fitting = [one for one in ahead if _fits(one, named, zone)]
        if fitting:
            return _the_one(fitting, shown, setting, zone)
    raise NotUnderstood(f"I found nothing in your calendar that is “{shown}”, so nothing was changed.")


def _readings(text: str, setting: Setting, midnight: datetime) -> list[_Named]:
    """What the words may mean: a day, an hour and a title, where parts of them are such; then a title alone."""
    words = [word.strip('.,;:!?"“”') for word in text.replace("’s ", " ").replace("'s ", " ").split()]
    found = []
    for named, rest in _phrases(words, setting, midnight):
        # "My 3 pm meeting tomorrow" has its hour and its day in two places.
        others = _phrases(rest, setting, midnight) if bool(named.day) != bool(named.hour) else []
        for other, left in others:
            if bool(other.day) != bool(named.day) and bool(other.hour) != bool(named.hour):
                found.append(_Named(_content(left), named.day or other.day, named.hour or other.hour))
        found.append(named)
    # What says most is read first.
    found.sort(key=lambda named: not (named.day and named.hour))
    return [*found, _Named(_content(words))]


def _phrases(words: list[str], setting: Setting, midnight: datetime) -> list[tuple[_Named, list[str]]]:
    """Each reading of a part of `words` as a time, the longest first, and the words around it."""
    found = []
    for count in range(min(len(words), PHRASE_WORDS_MAX), 0, -1):
        for first in range(len(words) - count + 1):
            phrase = " ".join(words[first : first + count])
            is_time = names_only_a_time(phrase)
            # An hour alone may be one that is over today.
            when = setting.when(phrase, now=midnight - timedelta(minutes=1) if is_time else midnight)
            if when is None or when.recurrence is not None:
                continue
            rest = [*words[:first], *words[first + count :]]
            found.append((_Named(_content(rest), "" if is_time else when.due[:10], when.due[11:]), rest))
            if is_time and "m" not in phrase.casefold() and ":" not in phrase:
                found.append((_Named(_content(rest), "", other_half(when.due[11:])), rest))
    return found


def _content(words: list[str]) -> frozenset[str]:
    return frozenset(word for each in words if (word := each.casefold()) and word not in _ANY_EVENT)


def _fits(one: Occurrence, named: _Named, zone: str) -> bool:
    local = local_start(one, zone)
    if (named.day and local[:10] != named.day) or (named.hour and local[11:] != named.hour):
        return False
    title = one_line(one.entry.title).casefold()
    return all(word in title for word in named.words)


def local_start(one: Occurrence, zone: str) -> str:
    """On the user's own clock; a whole day is a day anywhere."""
    if "T" not in one.start:
        return one.start
    return local_minute(one.starts_at_ms, zone)


def _the_one(fitting: list[Occurrence], text: str, setting: Setting, zone: str) -> Occurrence:
    """The next one, unless others are as near. Raises `NotUnderstood`."""
    now_ms = int(setting.now.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    coming = [one for one in fitting if one.ends_at_ms > now_ms] or fitting
    day = local_start(coming[0], zone)[:10]
    near = [one for one in coming if local_start(one, zone)[:10] == day]
    exact = [one for one in near if one_line(one.entry.title).casefold() == text.casefold()]
    if len(exact or near) == 1:
        return (exact or near)[0]
    shown = ", ".join(f"“{one_line(one.entry.title)}” ({local_start(one, zone)[11:] or 'all day'})" for one in near)
    if len(near) > SHOWN_MAX:
        shown = f"{len(near)} events on that day"
    raise NotUnderstood(f"More than one event fits “{text}”: {shown}. Please say which one.")
