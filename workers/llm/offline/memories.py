"""What the offline model makes of a sentence about memories: what is to be remembered, and what forgotten. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from domain import limits
from workers.llm.offline.words import NO_NAME, POLITE, QUOTES, Said, unquote
from workers.understanding.time_words import Pattern, pattern

KEY_WORDS_MAX = 6

_IS = pattern(r"(?:my |the )?(?P<key>\S.{0,120}?)(?: (?:is|are|=)(?: (?:actually|now))?|:) (?P<value>\S.*)")
_NAME = pattern(r"call me (?P<value>\w+)")
_SITUATION = pattern(r"i (?P<key>live in|live at|work at|work for|work as|was born in|was born on) (?P<value>\S.*)")
_TASTE = pattern(
    r"i (?:really |always |never |usually )?(?:like|love|prefer|enjoy|hate|dislike|avoid|don't like) (?P<key>\S.*)"
)
_SELF = pattern(r"i(?:'m| am)? ")
_MINE = pattern(r"\b(?:my|the) ")
_FAVOURITE = pattern(r"favou?rite|preferred|preference")
_REMEMBER = pattern(
    rf"{POLITE}(?:(?:remember|note|keep in mind|bear in mind|memori[sz]e)(?: for me)?(?:[:,]| that\b|(?= (?:my|i)\b)) ?"
    r"|(?:don't|do not|never) forget(?:,? that(?= (?:i|my|we|our)\b)|(?= i\b)) )(?P<fact>\S.*)"
)
_REMEMBER_THAT = pattern(
    rf"{POLITE}(?P<fact>(?:my|i)\b.*?)(?: now)?[,;:.–-]* (?:please )?remember (?:that|this|it)[.!]?"
)
# Plain statements that are as good as a request: nobody tells their assistant these for the fun of it.
_STATEMENT = pattern(
    rf"{POLITE}(?P<fact>my (?:favou?rite|preferred|home|usual) [^?]{{1,80}}? (?:is|are) "
    r"(?!when\b|that\b|how\b|if\b)[^?]+"
    r"|my [^?]{0,60}?(?:name|birthday|anniversary|number|address|e-?mail|size) is [^?]+"
    r"|call me (?-i:[A-Z]\w+)|i (?:live in|live at|work at|work for|was born in|was born on) (?-i:[A-Z0-9])[^?]+"
    r"|i prefer (?!not\b|to\b|if\b|when\b|that\b|it\b|this\b)[^?]+)"
)
_FORGET = pattern(
    rf"{POLITE}(?:forget (?!to\b)|(?:delete|remove) (?:(?:the|my|your) )?memory )(?:(?:about|of) )?(?P<that>that )?"
    r"(?:(?:what|everything) i (?:said|told you) about )?(?P<fact>\S.*)"
)


def memory_wish(sentence: str) -> Said | None:
    """The tool of memories that a sentence asks for, with its arguments."""
    for rule, make in _RULES:
        match = rule.fullmatch(sentence)
        if match is not None:
            return make(match)
    return None


def _remember(match: re.Match[str]) -> Said | None:
    fact = match.group("fact").strip().rstrip(".!").strip()
    kind, key, value = _fact(fact)
    if not key or not value:
        return None
    return "pin_memory", {"type": kind, "key": key, "value": value}


def _fact(fact: str) -> tuple[str, str, str]:
    """Its kind, key and value. What is forgotten is named as it was remembered."""
    bare = _SELF.sub("", fact, count=1) if _SELF.match(fact) else fact
    kind, key, value = "fact", " ".join(bare.split()[:KEY_WORDS_MAX]), fact
    if (known := _IS.fullmatch(fact)) or (known := _SITUATION.fullmatch(fact)):
        key, value = known.group("key"), known.group("value")
    elif name := _NAME.fullmatch(fact):
        key, value = "name", name.group("value")
    elif taste := _TASTE.fullmatch(fact):
        kind, key = "preference", taste.group("key")
    if _FAVOURITE.search(key):
        kind = "preference"
    key = unquote(key.strip())[: limits.MEMORY_KEY_CHARACTERS_MAX].strip()
    return kind, key, unquote(value.strip())[: limits.MEMORY_VALUE_CHARACTERS_MAX].strip()


def _forget(match: re.Match[str]) -> Said | None:
    said = match.group("fact").strip(QUOTES + " .!?")
    if NO_NAME.fullmatch(said):
        return None
    key = _fact(said)[1] if match.group("that") or _IS.fullmatch(said) else _MINE.sub("", said)
    key = key[: limits.MEMORY_KEY_CHARACTERS_MAX].strip()
    return ("forget_memory", {"key": key}) if key else None


# The first that fits a whole sentence decides.
_RULES: tuple[tuple[Pattern, Callable[[re.Match[str]], Said | None]], ...] = (
    (_REMEMBER, _remember),
    (_REMEMBER_THAT, _remember),
    (_FORGET, _forget),
    (_STATEMENT, _remember),
)
