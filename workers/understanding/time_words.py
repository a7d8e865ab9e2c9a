"""Phrases of time as people write them in English: found and cut out, never resolved.

The caller's code knows the user's clock and zone; here "tomorrow at 5" stays the words that it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from workers.understanding.german_words import GERMAN_MOVED_BY, GERMAN_TIME

_TAIL_CHARACTERS_MAX = 120  # of a phrase at the end of a sentence
_PIECES_MAX = 5  # of a phrase, after its first
_TEXT_CHARACTERS_MAX = 1_000  # of a sentence, looked through for times
FOLLOW_UP_CHARACTERS_MAX = 120
NOON = 12


class Pattern:
    """A pattern that is compiled when it is first used: each with a phrase of time in it takes 20 ms and more, which a
    process that only just started has no time for, and most of them it may never use. `needs`: words, one of which is
    in every text that it fits; without them it is not even compiled."""

    def __init__(self, text: str, needs: str = "") -> None:
        self._text = text
        self._needs = re.compile(needs, re.IGNORECASE) if needs else None

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._text, re.IGNORECASE | re.DOTALL)

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        return self._compiled.search(text, start) if self._may_fit(text) else None

    def match(self, text: str) -> re.Match[str] | None:
        return self._compiled.match(text) if self._may_fit(text) else None

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return self._compiled.fullmatch(text) if self._may_fit(text) else None

    def _may_fit(self, text: str) -> bool:
        return self._needs is None or self._needs.search(text) is not None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        return self._compiled.finditer(text)

    def sub(self, replacement: str, text: str, count: int = 0) -> str:
        return self._compiled.sub(replacement, text, count)


def pattern(text: str, needs: str = "") -> Pattern:
    """A space stands for blanks, ` ?` for blanks or none, a straight apostrophe for a curly one too."""
    blanks = text.replace(" ?", r"\s*").replace(" ", r"\s+")
    return Pattern(blanks.replace("'", "['’]"), needs)


_PART = r"(?:morning|noon|afternoon|evening|night)\b"
_DAY_NAME = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_DAY_SHORT = r"(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)\b\.?"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_YEAR = r"(?:,? \d{4}\b)?"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)"
_SPELLED = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_TENS = r"(?:twenty|thirty|forty|fifty)(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?"
_NTH = (
    rf"(?:{_ORDINAL}|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth"
    r"|(?:twenty|thirty)-(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth))"
)
_NUMBER = rf"(?:{_SPELLED}|fifteen|{_TENS}|\d{{1,3}}(?:\.5)?)"
_COUNT = rf"(?:half an?|a few|a couple of|an?|{_NUMBER}(?: and a half)?)"
_UNIT = r"(?:(?:business|working) day|minute|min|hour|hr|day|weekday|week|fortnight|month|quarter|year)s?\b"
_AMOUNT = rf"{_COUNT} {_UNIT}(?: and a half)?(?: (?:and )?{_COUNT} {_UNIT})?"
_ON = r"(?:(?:on|by|before|until|till|starting) )*"
_HOUR = r"\d{1,2}(?:[:.]\d{2})?"
_HALF_DAY = r"(?:(?:am|pm)\b|[ap]\.m\.?)"
_OCLOCK = rf"(?:{_HOUR}|{_SPELLED})(?: ?{_HALF_DAY}| ?o'clock)"
_ABOUT = r"(?:half past|(?:a )?quarter (?:past|after|to))"
_NAMED_HOUR = rf"(?:{_SPELLED}|\d{{1,2}})\b(?: ?{_HALF_DAY})?"
_OF_MONTH = rf"(?:of|in) (?:(?:(?:the|this|next|every|each) )?month|{_MONTH})"
_PERIOD = rf"(?:(?:the|this|next) )?(?:day|week|month|year)\b|{_MONTH}"
_EVERY_ONE = (
    rf"(?:every|each) (?:(?:other|last|{_NTH}|{_NUMBER}) )?"
    rf"(?:(?:{_DAY_NAME}s?|{_DAY_SHORT})(?:,? (?:and )?{_DAY_NAME})*+|{_UNIT}|weekend|morning|afternoon|evening|night)"
    rf"(?: {_PART})?(?: of (?:the|each|every) month)?"
)
_AT = rf"(?:at|by|around) (?:{_OCLOCK}|{_HOUR}(?![\w%]))"

_TIMES = r"(?:once|twice|thrice|(?:two|three|four|five|six|several|\d{1,2}) times)"

_ONE = "|".join(
    (
        # More often than once a day, or so many times: found, so that it is in no title; understood by nobody.
        rf"{_TIMES} (?:an?|per|each|every) (?:day|week|month|year|hour)\b",
        rf"{_EVERY_ONE}(?: {_AT})?,? (?:for {_AMOUNT}|{_NUMBER} times)",
        _EVERY_ONE,
        rf"(?:at |by |around )?{_ABOUT} {_NAMED_HOUR}",
        rf"(?:(?:at|by|around) {_NUMBER}(?: minutes)?|{_NUMBER} minutes) (?:past|to) {_NAMED_HOUR}",
        rf"{_NUMBER} past {_NAMED_HOUR}",
        rf"(?:at |by |around |before |after )?(?:{_OCLOCK}|\d{{1,2}}:\d{{2}}|(?:noon|midday|midnight)\b)",
        rf"(?:at|by|around) (?:{_HOUR}|(?:[01]\d|2[0-3])[0-5]\d|{_SPELLED}(?: (?:fifteen|{_TENS}))?)(?![\w%])",
        r"(?:by |until )?(?:the )?day after tomorrow",
        rf"(?:by |until |starting )?(?:today|tonight|tomorrow|tmrw)\b(?: {_PART})?",
        rf"(?:(?:on|by|next|this|coming|until|till|before|from|starting|every) )+(?:{_DAY_NAME}s?|{_DAY_SHORT})"
        rf"(?: {_PART})?",
        rf"{_DAY_NAME}s?\b(?: {_PART})?",
        r"(?:by )?(?:this|next) (?:weekend|week|month|year|morning|afternoon|evening)\b",
        r"(?:by )?the (?:week|month) after next|(?:on |over |at )?the weekend",
        rf"(?:at |by )?(?:the )?(?:end|start|beginning|middle) of (?:{_PERIOD}){_YEAR}",
        rf"(?:by )?(?:eod|cob|mid[ -]{_MONTH})\b",
        rf"in {_AMOUNT}(?:'s? time)?",
        rf"{_AMOUNT} from (?:now|today|tomorrow|{_DAY_NAME})",
        r"in the (?:morning|afternoon|evening)\b",
        rf"in (?:the )?{_MONTH}{_YEAR}",
        rf"every (?:{_NTH}(?: and {_NTH})?(?: of (?:the|each) month)?|{_MONTH} \d{{1,2}}|\d{{1,2}} {_MONTH})",
        r"once an? (?:day|week|month|year|hour)\b",
        r"(?:daily|weekly|biweekly|fortnightly|monthly|quarterly|yearly|annually)\b",
        rf"(?:on )?the (?:last|{_NTH}) (?:{_DAY_NAME}|day) {_OF_MONTH}|on the (?:last|{_NTH}) (?:{_DAY_NAME}|day)",
        rf"{_ON}the {_NTH} {_OF_MONTH}|{_ON}the (?:twenty|thirty)-[a-z]{{4,7}}\b",
        rf"{_ON}(?:the )?{_ORDINAL}\b(?: (?:of )?{_MONTH})?{_YEAR}",
        rf"{_ON}{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b{_YEAR}",
        rf"{_ON}\d{{1,2}} {_MONTH}{_YEAR}",
        rf"{_ON}\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]\d{{2}}:\d{{2}}(?::\d{{2}})?)?",
        rf"{_ON}\d{{1,2}}/\d{{1,2}}(?:/(?:\d{{4}}|\d{{2}}))?\b",
    )
)
MOVED_BY = rf"(?:by {_AMOUNT}|{_AMOUNT} (?:later|earlier)|{GERMAN_MOVED_BY})"
# "At 8, 14 and 20": hours may be told in a row.
_CLOCK_HOUR = rf"{_HOUR}(?: ?{_HALF_DAY}| ?uhr\b)?"
_AT_HOURS = (
    rf"(?:at|um) {_CLOCK_HOUR}(?:, (?:(?:at|um) )?{_CLOCK_HOUR}){{0,8}}"
    rf",? (?:and|und|&) (?:(?:at|um) )?{_CLOCK_HOUR}(?![\w%])"
)
_EACH = rf"{_AT_HOURS}|{_ONE}|{GERMAN_TIME}"
# Possessive and bounded, so that no text has very many ways to be read as one phrase of time.
WHEN = rf"(?:{_EACH})(?:,? (?:(?:and|und) )?(?:{_EACH})){{0,{_PIECES_MAX}}}"

_AT_END = pattern(rf"(?:^|[\s,(])(?P<when>{WHEN})[\s).!?]*$")
_AT_START = pattern(rf"(?P<when>{WHEN})(?:[\s,]+(?:and )?)(?P<rest>.+)")
WHEN_WITHIN = pattern(rf"(?:^|(?<=[\s,(]))(?P<when>{WHEN})(?=[\s,.!?)]|$)")

_CLOCK = rf"(?:(?:{_OCLOCK}|{_HOUR}(?![\w%:])|{_SPELLED}\b)(?: ?uhr\b)?|(?:noon|midday|midnight)\b)"
_TO = r"(?: ?[-–—] ?| (?:to|till|until|through|and|bis|und) )"
_FROM_TO = pattern(
    rf"(?:^|(?<=[\s,(]))(?P<from>(?:from|between|at|von|zwischen|um) )?(?P<first>{_CLOCK}){_TO}(?P<last>{_CLOCK})"
    r"(?=[\s,.!?)]|$)"
)
_DAY_TO_DAY = pattern(
    rf"(?:^|(?<=[\s,(]))(?:from|between|von|vom) (?P<first>{WHEN}){_TO}(?P<last>{WHEN})(?=[\s,.!?)]|$)"
)
_ENDS = pattern(
    rf"(?:^|(?<=[\s,(]))(?P<end>(?:until|till) {_CLOCK}|(?:for|lasting) {_AMOUNT}|bis {_CLOCK})(?=[\s,.!?)]|$)"
)
_CLEARLY_CLOCK = re.compile(r"[ap]\.?m\b|[:.]\d|o'clock|uhr|noon|midday|midnight", re.IGNORECASE)
_AND = re.compile(r"\s(?:and|und)\s", re.IGNORECASE)
_DASHED = re.compile(r"\d{1,2}\s*[-–—]\s*\d{1,2}")
_HALF_SAID = re.compile(r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?\s*(?:(?P<half>[ap])\.?m\.?)?", re.IGNORECASE)
_NAMES_SOMETHING = re.compile(r"\b(?:the|a|an|my|our|this|that|'s)$", re.IGNORECASE)
_WEEKEND = re.compile("weekend|wochenende", re.IGNORECASE)
# "24.12." and "am 3.", but not "um 9.30." or "um 5.".
ENDS_WITH_DATE = re.compile(
    r"(?:(?<!um )\b\d{1,2}\.\s?(?:1[0-2]|0?[1-9])|\b(?:am|zum|den|vom) \d{1,2})\.$", re.IGNORECASE
)
_LEFT_OVER = re.compile(r"(?:(?:^|\s+)(?:for|from|on|at|by|between|to|until)|[\s,:;–-])+$", re.IGNORECASE)


_ALONE = pattern(
    rf"(?:(?:no|oh|sorry|wait|actually|i mean|i meant|rather|better|make that|ok|okay"
    r"|nein|doch|lieber|besser|ich meine)[ ,.!–-]+)*"
    rf"(?P<when>{WHEN}|(?:at )?\d{{1,2}}(?:[:.]\d\d)?)(?:,? (?:instead|rather|then|please|bitte|lieber))*[.!]?"
)


def time_alone(text: str) -> str:
    """The time in a message that says nothing else, such as "no, Friday at 3 instead"; empty for any other."""
    match = _ALONE.fullmatch(text.strip()) if len(text) <= FOLLOW_UP_CHARACTERS_MAX else None
    return match["when"] if match is not None else ""


def is_weekend(phrase: str) -> bool:
    """Whether a phrase of time names a weekend, which is two days."""
    return _WEEKEND.search(phrase) is not None


def tidy_time(text: str) -> str:
    """On one line, without what ends a sentence; but "22.12." is no date without its last full stop."""
    text = " ".join(text.split()).strip(' ,!?"“”')
    return text if ENDS_WITH_DATE.search(text) else text.rstrip(" ,.!?")


def split_when(text: str) -> tuple[str, str]:
    """`text` without the phrase of time that it ends with, and that phrase; the phrase is empty where there is none."""
    text = text.strip()
    match = _AT_END.search(text, max(0, len(text) - _TAIL_CHARACTERS_MAX))
    if match is None or not text[: match.start()].strip():
        return text, ""
    return text[: match.start()].rstrip(" ,(").removesuffix(" for"), match.group("when")


def split_leading_when(text: str) -> tuple[str, str]:
    """The phrase of time that `text` begins with, and the rest; the phrase is empty where there is none."""
    match = _AT_START.fullmatch(text)
    return (match.group("when"), match.group("rest")) if match else ("", text)


def split_times(text: str) -> tuple[str, str, str]:
    """`text` without its times, when it begins, and when it ends (`until 3pm`, `for two hours`); empty if not said."""
    text = text.strip()[:_TEXT_CHARACTERS_MAX]
    hours = next((match for match in _FROM_TO.finditer(text) if _is_clear(match)), None)
    if hours is not None:
        title, day = split_anywhere(_without(text, hours))
        first = _in_the_half_of(hours["first"], hours["last"])
        return title, f"{day} at {first}".strip(), f"until {hours['last']}"
    days = _DAY_TO_DAY.search(text)
    if days is not None:
        return _tidy(_without(text, days)), days["first"], f"until {days['last']}"
    ends = _ENDS.search(text)
    title, when = split_anywhere(text if ends is None else _without(text, ends))
    return title, when, "" if ends is None else ends["end"]


def split_anywhere(text: str) -> tuple[str, str]:
    title, when = split_when(text)
    if when:
        return _tidy(title), when
    matches = WHEN_WITHIN.finditer(text)
    found = [match for match in matches if not _NAMES_SOMETHING.search(text[: match.start()].rstrip())]
    # "The Friday report" names a report; of two phrases nobody knows which one is meant.
    if len(found) != 1:
        return _tidy(text), ""
    return _tidy(_without(text, found[0])), found[0]["when"]


def _is_clear(match: re.Match[str]) -> bool:
    """Not `2 to 3 people`; but `tomorrow 9-10`, where a day stands before it."""
    opened = (match["from"] or "").strip().casefold()
    is_opened = opened in ("from", "between", "at", "von", "zwischen")
    if _AND.search(match[0]) is not None and opened not in ("from", "between", "zwischen"):
        return False  # "at 8am and 8pm" are two hours
    if is_opened or _CLEARLY_CLOCK.search(match[0]) is not None:
        return True
    before = match.string[: match.start()].rstrip()
    return _DASHED.fullmatch(match[0]) is not None and bool(split_when(f"x {before}")[1])


def _in_the_half_of(first: str, last: str) -> str:
    """`2` before `3pm` is 2 pm, and `11` before `1pm` is 11 am."""
    begins, ends = _HALF_SAID.fullmatch(first), _HALF_SAID.fullmatch(last)
    if begins is None or ends is None or begins["half"] or not ends["half"] or int(begins["hour"]) > NOON:
        return first
    half = ends["half"].casefold()
    is_before = _minutes(begins) < _minutes(ends)
    return f"{first} {half if is_before else 'a' if half == 'p' else 'p'}m"


def _minutes(said: re.Match[str]) -> int:
    return int(said["hour"]) % NOON * 60 + int(said["minute"] or 0)


def _without(text: str, match: re.Match[str]) -> str:
    """What stands around it, as one text."""
    before = _LEFT_OVER.sub("", text[: match.start()])
    return f"{before} {text[match.end() :].lstrip(' ,')}".strip()


def _tidy(text: str) -> str:
    return _LEFT_OVER.sub("", text.strip())
