"""Phrases of time as people write them in English: found and cut out, never resolved.

The caller's code knows the user's clock and zone; here "tomorrow at 5" stays the words that it is.
"""

from __future__ import annotations

import re

_TAIL_CHARACTERS_MAX = 120  # of a phrase at the end of a sentence


def pattern(text: str) -> re.Pattern[str]:
    """A space stands for blanks, ` ?` for blanks or none, a straight apostrophe for a curly one too."""
    blanks = text.replace(" ?", r"\s*").replace(" ", r"\s+")
    return re.compile(blanks.replace("'", "['’]"), re.IGNORECASE | re.DOTALL)


_PART = r"(?:morning|noon|afternoon|evening|night)\b"
_DAY_NAME = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_DAY_SHORT = r"(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)\b\.?"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_YEAR = r"(?:,? \d{4}\b)?"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)"
_COUNT = r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|half an|\d{1,3}|a few|a couple of)"
_UNIT = r"(?:minute|min|hour|hr|day|week|month|year)s?"
_ON = r"(?:(?:on|by|before|until) )?"
_HOUR = r"\d{1,2}(?:[:.]\d{2})?"
_OCLOCK = rf"{_HOUR}(?: ?(?:am|pm|a\.m\.?|p\.m\.?)\b| ?o'clock)"

_ONE = "|".join(
    (
        rf"(?:at |by |around |before |after )?(?:{_OCLOCK}|\d{{1,2}}:\d{{2}}|(?:noon|midday|midnight)\b)",
        rf"(?:at|by|around) {_HOUR}(?![\w%])",
        r"(?:by |until )?(?:the )?day after tomorrow",
        rf"(?:by |until )?(?:today|tonight|tomorrow|tmrw)\b(?: {_PART})?",
        rf"(?:(?:on|by|next|this|coming|until|before|from|every) )+(?:{_DAY_NAME}s?|{_DAY_SHORT})(?: {_PART})?",
        rf"{_DAY_NAME}(?: {_PART})?",
        r"(?:by )?(?:this|next) (?:weekend|week|month|year|morning|afternoon|evening)\b",
        r"(?:at |by )?(?:the )?end of (?:(?:the|this|next) )?(?:day|week|month|year)\b",
        rf"in {_COUNT} {_UNIT}\b",
        r"in the (?:morning|afternoon|evening)\b",
        r"(?:every|each) (?:other )?(?:day|week|month|year|morning|afternoon|evening|night|weekday|weekend|hour)\b",
        rf"every {_COUNT} {_UNIT}\b",
        r"(?:daily|weekly|monthly|yearly)\b",
        rf"{_ON}(?:the )?{_ORDINAL}\b(?: (?:of )?{_MONTH})?{_YEAR}",
        rf"{_ON}{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b{_YEAR}",
        rf"{_ON}\d{{1,2}} {_MONTH}{_YEAR}",
        rf"{_ON}\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]\d{{2}}:\d{{2}})?",
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
