"""LocalAgreement-2: of a growing utterance that is transcribed again and again, the words that two passes in a row
agree on are stable. Pure text: it knows no audio.
"""

from __future__ import annotations

from dataclasses import dataclass

_PUNCTUATION = ".,!?;:…\"'’”»)"


@dataclass(frozen=True, slots=True)
class Partial:
    """`text` begins with `stable`; no later partial of the same utterance begins otherwise."""

    text: str
    stable: str


class Agreement:
    def __init__(self) -> None:
        self._previous: list[str] = []
        self._stable: list[str] = []

    def take(self, transcript: str) -> Partial:
        """The next pass over the utterance so far."""
        words = transcript.split()
        agreed = _common(self._previous, words)
        self._previous = words
        if agreed > len(self._stable):
            # A pause reads like the end of a sentence until more is said, so the last word stays without its mark.
            self._stable = [*self._shown(words), *words[len(self._stable) : agreed]]
            self._stable[-1] = _bare(self._stable[-1])
        shown = [*self._shown(words), *words[len(self._stable) :]]
        return Partial(" ".join(shown), " ".join(self._stable))

    def _shown(self, words: list[str]) -> list[str]:
        """The stable words, the last one with the mark that this pass puts behind it."""
        count = len(self._stable)
        if not count or len(words) < count or _key(words[count - 1]) != _key(self._stable[-1]):
            return self._stable
        word = words[count - 1]
        return [*self._stable[:-1], self._stable[-1] + word[len(_bare(word)) :]]


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if _key(one) != _key(other):
            break
        count += 1
    return count


def _bare(word: str) -> str:
    return word.rstrip(_PUNCTUATION) or word


def _key(word: str) -> str:
    return _bare(word).casefold()
