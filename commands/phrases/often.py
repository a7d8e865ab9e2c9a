"""Phrases that say more than one reminder can: several hours of a day, or oftener than daily. Pure.

A rule repeats at most daily and at one hour (domain/recurrence.py). Several hours are told apart here, one phrase for
each; what is oftener than that can only be said to be so.
"""

from __future__ import annotations

import re

_HOUR = r"(?:[01]?\d|2[0-4])(?:[:.][0-5]\d)?(?![\d:.]?\d)"
_HALF = r"(?:[ap]\.?\s?m\b\.?|uhr\b|o'clock\b)"
_CLOCK = rf"(?:{_HOUR}(?:\s*{_HALF})?|noon\b|midnight\b|mittags?\b)"
_AND = r"(?:\s*,\s*(?:and\s+|und\s+)?|\s+(?:and|und|&)\s+)(?:(?:at|um)\s+)?"
_HOURS = re.compile(
    rf"(?P<at>\b(?:at|um|by)\s+)?(?P<all>(?<![\w/.:-]){_CLOCK}(?:{_AND}{_CLOCK})+)(?![\w/%-])", re.IGNORECASE
)
_ONE = re.compile(rf"(?P<hour>{_HOUR})(?:\s*(?P<half>{_HALF}))?|(?P<named>noon|midnight|mittags?)", re.IGNORECASE)
_SPAN = re.compile(r"\b(?:between|from|zwischen|von)\s+$", re.IGNORECASE)
_CLEAR = re.compile(r"[ap]\.?\s?m\b|uhr|:|noon|midnight|mittag|o'clock", re.IGNORECASE)
_NOON = 12

_MANY = (
    r"(?:twice|thrice|(?:two|three|four|five|six|several|many|[2-9]|\d\d)\s+times"
    r"|(?:zwei|drei|vier|fünf|sechs|mehr|\d{1,2}\s*)mals?)"
)
_TOO_OFTEN = re.compile(
    r"\b(?:every|each|jede[rns]?|alle)\s+(?:\w+\s+){0,2}?(?:seconds?|minutes?|mins?|hours?|hrs?|sekunden?|minuten?|stunden?)\b"
    r"|\b(?:hourly|stündlich|stuendlich)\b"
    rf"|\b{_MANY}\s+(?:an?|per|each|every|am|pro|in\s+der|im)\s+(?P<unit>\w+)",
    re.IGNORECASE,
)
_DAY_UNITS = ("day", "tag", "hour", "stunde")


def each_hour(phrase: str) -> tuple[str, ...]:
    """ "Every day at 8am and 8pm" as one phrase for each of its hours; the phrase itself where it names but one. A half
    of the day that is said of the last alone is meant of all of them."""
    match = _HOURS.search(phrase)
    if match is None or _SPAN.search(phrase[: match.start()]) is not None:
        return (phrase,)
    hours = list(_ONE.finditer(match["all"]))
    if match["at"] is None and not all(_CLEAR.search(hour[0]) for hour in hours):
        return (phrase,)
    before, after = phrase[: match.start()], phrase[match.end() :]
    return tuple(" ".join(f"{before} at {said} {after}".split()) for said in _said(hours))


def _said(hours: list[re.Match[str]]) -> list[str]:
    halves = [(hour["half"] or "").casefold() for hour in hours]
    is_last_alone = halves[-1][:1] in ("a", "p") and not any(halves[:-1])
    # Beside an hour after noon, as clocks of 24 hours have it, a bare one is as it is written.
    is_24 = any(hour["hour"] is not None and _number(hour) > _NOON for hour in hours) or "uhr" in halves
    said = []
    for hour, half in zip(hours, halves, strict=True):
        if hour["named"] is not None:
            said.append("noon" if not hour["named"].casefold().startswith("midn") else "midnight")
        elif is_24 and half[:1] not in ("a", "p"):
            said.append(f"{_number(hour):02}:{re.split('[:.]', hour['hour'])[1] if len(hour['hour']) > 2 else '00'}")
        else:
            said.append(f"{hour['hour']} {half or (halves[-1] if is_last_alone else '')}".strip())
    return said


def _number(hour: re.Match[str]) -> int:
    return int(re.split("[:.]", hour["hour"])[0])


def too_often(phrase: str) -> str | None:
    """What to say instead of a phrase that no reminder can follow; None for any other."""
    match = _TOO_OFTEN.search(phrase)
    if match is None:
        return None
    if match["unit"] is None or match["unit"].casefold().startswith(_DAY_UNITS):
        return (
            "Name the hours, such as “every day at 9am, 1pm and 5pm”, and each of them becomes a reminder of its own."
        )
    return "Name the days, such as “every Tuesday and Friday at 9am” or “on the 1st and the 15th of each month”."
