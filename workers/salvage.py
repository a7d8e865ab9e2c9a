"""Tool calls that a model wrote into its text instead of calling: found in the stream, and made calls.

A filter over the events of a model. Text that may begin such a call is held back, never for longer than it may; text
that turns out to be none is let go unchanged. How the text was cut into pieces never changes what comes out. It must
not judge arguments, and knows no tool but by name.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable
from contextlib import aclosing, suppress
from itertools import groupby
from typing import cast

import msgspec

from commands.json_text import Scan, readings
from domain.ports import ModelError, ModelEvent, PromptMessage, TextDelta, ToolCall

CALL_CHARACTERS_MAX = 16_384  # of one call: the longest notes fit, and more is no call
NAMELESS_CHARACTERS_MAX = 2_048  # of what does not begin with a tool's name and may well be something else
BLANKS_MAX = 64  # between two parts of a call's beginning
LANGUAGE_CHARACTERS_MAX = 16  # behind a code fence
PIECE_CHARACTERS_MAX = 2_048  # looked at in one go, however much arrives at once

_BEGINNING = re.compile(r"[{\[<`]")
_MARKS = ("```", "<tool_call>", "<|python_tag|>", "[TOOL_CALLS]")
_ENDS = {"```": "```", "<tool_call>": "</tool_call>"}
_KEYS = ('"name"', '"function"', '"type"', '"id"', '"arguments"', '"parameters"')
# What stands before a value in a list or an object that began as something else, or in a line of code.
_INSIDE = re.compile(r"""(?:[}\]"'\d],|["']:|[{\[(`])$""")
_ARGUMENTS = re.compile(r'"(?:arguments|parameters)"\s*:\s*')
_TAIL_CHARACTERS = 16  # of the text before, looked at by `_INSIDE`

NOTHING = msgspec.Raw()


class LeakedCall(msgspec.Struct, gc=False):
    """A call as models write it: `arguments` or `parameters`, an object or JSON in a text, perhaps under `function`."""

    name: str | None = None
    function: LeakedCall | str | None = None
    arguments: msgspec.Raw = NOTHING
    parameters: msgspec.Raw = NOTHING
    description: msgspec.Raw = NOTHING  # what a tool has that is shown, not called


def call_from(leaked: LeakedCall, names: Collection[str], call_id: str) -> ToolCall | None:
    """The call, if it is one of a tool in `names` and has arguments."""
    inner = leaked.function if isinstance(leaked.function, LeakedCall) else leaked
    name = inner.name or (leaked.function if isinstance(leaked.function, str) else None)
    arguments = bytes(inner.arguments) or bytes(inner.parameters)
    if name is None or name not in names or not arguments or bytes(inner.description):
        return None
    if arguments.startswith(b'"'):
        return ToolCall(call_id, name, msgspec.json.decode(arguments, type=str))
    return ToolCall(call_id, name, "{}" if arguments == b"null" else arguments.decode())


def unquoted(names: Iterable[str], messages: Iterable[PromptMessage]) -> frozenset[str]:
    """The names that stand quoted in no message of the prompt. A call that could be a quotation of a note, a
    document or an earlier turn is none: what somebody wrote down is data, however faithfully it is repeated."""
    texts = [message.content for message in messages]
    return frozenset(name for name in names if not any(f'{name}"' in text or f"{name}\\" in text for text in texts))


async def salvaged(events: AsyncIterator[ModelEvent], names: Collection[str]) -> AsyncGenerator[ModelEvent, None]:
    """`events`, with calls of the tools in `names` where their text stood. Closing it closes `events`."""
    leaks = Leaks(names)
    async with aclosing(cast(AsyncGenerator[ModelEvent, None], events)):
        try:
            async for event in events:
                if isinstance(event, TextDelta):
                    if leaks.is_plain(event.text):
                        yield event
                        continue
                    found = leaks.take(event.text)
                else:
                    found = [*leaks.end(), event]
                for each in found:
                    yield each
        except ModelError:
            # A stream that broke off makes no calls: what it said was perhaps not all of it.
            for each in leaks.give_up():
                yield each
            raise
        for each in leaks.end():
            yield each


class _Undecided(Exception):
    """More text is needed."""


class _NoCall(Exception):
    """It is none; `place` is that of the first character that shows it."""

    def __init__(self, place: int) -> None:
        self.place = place


