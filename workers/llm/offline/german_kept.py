"""What the offline model makes of a German sentence about what is kept: memories and preferences. Pure."""

from __future__ import annotations

import re

from commands.preference_values import check_timezone, value_of_text
from domain import limits
from domain.errors import Invalid
from workers.llm.offline.words import NO_NAME, QUOTES, Rule, Said, first_made, rule, unquote
from workers.understanding.german_words import german
from workers.understanding.time_words import pattern

_KEY_WORDS_MAX = 6
_MY = r"(?:mein|meine|meinen|unser|unsere)"
_ARTICLE = re.compile(r"^(?:meine?[nmr]?|unsere?[nmr]?|de[nrm]|die|das) ", re.IGNORECASE)
# "Dass mein Lieblingsflughafen MUC ist", and "mein Lieblingsflughafen ist MUC".
_IS = (
    pattern(
        german(rf"(?:{_MY} |de[rn] |die |das )?(?P<key>\S.{{0,80}}?) (?:ist|sind|heißt|heißen|lautet) (?P<value>\S.*)")
    ),
    pattern(german(rf"(?:{_MY} |de[rn] |die |das )(?P<key>\S+) (?P<value>\S.*) (?:ist|sind|heißt|heißen|lautet)")),
)
_SELF = (
    pattern(r"ich (?P<key>wohne) (?:in |bei )?(?P<value>\S.*)"),
    pattern(r"ich (?P<key>arbeite) (?:bei|als|in) (?P<value>\S.*)"),
    pattern(german(r"ich (?P<key>heiße) (?P<value>\S.*)")),
    pattern(r"ich (?:in |bei )(?P<value>\S.*) (?P<key>wohne|arbeite)"),
)
_KEYS = {"wohne": "Wohnort", "arbeite": "Arbeit", "heiße": "Name", "heisse": "Name"}
_TASTE = pattern(
    german(r"ich (?:mag|liebe|hasse|bevorzuge|trinke|esse)(?: (?:am liebsten|lieber|gerne?|kein\w*))? (?P<key>\S.*)")
)
# "Merk dir nicht, dass …", "merk dir das nicht".
_NOT_THAT = re.compile(r"nicht,? dass\b|(?:das|es|dies\w*)(?: bitte| lieber| doch)* nicht(?: mehr)?$", re.IGNORECASE)
_LIKED = german(r"(?:lieblings\w+|bevorzugt\w* \w+)")


def german_kept(sentence: str) -> Said | None:
    """The tool of memories or preferences that a sentence asks for, with its arguments."""
    return first_made(_RULES, sentence)


def _remember(match: re.Match[str]) -> Said | None:
    fact = match["fact"].strip(" .!,")
    if _NOT_THAT.match(fact) is not None:
        return None
    kind, key, value = _fact(fact)
    if not key or not value or NO_NAME.fullmatch(fact):
        return None
    return "pin_memory", {"type": kind, "key": key, "value": value}


def _fact(fact: str) -> tuple[str, str, str]:
    """Its kind, key and value."""
    kind, key, value = "fact", " ".join(fact.split()[:_KEY_WORDS_MAX]), fact
    known = next((match for each in (*_SELF, *_IS) if (match := each.fullmatch(fact))), None)
    if known is not None:
        key, value = _KEYS.get(known["key"].casefold(), known["key"]), known["value"]
    elif (taste := _TASTE.fullmatch(fact)) is not None:
        kind, key = "preference", taste["key"]
    if re.match(_LIKED, key, re.IGNORECASE):
        kind = "preference"
    key = unquote(key.strip())[: limits.MEMORY_KEY_CHARACTERS_MAX].strip()
    return kind, key, unquote(value.strip())[: limits.MEMORY_VALUE_CHARACTERS_MAX].strip()


def _forget(match: re.Match[str]) -> Said | None:
    said = match["fact"].strip(QUOTES + " .!?,")
    if re.fullmatch(r"(?:das|es|alles|dies\w*|ihn|sie)", said, re.IGNORECASE):
        return None
    key = _fact(said)[1] if match["that"] else _ARTICLE.sub("", said, count=1)
    key = key[: limits.MEMORY_KEY_CHARACTERS_MAX].strip()
    return ("forget_memory", {"key": key}) if key else None


def _timezone(match: re.Match[str]) -> Said | None:
    value = match["value"].strip(QUOTES + " .!")
    try:
        check_timezone(value_of_text("timezone", value, None))
    except Invalid:
        return None
    return "set_preference", {"key": "timezone", "value": value}


def _work_hours(match: re.Match[str]) -> Said:
    return "set_preference", {"key": "workHours", "value": f"{match['first']} - {match['last']}"}


_HOURS = r"von (?P<first>\d{1,2}(?:[:.]\d\d)?)(?: uhr)? bis (?P<last>\d{1,2}(?:[:.]\d\d)?)(?: uhr)?"
_RULES: tuple[Rule[Said], ...] = (
    rule(r"(?:stelle?|setze?|wechs?le) (?:meine |die )?zeitzone (?:auf|zu) (?P<value>\S.*?)(?: um)?", _timezone),
    rule(german(r"(?:ändere? )?meine zeitzone (?:ist|auf|zu) (?P<value>\S.*)"), _timezone),
    rule(rf"(?:meine )?arbeitszeit(?:en)? (?:ist|sind|geht)(?: jetzt)? {_HOURS}", _work_hours),
    rule(german(rf"(?:stelle?|setze?|ändere?) (?:meine |die )?arbeitszeit(?:en)? (?:auf )?{_HOURS}"), _work_hours),
    rule(rf"ich arbeite (?:normalerweise |immer )?{_HOURS}", _work_hours),
    rule(
        r"(?:merke? (?:dir|mir)(?: bitte)?|behalte?(?: dir)?(?: bitte)?)(?:[:,]| dass\b)*(?:,? dass\b)? (?P<fact>\S.*)",
        _remember,
    ),
    rule(
        r"vergiss,? (?!nicht\b)(?:bitte,? )?(?:(?P<that>dass )|(?:alles |was ich )?(?:über |ueber )?)?(?P<fact>\S.*)",
        _forget,
    ),
    # Plain statements that are as good as a request.
    rule(
        german(
            rf"(?P<fact>{_MY} (?:lieblings\w+|{_LIKED}|heimatflughafen|\w*geburtstag|\w*nummer|adresse|\w*name"
            r"|\w*größe)"
            r" (?:ist|sind|lautet) [^?]+"
            r"|meine? \S+ (?:heißt|heißen) [^?]+|ich wohne in (?-i:[A-ZÄÖÜ])[^?]+|ich bevorzuge [^?]+|ich heiße [^?]+)"
        ),
        _remember,
    ),
)
