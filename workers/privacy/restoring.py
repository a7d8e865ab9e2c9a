"""A model's events with the user's real values in them: right behind the model, before anybody looks at a text.

Owns what is held back of a text while it may be the beginning of a placeholder: a few characters, no longer than until
the next event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from domain.ports import ModelError, ModelEvent, TextDelta, ToolCall
from workers.privacy.redaction import begun_at, restore, restore_in_json


class Restorer:
    """Restores a text that comes in pieces: what comes out, put together, is the whole text restored."""

    def __init__(self, placeholders: Mapping[str, str]) -> None:
        self._placeholders = placeholders
        self._held = ""

    def feed(self, text: str) -> str:
        """What can be said by now; it may be nothing."""
        text = self._held + text
        begun = begun_at(text)
        self._held = text[begun:]
        return restore(text[:begun], self._placeholders)

    def end(self) -> str:
        """What was held back, which is no placeholder: nothing follows."""
        held, self._held = self._held, ""
        return held


async def restored(
    events: AsyncIterator[ModelEvent], placeholders: Mapping[str, str]
) -> AsyncGenerator[ModelEvent, None]:
    """The same events in the same order. Closing this closes `events`; raises what they raise."""
    restorer = Restorer(placeholders)
    async with aclosing(cast(AsyncGenerator[ModelEvent, None], events)) as source:
        if not placeholders:
            async for event in source:
                yield event
            return
        try:
            async for event in source:
                if isinstance(event, TextDelta):
                    if text := restorer.feed(event.text):
                        yield TextDelta(text)
                    continue
                if held := restorer.end():
                    yield TextDelta(held)
                yield _restored_call(event, placeholders) if isinstance(event, ToolCall) else event
        except ModelError:
            # What the model said before it failed is shown with the error.
            if held := restorer.end():
                yield TextDelta(held)
            raise
        if held := restorer.end():
            yield TextDelta(held)


def _restored_call(call: ToolCall, placeholders: Mapping[str, str]) -> ToolCall:
    return replace(call, arguments=restore_in_json(call.arguments, placeholders))
