"""What a user says about a flight, by rules over words: from, to, when; and what we ask where something is missing.

Pure. An answer to one of our questions is read together with what was said before it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from domain.text import one_line
from workers.understanding.intents import asked
from workers.understanding.time_words import WHEN, pattern, tidy_time

ASKS = "To search for flights I still need to know "
WHERE_TO = ASKS + "where you want to go. Which city or airport is it?"
WHERE_FROM = ASKS + "where you start. Which city or airport is it?"
WHEN_OUT = ASKS + "when you want to leave. Which day or week is it?"
WHEN_BACK = ASKS + "when you want to come back. Which day is it?"
WHICH_TO = ASKS + "which destination you mean. "
WHICH_FROM = ASKS + "which start you mean. "
CHOOSE = "Say “select the first one” to choose one."  # below a list of flights
WAITS = "Approve it, and I select it."  # behind one that was chosen
ANSWER_CHARACTERS_MAX = 200
ANSWER_WORDS_MAX = 6  # of one that names neither a time nor a way: a city, or two of them
TEXT_CHARACTERS_MAX = 1_000  # who wants a flight says so at once
TURNS_MAX = 4  # of questions and answers, read together

_CABINS = (("first", "first"), ("business", "business"), ("premium", "premium_economy"), ("economy", "economy"))
_NUMBERS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}
_NUMBERS |= {"zwei": "2", "drei": "3", "vier": "4", "fünf": "5", "sechs": "6"}
_STOP = (
    r"(?=\s+(?:to|from|for|with|on|in|via|at|by|leaving|departing|returning|return|coming|and|or|please|nach|von|am"
    r"|business|economy|premium|first|non-?stop|direct|next|this|tomorrow|today|cheap\w*|instead|ab|im|um|f(?:ü|ue)r"
    r"|heute|morgen|(?:ü|ue)bermorgen|n(?:ä|ae)chste\w*|zur(?:ü|ue)ck|direkt\w*|fliegen|suchen"
    r"|yesterday|gestern|last|\d+ \w+ ago)\b|\s*(?:[,!?;:(]|(?<!\bst)(?<!\bft)(?<!\bmt)\.)|\s*$)"
)
_TO = re.compile(rf"\b(?:to|into|nach)\s+(?P<place>[^\W\d_][\w .'’/-]{{1,60}}?){_STOP}", re.IGNORECASE)
_FROM = re.compile(rf"\b(?:from|von|ab|out of)\s+(?P<place>[^\W\d_][\w .'’/-]{{1,60}}?){_STOP}", re.IGNORECASE)
_GONE = r"(?:yesterday|gestern|last (?:week|weekend|month|year|\w+day)|\w+ (?:days?|weeks?|months?) ago)\b"
_TIME = pattern(rf"(?:^|(?<=[\s,(]))(?P<when>{_GONE}|{WHEN})(?=[\s,.!?)]|$)")
_BACK = pattern(rf"\b(?:return(?:ing)?|(?:coming |and )?back|zurück)\b(?: (?:on|at))?[ ,]*(?P<when>{WHEN})")
_PEOPLE = re.compile(
    r"\b(?:for|für|fuer) (?P<count>[1-9]|one|two|three|four|five|six|zwei|drei|vier|fünf|sechs)\b"
    r"(?! (?:days?|weeks?|nights?|tage?|wochen?|nächte))(?: (?:people|persons?|adults|of us|personen|leute))?",
    re.IGNORECASE,
)
_NONSTOP = re.compile(r"\bnon-?stop\b|\bdirect\b|\bdirekt\w*\b|\bohne umstieg\w*\b", re.IGNORECASE)
# What is to come first, of the words that were said last.
_ORDER = re.compile(
    r"\b(?:(?P<cheapest>cheap\w*|less expensive|lower price|g(?:ü|ue)nstig\w*|billig\w*|preiswert\w*)"
    r"|(?P<earliest>earl(?:y|ier|iest)|sooner|fr(?:ü|ue)h(?:er|ere|este)\w*)"
    r"|(?P<latest>later|latest|sp(?:ä|ae)te\w*)|(?P<fastest>fast(?:er|est)|quick\w*|short(?:er|est)|schnell\w*))\b",
    re.IGNORECASE,
)
_CABIN = re.compile(r"\b(first|business|premium(?: economy)?|economy)(?:[ -]class)?\b", re.IGNORECASE)
_WEEKDAY = re.compile(
    r"(?:(?:on|am) )?(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch)",
    re.IGNORECASE,
)
_PAST = re.compile(_GONE.replace(" ", r"\s+"), re.IGNORECASE)
_NO_PLACE = re.compile(
    r"(?:find|search|look|show|get|give|check|need|want|book|list|suggest|compare|any|the|some|cheap\w*|which|what|my)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:(?:no|ok|okay|oh|well|actually|sorry|maybe|perhaps|i mean|(?:how|what) about)\b[ ,.]*)+(?=\w)", re.IGNORECASE
)
# Who says this to a question of ours talks of something else, or wants no flight any more.
_NO_ANSWER = re.compile(
    r"(?:never ?mind|forget|cancel|stop|leave|skip|drop|not now|thanks|thank|hello|hi|hey|tell|explain|write|show|give"
    r"|what|how|who|whose|why|when|where|which|is|are|do|does|did|can|could|will|would|should"
    r"|sing|translate|vergiss|egal|lass|danke|was|wer|wie|warum|erzähl\w*)\b"
    r"|(?:no|nope|nein)[.!]?$",
    re.IGNORECASE,
)
# What may stand around the pieces of a wish about flights that were listed; they ask for nothing by themselves.
_AROUND = re.compile(
    r"\b(?:only|just|please|ones?|any|anything|something|flights?|options?|instead|then|show|give|me|what|how|about|is|are"
    r"|there|do|you|have|with|the|an?|some|in|class|can|could|i|we|us|make|it|them|be|but|and|or|ok(?:ay)?|actually"
    r"|rather|prefer|i'd|would|like|want|need|find|search|look|again|did|which|more|other|also|on|leaving|leave|departing"
    r"|people|persons?|that|for|no|not|too|so|nur|bitte|gibt|es|auch|etwas|was|einen?|ein|eine|der|die|das|den|noch|andere"
    r"|lieber|doch|und|oder|fl(?:ug|(?:ü|ue)ge)|zeig|zeige|mir|suche?|in|klasse|welche|hast|du|gefunden|dann|wie|w(?:ä|ae)re"
    r"|mit|am|um)\b",
    re.IGNORECASE,
)
_FLIGHT_OF = re.compile(r"\b(?P<place>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?) flights?\b")


def spoken(turns: Sequence[tuple[str, str]]) -> str:
    """What the user's last words mean: with what they asked for before, where they answer a question of ours.

    `turns` are (role, text), oldest first, and end with the user's.
    """
    return _spoken(turns, {})


def _spoken(turns: Sequence[tuple[str, str]], known: dict[int, str]) -> str:
    """`known`: what so many of the turns mean. Each is worked out once: looked at from each turn behind it anew, twenty
    wishes in a row would keep a worker for minutes."""
    if len(turns) not in known:
        known[len(turns)] = _meant(turns, known)
    return known[len(turns)]


def _meant(turns: Sequence[tuple[str, str]], known: dict[int, str]) -> str:
    _, text = turns[-1]
    before = turns[:-1]
    last = before[-1][1] if before and before[-1][0] == "assistant" else ""
    if (CHOOSE in last or WAITS in last) and is_refinement(text):
        alone = asked(text)
        is_other = alone.intent not in ("chat", "flights") or "select_flight" in alone.wanted
        return text if is_other else _refined(before, text, known)
    question = last[last.rindex(ASKS) :] if ASKS in last else ""
    if not question or len(text) > ANSWER_CHARACTERS_MAX or len(before) < 2 or before[-2][0] != "user":
        return text
    answer = _OPENING.sub("", one_line(text).strip(" .!?"), count=1)
    if asked(text).intent != "chat" or not _answers(answer) or _FLIGHT_WORD.search(answer):
        return text  # something else is wanted now
    earlier = spoken(before[-TURNS_MAX * 2 : -1])
    if is_refinement(answer) and not _TIME.search(answer):
        pass  # "business class" is no place
    elif question.startswith((WHERE_TO, WHICH_TO)) and not re.match(r"(?:to|nach)\b", answer, re.IGNORECASE):
        answer = f"to {answer}"
    elif question.startswith((WHERE_FROM, WHICH_FROM)) and not re.match(r"(?:from|von)\b", answer, re.IGNORECASE):
        answer = f"from {answer}"
    elif question.startswith(WHEN_BACK):
        earlier = _BACK.sub("", earlier)
        answer = answer if _BACK.search(answer) else f"returning {answer}"
    # The last word counts: a place that was not clear is said again.
    return f"{_without(earlier, answer)}, {answer}"


def is_refinement(text: str) -> bool:
    """Whether it says of flights that were listed how they are to be, and nothing else: "nonstop only", "cheaper ones",
    "what about Saturday?"."""
    if len(text) > ANSWER_CHARACTERS_MAX:
        return False
    rest = one_line(text)
    pieces = 0
    for known in (_BACK, _TIME, _FROM, _PEOPLE, _NONSTOP, _CABIN, _ORDER):
        pieces += sum(1 for _ in known.finditer(rest))
        rest = known.sub(" , ", rest)
    return pieces > 0 and not re.search(r"\w", _AROUND.sub(" ", rest))


def _refined(before: Sequence[tuple[str, str]], text: str, known: dict[int, str]) -> str:
    """With the newest wish for flights before it, as that was meant; choosing one of them is no such wish."""
    for place in range(len(before) - 1, max(-1, len(before) - 1 - TURNS_MAX * 2), -1):
        if before[place][0] == "user":
            earlier = _spoken(before[: place + 1], known)
            if "find_flights" in asked(earlier).wanted:
                # With a word between them, or two times would be read as one.
                return f"{_without(earlier, one_line(text))}, rather {one_line(text)}"
    return text


def _answers(text: str) -> bool:
    """Whether this can be the answer to a question of ours."""
    if _NO_ANSWER.match(text) is not None:
        return False
    return len(text.split()) <= ANSWER_WORDS_MAX or any(known.search(text) is not None for known in (_TIME, _TO, _FROM))


_FLIGHT_WORD = re.compile(r"\bflights?\b|\bfl(?:ü|ue)ge?\b|\bfly\b", re.IGNORECASE)


def _without(earlier: str, answer: str) -> str:
    for start, known in (("to ", _TO), ("from ", _FROM)):
        if answer.casefold().startswith(start) or (known is _FROM and known.search(answer)):
            earlier = known.sub("", earlier)
    if _BACK.search(answer):
        earlier = _BACK.sub("", earlier)
    return earlier.rstrip(" .!?,")


def flight_arguments(text: str) -> dict[str, str]:
    """The arguments of `find_flights` that the words say."""
    text = one_line(text)[:TEXT_CHARACTERS_MAX]
    said: dict[str, str] = {}
    rest = text
    if (back := _BACK.search(rest)) is not None:
        said["return_text"] = tidy_time(back["when"])
        rest = f"{rest[: back.start()]} , {rest[back.end() :]}"
    whens = [tidy_time(match["when"]) for match in _TIME.finditer(rest)]
    rest = _TIME.sub(" , ", rest)
    if whens:
        said["departure_text"] = whens[-1]
    for name, known in (("destination", _TO), ("origin", _FROM)):
        found = [_tidy(match["place"]) for match in known.finditer(_without_verbs(rest))]
        if found:
            said[name] = found[-1]
    named = None if "destination" in said else _FLIGHT_OF.search(rest)
    if named is not None and _NO_PLACE.match(named["place"]) is None:
        said["destination"] = named["place"]
    if (people := _last(_PEOPLE, rest)) is not None:
        said["passengers"] = _NUMBERS.get(people["count"].casefold(), people["count"])
    if _NONSTOP.search(rest):
        said["stops_max"] = "0"
    if (cabin := _last(_CABIN, rest)) is not None:
        said["cabin"] = next(value for word, value in _CABINS if cabin[1].casefold().startswith(word))
    if (order := _last(_ORDER, text)) is not None and order.lastgroup is not None:
        said["order"] = order.lastgroup
    return said


def _last(known: re.Pattern[str], text: str) -> re.Match[str] | None:
    """What was said last counts."""
    return deque(known.finditer(text), maxlen=1)[0] if known.search(text) else None


def weekday_near(text: str) -> tuple[str, str] | None:
    """Of a wish that was said anew with a weekday alone, the time that it had before and that weekday: "next Friday …
    what about Saturday?" is about the one beside it."""
    rest = _BACK.sub(" , ", one_line(text)[:TEXT_CHARACTERS_MAX])
    whens = [tidy_time(match["when"]) for match in _TIME.finditer(rest)]
    if len(whens) < 2 or _WEEKDAY.fullmatch(whens[-1]) is None:
        return None
    return whens[-2], whens[-1]


def is_past(phrase: str) -> bool:
    """Whether it says of itself that it is over: "yesterday"."""
    return _PAST.search(phrase) is not None


def _without_verbs(text: str) -> str:
    """`I want to fly to Rome` names one place."""
    return re.sub(r"\bto (?=(?:fly|go|travel|book|find|get|be)\b)", " ", text, flags=re.IGNORECASE)


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(" ,.!?")
