"""What the offline model knows of German: a reminder, its time found by the grammar that will read it. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from commands.phrases.resolve import resolve_phrase
from workers.understanding.time_words import pattern

PHRASE_WORDS_MAX = 6
# Whether words are a phrase of time does not depend on the day. Local, as the grammar wants it.
_ANY_DAY = datetime.fromisoformat("2025-01-01T00:00")

_REMIND = pattern(
    r"erinnere? (?:mich|uns)(?: bitte)?(?P<before>(?: \S+){0,8}?)"
    r",? (?:(?:daran|dran)\b,?(?: dass (?:ich|wir)\b)? |(?:an|dass (?:ich|wir)) )(?P<what>\S.*)"
)
_QUESTION = pattern(
    r"(?:mich|uns)(?: bitte)?(?P<before>(?: \S+){0,8}?),? (?:daran,? |dran,? |an )(?P<what>\S.*?),?(?: zu)? erinnern"
)
_ARTICLE = re.compile(r"(?:den|die|das|dem|der|einen?|eine|meinen?|meine) ", re.IGNORECASE)
_DUTY = re.compile(r" (?:muss|soll|müssen|sollen)$", re.IGNORECASE)


def german_reminder(sentence: str) -> tuple[str, str] | None:
    """What to be reminded of, and when in the user's words ("" where nothing was said); None for anything else."""
    bare = sentence.strip(" .!?")
    match = _REMIND.fullmatch(bare) or _QUESTION.fullmatch(bare)
    if match is None:
        return None
    before = " ".join(match["before"].split())
    what, phrase = _split_phrase(" ".join(match["what"].split()))
    title = _DUTY.sub("", _ARTICLE.sub("", what, count=1))
    return title, f"{before} {phrase}".strip()


def _split_phrase(text: str) -> tuple[str, str]:
    """`text` without the longest phrase of time that it begins or ends with, and that phrase."""
    words = text.split(" ")
    for count in range(min(PHRASE_WORDS_MAX, len(words) - 1), 0, -1):
        for phrase, rest in ((words[:count], words[count:]), (words[-count:], words[:-count])):
            if resolve_phrase(" ".join(phrase), _ANY_DAY, "UTC") is not None:
                return " ".join(rest), " ".join(phrase)
    return text, ""
