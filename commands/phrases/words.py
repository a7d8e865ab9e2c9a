"""The words of phrases of time, English and basic German: text cut into tokens, and what each word may stand for.

Pure. It knows words, not what they come to: days, hours and rules are put together in its siblings.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Literal

PHRASE_CHARACTERS_MAX = 100

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GERMAN_WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
_SHORT_WEEKDAYS = ("mon", "tue tues", "wed weds", "thu thur thurs", "fri", "sat", "sun")
MONTHS = (
    "january jan januar jaenner",
    "february feb februar",
    "march mar maerz mrz",
    "april apr",
    "may mai",
    "june jun juni",
    "july jul juli",
    "august aug",
    "september sep sept",
    "october oct oktober okt",
    "november nov",
    "december dec dezember dez",
)

Unit = Literal["minute", "hour", "day", "week", "month", "year", "weekday", "weekend", "quarter"]
Part = Literal["morning", "afternoon", "evening", "night"]


def words(text: str) -> frozenset[str]:
    """A table of words is easier read without quotes and commas."""
    return frozenset(text.split())


def _numbered(rows: Iterable[str], start: int) -> dict[str, int]:
    return {word: number for number, row in enumerate(rows, start) for word in row.split()}


WEEKDAY_OF = _numbered(WEEKDAYS, 0) | _numbered(_SHORT_WEEKDAYS, 0) | _numbered(_GERMAN_WEEKDAYS, 0) | {"sonnabend": 5}
GERMAN_WEEKDAYS = frozenset((*_GERMAN_WEEKDAYS, "sonnabend"))
# "Mondays" and "montags" mean each of them.
WEEKDAYS_OF = {f"{word}s": number for word, number in WEEKDAY_OF.items() if len(word) > 5}
MONTH_OF = _numbered(MONTHS, 1)

_UNITS: dict[Unit, str] = {
    "minute": "minute minutes min mins minuten",
    "hour": "hour hours hr hrs h stunde stunden std",
    "day": "day days d tag tage tagen tages",
    "week": "week weeks wk wks w woche wochen",
    "month": "month months monat monate monaten monats",
    "year": "year years yr yrs jahr jahre jahren jahres",
    "weekday": "weekday weekdays workday workdays werktag werktage werktagen arbeitstag arbeitstage arbeitstagen",
    "weekend": "weekend weekends wochenende wochenenden wochenendes",
    "quarter": "quarter quarters quartal quartale",
}
UNIT_OF: dict[str, Unit] = {word: unit for unit, row in _UNITS.items() for word in row.split()}
_PARTS: dict[Part, str] = {
    "morning": "morning vormittag vormittags frueh morgens",
    "afternoon": "afternoon nachmittag nachmittags",
    "evening": "evening abend abends",
    "night": "night nacht nachts",
}
PART_OF: dict[str, Part] = {word: part for part, row in _PARTS.items() for word in row.split()}

_NUMBERS = _numbered(
    (
        "zero null",
        "one eins ein eine einem einen einer eines",
        "two zwei",
        "three drei",
        "four vier",
        "five fuenf",
        "six sechs",
        "seven sieben",
        "eight acht",
        "nine neun",
        "ten zehn",
        "eleven elf",
        "twelve zwoelf",
        "thirteen dreizehn",
        "fourteen vierzehn",
        "fifteen fuenfzehn",
        "sixteen sechzehn",
        "seventeen siebzehn",
        "eighteen achtzehn",
        "nineteen neunzehn",
    ),
    0,
)
_TENS = _numbered(("twenty zwanzig", "thirty dreissig", "forty vierzig", "fifty fuenfzig"), 2)
_ORDINALS = _numbered(
    (
        "first erste ersten erster erstes",
        "second zweite zweiten zweiter zweites",
        "third dritte dritten dritter drittes",
        "fourth vierte vierten vierter viertes",
        "fifth fuenfte fuenften fuenfter",
        "sixth sechste sechsten",
        "seventh siebte siebten",
        "eighth achte achten",
        "ninth neunte neunten",
        "tenth zehnte zehnten",
        "eleventh elfte elften",
        "twelfth zwoelfte zwoelften",
        "thirteenth",
        "fourteenth",
        "fifteenth fuenfzehnte fuenfzehnten",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
        "twentieth zwanzigste zwanzigsten",
    ),
    1,
) | {"thirtieth": 30}

EVERY = words("every each jeden jede jedes jeder alle")
NEXT = words("next naechste naechsten naechster naechstes naechstem")
THIS = words("this coming upcoming diese diesen dieser dieses diesem kommende kommenden kommender kommendes")
LAST = words("last final letzte letzten letzter letztes letztem")
OTHER = words("other alternate")
ARTICLES = words("the its der die das den dem des")
_MEANINGS = words(
    "a an after of in im at on by before until till through from for to past and und within during "
    "um bis vor nach ab an am pm gegen around about no later than spaetestens sharp oclock uhr per once single "
    "half halb halben halbe quarter viertel couple few paar times time mal business working fortnight fortnights "
    "today tonight tomorrow tmrw tmr heute morgen uebermorgen uebernaechste yesterday gestern ago now jetzt "
    "noon midday midnight mittag mittags mitternacht mornings afternoons evenings nights eod eom cob close "
    "end ende start beginning anfang middle mid mitte monatsende jahresende starting starten werktags st nd rd th t "
    "daily everyday weekly biweekly fortnightly monthly quarterly yearly annually "
    "taeglich woechentlich monatlich jaehrlich"
)
KNOWN = _MEANINGS.union(
    *(WEEKDAY_OF, WEEKDAYS_OF, MONTH_OF, UNIT_OF, PART_OF, _NUMBERS, _TENS, _ORDINALS),
    *(EVERY, NEXT, THIS, LAST, OTHER, ARTICLES),
)

Kind = Literal["word", "number", "ordinal", "decimal", "clock", "dotted", "iso", "slash", "dots"]


@dataclass(frozen=True, slots=True)
class Token:
    """`values` are the numbers in it, of a date in the order in which they were written.

    A spelled number has the kind of a written one; `text` tells them apart.
    """

    kind: Kind
    text: str
    values: tuple[int, ...] = ()


_SCANNER = re.compile(
    r"""(?P<iso>(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)(?:t(?=\d))?)
    |(?P<slash>(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?(?![\d/]))
    |(?P<dots>(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(\d{4}|\d{2}(?=\s|$)))?(?!\d))
    |(?P<clock>(\d{1,2}):(\d{2})(?::00)?(?![\d:]))
    |(?P<dotted>(\d{1,2})\.(\d{2})(?![\d.]))
    |(?P<decimal>(\d{1,3})[.,](\d)(?!\d))
    |(?P<ordinal>(\d{1,2})(?:(?:st|nd|rd|th)(?![a-z])|\.(?=\s)))
    |(?P<number>(\d{1,4})(?!\d))
    |(?P<word>[a-z]+)
    |(?P<blank>[\s,]+|(?<=[a-z])-(?=[a-z\d])|(?<=\d)-(?=[a-z])|\.(?=\s|$)|(?<=[a-z])[.'])""",
    re.VERBOSE | re.ASCII,
)
_KINDS: tuple[Kind, ...] = ("iso", "slash", "dots", "clock", "dotted", "decimal", "ordinal", "number", "word")
_ENDS_WITH_DATE = re.compile(r"\d\.\s?\d{1,2}\.$")
_HALF_DAY = re.compile(r"(?<![a-z])([ap])\.\s?m\b\.?")
_POSSESSIVE = re.compile(r"(?<=[a-z])'s\b")
_COMPOUND = re.compile(rf"\b({'|'.join(_GERMAN_WEEKDAYS)}|sonnabend)(morgen|vormittag|mittag|nachmittag|abend|nacht)\b")
_LETTERS = re.compile(r"[^\W\d_]+")
_SPELLING = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "’": "'", "&": " and ", "@": " at "})


