"""What the offline model makes of a sentence about preferences: time zone, hours of work, notices, travel, and others
by their name. Pure.
"""

from __future__ import annotations

import re

import msgspec

from commands.preference_values import HOURS_SAID, check_timezone, value_of_text
from domain.errors import Invalid
from workers.llm.offline.words import QUOTES, Rule, Said, first_made, rule
from workers.understanding.time_words import WHEN, pattern

SUMMARY_HOUR, NOON = 8, 12

_NOTICES = r"(?:all )?(?:my |the )?(?P<what>notifications?|reminders?|daily (?:summar\w+|briefings?))"
_SET = r"(?:set|change|switch|update|make)"
_LIKED = r"(?:preferred|favou?rite|default|usual)"
_A_TIME = pattern(rf"(?:{WHEN}|\d{{1,2}}(?:[:.]\d\d)?)[.!]?")
_OTHERS = re.compile(r"task|to-?do|reminder|meeting|appointment|event|call|lunch|dinner|\d", re.IGNORECASE)


def preference_wish(sentence: str) -> Said | None:
    """The preference that a sentence sets, as a call of its tool."""
    preference = first_made(_RULES, sentence)
    return None if preference is None else ("set_preference", preference)


def _timezone(match: re.Match[str]) -> dict[str, str]:
    return _preference("timezone", match.group("value"))


def _whereabouts(match: re.Match[str]) -> dict[str, str] | None:
    """ "I'm in Tokyo now" is about the clock only where Tokyo has one of its own."""
    value = match.group("value").strip(QUOTES + " .!")
    try:
        check_timezone(value_of_text("timezone", value, None))
    except Invalid:
        return None
    return _preference("timezone", value)


def _work_hours(match: re.Match[str]) -> dict[str, str]:
    return _preference("workHours", match.group("value"))


def _hours_worked(match: re.Match[str]) -> dict[str, str] | None:
    value = match.group("value").strip(" .!")
    return _preference("workHours", value) if HOURS_SAID.fullmatch(value) else None


def _airline(match: re.Match[str]) -> dict[str, str]:
    return _travel("airlines", [match.group("value").strip(QUOTES + " .!")])


def _airline_avoided(match: re.Match[str]) -> dict[str, str]:
    return _travel("airlinesAvoided", [match.group("value").strip(QUOTES + " .!")])


def _home_airport(match: re.Match[str]) -> dict[str, str]:
    return _travel("homeAirport", match.group("value").upper())


def _cabin(match: re.Match[str]) -> dict[str, str]:
    return _travel("cabin", "_".join(match.group("value").casefold().split()))


def _travel(name: str, value: str | list[str]) -> dict[str, str]:
    return _preference("travel", msgspec.json.encode({name: value}).decode())


def _other(match: re.Match[str]) -> dict[str, str] | None:
    """Any name that can't be a task's or an event's, and a value that is no time."""
    key, value = match.group("key").strip(), match.group("value")
    if _OTHERS.search(key) or _A_TIME.fullmatch(value):
        return None
    first, *rest = key.casefold().split()
    return _preference(first + "".join(word.capitalize() for word in rest), value)


def _preference(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value.strip(QUOTES + " .!")}


def _switch(match: re.Match[str]) -> dict[str, str]:
    """What it is switched to: on or off, of reminders, of the daily summary, or of both."""
    is_on = (match.group("on") or match.group("later") or match.group("able")).casefold() in ("on", "enable")
    what = (match.group("what") or match.group("which") or match.group("named")).casefold()
    if what.startswith("daily"):
        return _notify(f"{SUMMARY_HOUR:02d}:00" if is_on else None)
    changes: dict[str, str | None] = {"reminders": "message" if is_on else "none"}
    if what.startswith("notif") and not is_on:
        changes["dailySummary"] = None
    return _preference("notifications", msgspec.json.encode(changes).decode())


def _daily_summary(match: re.Match[str]) -> dict[str, str] | None:
    """An hour without a half of the day is the morning's: that is when a day begins."""
    hour, minute = int(match.group("hour") or SUMMARY_HOUR), match.group("minute") or "00"
    if (match.group("half") or "").startswith("p") and hour < NOON:
        hour += NOON
    return _notify(f"{hour:02d}:{minute}") if hour < 2 * NOON else None


def _no_summary(match: re.Match[str]) -> dict[str, str]:
    return _notify(None)


def _notify(hour: str | None) -> dict[str, str]:
    return {"key": "notifications", "value": msgspec.json.encode({"dailySummary": hour}).decode()}


_RULES: tuple[Rule[dict[str, str]], ...] = (
    rule(r"(?:(?:set|change|switch|update) )?my time ?zone (?:to|is)(?: now)? (?P<value>\S.*)", _timezone),
    rule(r"(?:i'm|i am) (?=.*\bnow\b)(?:now )?in (?P<value>\S.*?)(?: now)?[.!]?", _whereabouts),
    rule(
        r"(?:(?:set|change|update) (?:my |the )?|my )work(?:ing)? ?hours(?: (?:to|are|is))?(?: now)?:? (?P<value>\S.*)",
        _work_hours,
    ),
    rule(r"i (?:usually |normally )?work (?=from |between |\d)(?P<value>\S.*)", _hours_worked),
    rule(
        rf"(?:(?:turn|switch) (?P<on>on|off) {_NOTICES}|(?:turn|switch) {_NOTICES.replace('<what>', '<which>')}"
        rf" (?P<later>on|off)|(?P<able>enable|disable|mute) {_NOTICES.replace('<what>', '<named>')})[.!]?",
        _switch,
    ),
    rule(
        r"(?:send|give|write) me (?:an? |my |the )?daily (?:summary|briefing)(?: every (?:day|morning))?"
        r"(?: at (?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))? ?(?P<half>[ap]\.?m\.?)?)?"
        r"(?: every (?:day|morning))?[.!]?",
        _daily_summary,
    ),
    rule(
        r"(?:stop|no more|end)(?: sending| with)?(?: me)?(?: my| the)? daily (?:summar\w+|briefings?)[.!]?", _no_summary
    ),
    rule(
        rf"(?:{_SET} my (?:{_LIKED} )?airline(?: preference)? (?:to|is)|my {_LIKED} airline is(?: now)?"
        r"|i prefer (?:to fly|flying)(?: with| on)?) (?P<value>\S.{0,60})",
        _airline,
    ),
    rule(r"(?:i never|never|i won't|i don't) fly with (?P<value>\S.{0,60})", _airline_avoided),
    rule(rf"(?:{_SET} )?my home airport (?:to|is)(?: now)? (?P<value>[a-z]{{3}})[.!]?", _home_airport),
    rule(
        rf"(?:{_SET} my (?:{_LIKED} )?(?:cabin|travel class|class)(?: class)? to|i (?:always )?(?:prefer to )?fly) "
        r"(?P<value>economy|premium economy|business|first)(?: class)?[.!]?",
        _cabin,
    ),
    rule(
        r"(?:set|change|switch) my (?P<key>[a-z][a-z ]{1,40}?)(?: preference| setting)? to (?P<value>\S.{0,80})",
        _other,
    ),
)
