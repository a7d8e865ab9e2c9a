"""Finding words in one's own text, whatever their case and accents, and the piece of text to show around them. Pure.

Texts are compared folded: decomposed (NFKD), without marks, case-folded. A match is told in characters of the text as
it was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import filterfalse, takewhile

SNIPPET_CHARACTERS = 160
BEFORE_CHARACTERS = 60  # of a snippet, in front of the match
ELLIPSIS = "…"
ALIKE_CHARACTERS_MIN = 4  # words that begin alike may be forms of one: "park" and "parking"

_WORD = re.compile(r"\w+")
# Words that tell nothing from anything, folded: English and German.
_LITTLE_ENGLISH = (
    "a an the my your our this that these those it its is are was were be been do does did have has had i me we us you"
    " of in on at to for from with about and or not no any some what which who whom whose where when how why there s t"
)
_LITTLE_GERMAN = (
    "ich mir mich wir uns du dir der die das den dem des ein eine einen einem einer mein meine meinen meinem"
    " meiner ist sind war waren hat habe haben hatte im an am auf zu zum zur von vom mit uber unter fur und"
    " oder nicht bei beim kein keine was welche welchen wer wo wann wie warum es da"
)
_LITTLE_WORDS = frozenset(f"{_LITTLE_ENGLISH} {_LITTLE_GERMAN}".split())


@dataclass(frozen=True, slots=True)
class Snippet:
    """`text` is one line; the match is `text[start:end]`, counted in Unicode code points."""

    text: str
    start: int
    end: int


def folded(text: str) -> str:
    """Folds character by character: the folded text is that of its characters, one after another."""
    if text.isascii():
        return text.lower()
    # What folding a letter brings forth may be composed again, or carry a mark of its own.
    return _bare(_bare(text).casefold())


def _bare(text: str) -> str:
    return "".join(filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", text)))


class Wanted:
    """What is looked for: all words of a query, in any order; the words as they stand are preferred for the snippet."""

    def __init__(self, query: str) -> None:
        self.words = tuple(dict.fromkeys(folded(query).split()))
        self._phrase = " ".join(folded(query).split())

    def find(self, texts: dict[str, str]) -> tuple[str, Snippet] | None:
        """The name of the text that shows the match best, and the snippet; None unless every word is in one of them.

        `texts` by name, the most telling one first.
        """
        if not self.words:
            return None
        by_name = {name: folded(text) for name, text in texts.items()}
        if not all(any(word in text for text in by_name.values()) for word in self.words):
            return None
        for sought in (self._phrase, *self.words):
            for name, text in by_name.items():
                place = text.find(sought)
                if place >= 0:
                    return name, _snippet(texts[name], *_as_written(texts[name], place, place + len(sought)))
        raise AssertionError("each of the words was found")


def _as_written(text: str, start: int, end: int) -> tuple[int, int]:
    """A span of the folded text as one of the text itself, each character whole."""
    if text.isascii():
        return start, end
    reached = 0
    first: int | None = None
    for place, character in enumerate(text):
        reached += len(folded(character))
        if first is None and reached > start:
            first = place
        if reached >= end:
            assert first is not None
            marks = takewhile(lambda mark: not folded(mark), text[place + 1 :])
            return first, place + 1 + sum(1 for _ in marks)
    raise AssertionError("the span lies within the folded text")


def _snippet(text: str, start: int, end: int) -> Snippet:
    """The text around the match, cut at spaces where there are some, on one line."""
    end = min(end, start + SNIPPET_CHARACTERS)
    left = max(0, start - BEFORE_CHARACTERS)
    right = min(len(text), max(end, left + SNIPPET_CHARACTERS))
    if left:
        space = text.find(" ", left, start)
        left = left if space < 0 else space + 1
    if right < len(text):
        space = text.rfind(" ", end, right)
        right = right if space < 0 else space
    head = ELLIPSIS if left else ""
    tail = ELLIPSIS if right < len(text) else ""
    # One blank for each control character, so that places stay what they are.
    shown = "".join(character if character.isprintable() else " " for character in text[left:right])
    return Snippet(head + shown + tail, start - left + len(head), end - left + len(head))


def telling_words(text: str) -> list[str]:
    """Folded, without those that tell nothing from anything."""
    return [word for word in _WORD.findall(folded(text)) if word not in _LITTLE_WORDS]


def has_words(text: str, words: Iterable[str]) -> bool:
    """Whether `text` has all of the words, folded ones, each as it is or in another form."""
    known = frozenset(_WORD.findall(folded(text)))
    return all(_is_among(word, known) for word in words)


def words_found(text: str, words: Iterable[str]) -> int:
    """How many of the words `text` has, as `has_words` takes them."""
    known = frozenset(_WORD.findall(folded(text)))
    return sum(_is_among(word, known) for word in words)


def _is_among(word: str, known: frozenset[str]) -> bool:
    return word in known or any(_are_alike(word, each) for each in known)


def _are_alike(one: str, other: str) -> bool:
    shorter, longer = (one, other) if len(one) < len(other) else (other, one)
    return len(shorter) >= ALIKE_CHARACTERS_MIN and longer.startswith(shorter)
