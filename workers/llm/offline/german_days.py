"""What the offline model makes of a German sentence about the calendar. Pure."""

from __future__ import annotations

import re

from workers.llm.offline.days import created, event_named
from workers.llm.offline.words import Rule, Said, first_made, rule
from workers.understanding.german_words import german
from workers.understanding.time_words import WHEN

_EVENT = german(
    r"(?:\w*termine?|\w*treffen|\w*besprechung|\w*meeting|verabredung|\w*interview|mittagessen|abendessen"
    r"|frühstück|brunch|kaffee|\w*feier|\w*party|konzert|telefonat)"
)
_CALENDAR = german(r"(?:(?:de[nm]|meinen?m?) )?(?:kalender|terminkalender)")
_ARTICLE = r"(?:(?:de[nrm]|die|das|eine?n?|eine[mr]|meine[nrm]?|mein) )?"
_HAS_HOUR = re.compile(r"\d|mittag", re.IGNORECASE)
# Nor does anybody tell of what takes place who asks ("haben wir …"), who says that it does not, or only if it does.
_STORY = german(
    r"(?!\w+ (?:ich|du|er|sie|wir|ihr|man)\b)"
    r"(?!.*\b(?:war|waren|hatte|hatten|gestern|was|warum|wie|wo|wann|wer|notizen"
    r"|nicht(?!-| vergessen\b)|nie|kein\w*|wenn|falls|ob|dass"
    r"|abgesagt|verschoben|ausgefallen|fällt|entfällt|verpasst|(?<!nicht\s)vergessen|gehabt|vorbereitet)\b)"
)
_AWAY = german(r"(?:im urlaub|in urlaub|verreist|auf dienstreise|krankgeschrieben)")


def german_event(sentence: str) -> Said | None:
    """The calendar's tool that a sentence asks for, with its arguments."""
    return first_made(_RULES, sentence)


def _ordered(match: re.Match[str]) -> Said | None:
    return created(match["what"], is_sure=True)


def _likely(match: re.Match[str]) -> Said | None:
    return created(match["what"], is_sure=False)


def _entered(match: re.Match[str]) -> Said | None:
    return created(match["what"] or match["asked"], is_sure=False)


def _told(match: re.Match[str]) -> Said | None:
    """What is told of as an event, with its hour, is to be kept."""
    when = match.groupdict().get("when") or ""
    wish = created(f"{when} {match['what']}".strip(), is_sure=False)
    return wish if wish is not None and _HAS_HOUR.search(wish[1].get("start_text", "")) else None


def _away(match: re.Match[str]) -> Said | None:
    return created(f"Urlaub {match['when']}", is_sure=False)


def _cancelled(match: re.Match[str]) -> Said | None:
    return event_named("delete_event", match["what"])


_WHAT = r"(?P<what>\S.*?)"
_WHERE = r"(?:(?:beim?|im|in|mit) (?:\S+ ){1,2}?)"
_ADVERB = german(r"(?:(?:auch|noch|leider|übrigens|wieder) )?")
# "Wichtiges", and not "verschiebe".
_ADJECTIVE = german(r"(?:(?:\w{2,}e[rs]|große|kleine|kurze|nächste|neue|wichtige) )?")
_ENTRY = rf"(?P<what>(?:{WHEN},? )?{_ARTICLE}(?:\S+ )?{_EVENT}\b.*?)"
_RULES: tuple[Rule[Said], ...] = (
    rule(
        german(rf"(?:trage?|schreibe?|setze?|packe?|nimm|füge?)(?: mir)?(?: bitte)? {_WHAT} (?:in|zu|zum) {_CALENDAR}")
        + r"(?: ein| auf| hinzu)?",
        _ordered,
    ),
    rule(
        rf"trage?(?: mir)?(?: bitte)? {_ENTRY} ein"
        rf"|{_ENTRY.replace('what', 'asked')}(?: in {_CALENDAR})? (?:eintragen|setzen)",
        _entered,
        needs="trag|setz",
    ),
    rule(rf"(?:ein )?(?:neuer )?termin ?[:–-] ?{_WHAT}", _ordered),
    rule(
        rf"(?:erstelle?|mache?|lege?|plane?|vereinbare?|neue[rns]?)(?: mir)?(?: bitte)? {_ARTICLE}"
        rf"(?P<what>(?!(?:aufgabe|erinnerung|to-?do)\b)(?:\S+ )?{_EVENT}\b.*?)(?: an| ein| aus)?",
        _likely,
    ),
    rule(
        rf"{_STORY}(?:ich habe?|wir haben) (?P<what>(?:{_WHERE}{WHEN},? (?=eine?n? )|(?:{_ADVERB}{WHEN},? )?{_ADVERB}"
        rf"(?:{_WHERE}(?=eine?n? ))?)(?:{_ARTICLE})(?:\S+ )?{_EVENT}\b.*)",
        _told,
        needs="habe?",
    ),
    # Before it stands nothing but when it is: of an event one can say many things without telling that there is one.
    rule(
        rf"{_STORY}(?:(?:nicht vergessen|wichtig): ?)?"
        rf"(?:(?P<when>{WHEN}),? (?:(?:habe? ich|haben wir|ist(?= eine? )) )?)?"
        rf"(?P<what>{_ARTICLE}{_ADJECTIVE}{_EVENT} (?:mit|bei|beim|von|zum) .*)",
        _told,
        needs="mit|bei|beim|von|zum",
    ),
    rule(rf"{_STORY}ich bin (?P<when>.{{3,60}}) {_AWAY}", _away),
    rule(rf"sage? {_ARTICLE}{_WHAT} ab", _cancelled),
    rule(
        german(rf"(?:lösche?|streiche?|entferne?|storniere?) (?P<what>{_ARTICLE}(?:\S+ )?{_EVENT}\b.*?)")
        + rf"(?: aus {_CALENDAR})?",
        _cancelled,
    ),
)
