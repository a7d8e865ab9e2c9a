"""A model's events without the sentences of its instructions, should it say them over.

Owns what is held back of a text while it may be the beginning of such a sentence. Knows the sentences word for word
only: a model that tells in its own words what it was told gives nothing away that is not in the source of this program.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import cast

from domain.ports import ModelError, ModelEvent, TextDelta
from infra.telemetry import get_logger

LEFT_OUT = "[…]"
SENTENCE_CHARACTERS_MIN = 25  # a shorter one may be anybody's

_ENDS = re.compile(r"(?<=\.)\s+")
_BEGINS = re.compile(r"[A-Z]")

logger = get_logger("workers.privacy.instructions")


def sentences_of(instructions: Iterable[str]) -> tuple[str, ...]:
    """The sentences by which instructions are known again; each begins with a capital."""
    found = (sentence for text in instructions for sentence in _ENDS.split(text))
    return tuple(sentence for sentence in found if len(sentence) >= SENTENCE_CHARACTERS_MIN)


class Withholder:
    """Takes sentences out of a text that comes in pieces: what comes out, put together, is the whole text without."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        self._sentences = sentences
        self._known = re.compile("|".join(map(re.escape, sentences)))
        self._held = ""
        self.count = 0

    def feed(self, text: str) -> str:
        """What can be said by now; it may be nothing."""
        text, found = self._known.subn(LEFT_OUT, self._held + text)
        self.count += found
        begun = self._begun_at(text)
        self._held = text[begun:]
        return text[:begun]

    def end(self) -> str:
        """What was held back, which is no whole sentence: nothing follows."""
        held, self._held = self._held, ""
        return held

    def _begun_at(self, text: str) -> int:
        """Where the end of `text` may be the beginning of a sentence."""
        for capital in _BEGINS.finditer(text):
            rest = text[capital.start() :]
            if any(sentence.startswith(rest) for sentence in self._sentences):
                return capital.start()
        return len(text)


async def withheld(events: AsyncIterator[ModelEvent], sentences: tuple[str, ...]) -> AsyncGenerator[ModelEvent, None]:
    """The same events in the same order. Closing this closes `events`; raises what they raise."""
    withholder = Withholder(sentences)
    async with aclosing(cast(AsyncGenerator[ModelEvent, None], events)) as source:
        try:
            async for event in source:
                if isinstance(event, TextDelta):
                    if text := withholder.feed(event.text):
                        yield event if text == event.text else TextDelta(text)
                    continue
                if held := withholder.end():
                    yield TextDelta(held)
                yield event
        except ModelError:
            # What the model said before it failed is shown with the error.
            if held := withholder.end():
                yield TextDelta(held)
            raise
        finally:
            if withholder.count:
                logger.warning("answer.instructions_left_out", count=withholder.count)
        if held := withholder.end():
            yield TextDelta(held)