class Leaks:
    """The text of one answer as it arrives: `take` gives what is known of it by now, `end` the rest."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._quoted = tuple(f'"{name}"' for name in sorted(self._names))
        self._held = ""
        self._tail = ""  # the end of the text that was let go
        self._count = 0
        self._object: _Object | None = None  # what is held, once it is known to begin like a call
        self._is_after_call = False
        self._in_list = False
        self._end_mark = ""

    def is_plain(self, text: str) -> bool:
        """Whether `text` can go on as it is; it then counts as taken."""
        if not self._names:
            return True
        if self._held or self._is_after_call or _BEGINNING.search(text) is not None:
            return False
        self._tail = (self._tail + text)[-_TAIL_CHARACTERS:]
        return True

    def take(self, text: str) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        for start in range(0, len(text), PIECE_CHARACTERS_MAX):
            self._held += text[start : start + PIECE_CHARACTERS_MAX]
            with suppress(_Undecided):
                while self._held:
                    self._step(events)
        return _joined(events)

    def end(self) -> list[ModelEvent]:
        """What is held, judged as it stands: a call without its last brackets is one."""
        events: list[ModelEvent] = []
        found, self._object = self._object, None
        call = None if found is None else self._raw_call(self._held[found.start :], found)
        if call is not None:
            events.append(call)
            self._held = ""
        elif self._is_after_call and self._is_end_of_call():
            self._held = ""
        self._let_go(len(self._held), events)
        self._leave_call()
        return _joined(events)

    def give_up(self) -> list[ModelEvent]:
        """What is held, as the text that it was."""
        events: list[ModelEvent] = []
        self._object = None
        self._let_go(len(self._held), events)
        return _joined(events)

    # --- one step at a time -----------------------------------------------------------------------------------

    def _step(self, events: list[ModelEvent]) -> None:
        """Raises `_Undecided` where the text that is held has to wait for more."""
        if self._object is not None:
            self._go_on_with_object(events)
        elif self._is_after_call:
            self._go_on_after_call()
        else:
            self._look_for_beginning(events)

    def _look_for_beginning(self, events: list[ModelEvent]) -> None:
        match = _BEGINNING.search(self._held)
        place = len(self._held) if match is None else match.start()
        self._let_go(place, events)
        if not self._held:
            return
        if self._held[0] in "{[" and _INSIDE.search(self._tail.rstrip()):
            self._let_go(1, events)
            return
        try:
            self._object = _begin(self._held, 0, self._quoted)
        except _NoCall as no:
            self._let_go(no.place, events)

    def _go_on_with_object(self, events: list[ModelEvent]) -> None:
        found = self._object
        assert found is not None
        limit = found.start + (CALL_CHARACTERS_MAX if found.name else NAMELESS_CHARACTERS_MAX)
        end = found.scan.take(self._held, found.scanned, limit)
        found.scanned = min(len(self._held), limit)
        if end < 0 and found.scanned < limit:
            raise _Undecided
        self._object = None
        call = None if end < 0 else self._call_in(self._held[found.start : end], found)
        if call is None:
            self._let_go(limit if end < 0 else end, events)
            self._leave_call()
            return
        events.append(call)
        self._held = self._held[end:]
        self._is_after_call = True
        self._in_list = self._in_list or found.in_list
        self._end_mark = self._end_mark or _ENDS.get(found.mark, "")

    def _go_on_after_call(self) -> None:
        """Skip what belongs to the call, or to the list or the fence around it; then the text goes on."""
        try:
            place = _after_blanks(self._held, 0)
            if self._in_list and self._held.startswith("]", place):
                self._in_list = False
                self._held = self._held[place + 1 :]
            elif self._end_mark and self._held.startswith(self._end_mark[0], place):
                end_mark = _one_of(self._held, place, (self._end_mark,))
                self._held, self._end_mark = self._held[place + len(end_mark) :], ""
            else:
                if self._held[place] in ",;":
                    place = _after_blanks(self._held, place + 1)
                self._object = _begin(self._held, place, self._quoted)
        except _NoCall:
            self._leave_call()

    def _is_end_of_call(self) -> bool:
        """Whether nothing is held but what may stand behind a call."""
        text = self._held.strip()
        return not text or text in (",", ";") or (bool(self._end_mark) and self._end_mark.startswith(text))

    def _leave_call(self) -> None:
        self._is_after_call = self._in_list = False
        self._end_mark = self._tail = ""

    def _let_go(self, count: int, events: list[ModelEvent]) -> None:
        text, self._held = self._held[:count], self._held[count:]
        if not text:
            return
        self._tail = (self._tail + text)[-_TAIL_CHARACTERS:]
        events.append(TextDelta(text))

    # --- from text to call ------------------------------------------------------------------------------------

    def _call_in(self, text: str, found: _Object) -> ToolCall | None:
        for reading in readings(text):
            try:
                leaked = msgspec.json.decode(reading, type=LeakedCall)
                call = call_from(leaked, self._names, f"leaked_{self._count + 1}")
            except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
                continue
            self._count += call is not None
            return call
        return self._raw_call(text[:-1], found)

    def _raw_call(self, text: str, found: _Object) -> ToolCall | None:
        """A call whose JSON does not hold: its arguments as they were written. Others may make something of them."""
        match = _ARGUMENTS.search(text)
        if not found.name or match is None:
            return None
        self._count += 1
        return ToolCall(f"leaked_{self._count}", found.name, text[match.end() :].strip())


def _joined(events: list[ModelEvent]) -> list[ModelEvent]:
    """Neighbouring texts made one."""
    joined: list[ModelEvent] = []
    for is_text, group in groupby(events, lambda event: isinstance(event, TextDelta)):
        if is_text:
            joined.append(TextDelta("".join([event.text for event in group if isinstance(event, TextDelta)])))
        else:
            joined.extend(group)
    return joined


class _Object:
    """An object that begins like a call: where, in which wrapping, and the tool's name where it is known already."""

    __slots__ = ("in_list", "mark", "name", "scan", "scanned", "start")

    def __init__(self, mark: str, in_list: bool, start: int, name: str) -> None:
        self.mark = mark
        self.in_list = in_list
        self.start = start
        self.name = name
        self.scan = Scan("{")
        self.scanned = start + 1


