"""Phrases of time as people write them in English: found and cut out, never resolved.

The caller's code knows the user's clock and zone; here "tomorrow at 5" stays the words that it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

_TAIL_CHARACTERS_MAX = 120  # of a phrase at the end of a sentence


class Pattern:
    """A pattern that is compiled when it is first used: each with a phrase of time in it takes 20 ms and more, which a
    process that only just started has no time for, and most of them it may never use."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._text, re.IGNORECASE | re.DOTALL)

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        return self._compiled.search(text, start)

    def match(self, text: str) -> re.Match[str] | None:
        return self._compiled.match(text)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return self._compiled.fullmatch(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        return self._compiled.finditer(text)

    def sub(self, replacement: str, text: str, count: int = 0) -> str:
        return self._compiled.sub(replacement, text, count)


def pattern(text: str) -> Pattern:
    """A space stands for blanks, ` ?` for blanks or none, a straight apostrophe for a curly one too."""
    blanks = text.replace(" ?", r"\s*").replace(" ", r"\s+")
    return Pattern(blanks.replace("'", "['’]"))


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
    rf"(?:(?:{_DAY_NAME}s?|{_DAY_SHORT})(?:,? (?:and )?{_DAY_NAME})*|{_UNIT}|weekend|morning|afternoon|evening|night)"
    rf"(?: {_PART})?(?: of (?:the|each|every) month)?"
)
_AT = rf"(?:at|by|around) (?:{_OCLOCK}|{_HOUR}(?![\w%]))"

_ONE = "|".join(
    (
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
        rf"{_DAY_NAME}(?: {_PART})?",
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
WHEN = rf"(?:{_ONE})(?:,? (?:and )?(?:{_ONE}))*"

_AT_END = pattern(rf"(?:^|[\s,(])(?P<when>{WHEN})[\s).!?]*$")
_AT_START = pattern(rf"(?P<when>{WHEN})(?:[\s,]+(?:and )?)(?P<rest>.+)")


def split_when(text: str) -> tuple[str, str]:
    """`text` without the phrase of time that it ends with, and that phrase; the phrase is empty where there is none."""
    text = text.strip()
    match = _AT_END.search(text, max(0, len(text) - _TAIL_CHARACTERS_MAX))
    if match is None or not text[: match.start()].strip():
        return text, ""
    return text[: match.start()].rstrip(" ,("), match.group("when")


def split_leading_when(text: str) -> tuple[str, str]:
    """The phrase of time that `text` begins with, and the rest; the phrase is empty where there is none."""
    match = _AT_START.fullmatch(text)
    return (match.group("when"), match.group("rest")) if match else ("", text)