def tokens_of(phrase: str) -> list[Token] | None:
    """None where a character belongs to no word, number or date, and for what is too long to be a phrase."""
    if len(phrase) > PHRASE_CHARACTERS_MAX:
        return None
    text = _spelled(phrase).strip(" \t\r\n,!?;")
    if not _ENDS_WITH_DATE.search(text):
        text = text.rstrip(". ")
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        match = _SCANNER.match(text, place)
        if match is None:
            return None
        place = match.end()
        kind = next((kind for kind in _KINDS if match[kind] is not None), None)
        if kind is not None:
            numbers = tuple(int(group) for group in match.groups() if group is not None and group.isdigit())
            values = () if kind == "word" else numbers if kind != "number" else (int(match[kind]),)
            tokens.append(Token(kind, match[kind], values))
    return _with_spelled_numbers(tokens)


def _spelled(phrase: str) -> str:
    """In small letters, one spelling for each word."""
    text = unicodedata.normalize("NFKC", phrase).casefold().translate(_SPELLING)
    text = _HALF_DAY.sub(r" \1m ", text).replace("o'clock", "oclock").replace("o' clock", "oclock")
    return _COMPOUND.sub(r"\1 \2", _POSSESSIVE.sub("", text))


def _with_spelled_numbers(tokens: list[Token]) -> list[Token]:
    read: list[Token] = []
    for token in tokens:
        word = token.text
        ten = read[-1] if read and read[-1].text in _TENS else None
        if token.kind != "word":
            read.append(token)
        elif word in _TENS:
            read.append(Token("number", word, (10 * _TENS[word],)))
        elif ten and (unit := _NUMBERS.get(word) or _ORDINALS.get(word)) and unit < 10:
            kind: Kind = "number" if word in _NUMBERS else "ordinal"
            read[-1] = Token(kind, f"{ten.text}-{word}", (ten.values[0] + unit,))
        elif word in _NUMBERS:
            read.append(Token("number", word, (_NUMBERS[word],)))
        elif word in _ORDINALS:
            read.append(Token("ordinal", word, (_ORDINALS[word],)))
        else:
            read.append(token)
    return read


def is_vocabulary(phrase: str) -> bool:
    """Whether every word is one that the grammar knows: what it then refuses, no other reader should guess at."""
    return all(word in KNOWN for word in _LETTERS.findall(_spelled(phrase)))


class Cursor:
    """A place among tokens. What is taken is gone; a reader that finds nothing of its own puts `place` back."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self.place = 0

    @property
    def at_end(self) -> bool:
        return self.place >= len(self._tokens)

    def peek(self, ahead: int = 0) -> Token:
        """The token there; an empty word beyond either end."""
        place = self.place + ahead
        return self._tokens[place] if 0 <= place < len(self._tokens) else Token("word", "")

    def take(self) -> Token:
        token = self.peek()
        self.place += 1
        return token

    def take_kind(self, *kinds: Kind) -> Token | None:
        return self.take() if not self.at_end and self.peek().kind in kinds else None

    def take_word(self, among: Container[str]) -> str | None:
        return self.take().text if not self.at_end and self.peek().text in among else None

    def skip(self, among: Container[str]) -> None:
        while self.take_word(among) is not None:
            pass

    def take_phrase(self, phrase: str) -> bool:
        """All words of `phrase`, or none."""
        wanted = phrase.split()
        if any(self.peek(ahead).text != word for ahead, word in enumerate(wanted)):
            return False
        self.place += len(wanted)
        return True