def _begin(text: str, start: int, quoted_names: tuple[str, ...]) -> _Object:
    """`text` from `start` on as the beginning of a call. Raises `_Undecided` or `_NoCall`."""
    place, mark, in_list = start, "", False
    is_list = text.startswith("[", start) and text[start + 1 : start + 2] not in ("", "T")
    if not is_list and not text.startswith("{", start):
        mark = _one_of(text, start, _MARKS)
        place = start + len(mark)
        if mark == "```":
            place = _after_language(text, place)
        place = _after_blanks(text, place)
    if text.startswith("[", place):
        in_list = True
        place = _after_blanks(text, place + 1)
    object_start = place
    place = _after_blanks(text, place + len(_one_of(text, place, ("{",))))
    key, place = _key(text, place)
    name = ""
    if key == '"name"' or (key == '"function"' and not text.startswith("{", place)):
        quoted = _one_of(text, place, quoted_names)
        name = quoted[1:-1]
        place = _after_blanks(text, place + len(quoted))
        place = _after_blanks(text, place + len(_one_of(text, place, (",",))))
        key, place = _key(text, place)
    if key == '"type"':
        _one_of(text, place, ('"function"',))
    elif key in ('"arguments"', '"parameters"'):
        _one_of(text, place, ("{", '"', "null"))
    return _Object(mark, in_list, object_start, name)


def _key(text: str, start: int) -> tuple[str, int]:
    """The key at `start`, and the place of its value."""
    key = _one_of(text, start, _KEYS)
    place = _after_blanks(text, start + len(key))
    return key, _after_blanks(text, place + len(_one_of(text, place, (":",))))


def _one_of(text: str, start: int, options: tuple[str, ...]) -> str:
    """The option that stands at `start`; none may begin with another."""
    for end in range(start + 1, len(text) + 1):
        part = text[start:end]
        options = tuple(option for option in options if option.startswith(part))
        if not options:
            raise _NoCall(end - 1)
        if options[0] == part:
            return part
    raise _Undecided


def _after_blanks(text: str, start: int) -> int:
    """The place of the next character that is no blank."""
    for place in range(start, len(text)):
        if not text[place].isspace():
            return place
        if place - start >= BLANKS_MAX:
            raise _NoCall(place)
    raise _Undecided


def _after_language(text: str, start: int) -> int:
    for place in range(start, len(text)):
        if not (text[place].isalnum() or text[place] == "_"):
            return place
        if place - start >= LANGUAGE_CHARACTERS_MAX:
            raise _NoCall(place)
    raise _Undecided
