"""From the payloads of a model's stream to the port's events: OpenAI's chunks and Workers AI's own, told by shape.

It does no I/O. What it is lenient about was seen in the wild and stands in tests/unit/llm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from domain.limits import TOKENS_PER_CALL_MAX
from domain.ports import ModelError, ModelEvent, ModelFinished, ModelRequest, TextDelta, ToolCall
from domain.values import ModelUsage
from workers.llm.policy import failure
from workers.llm.tokens import estimate_prompt_tokens, estimate_tokens

NOTHING = msgspec.Raw()


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: msgspec.Raw = NOTHING


class ToolCallDelta(msgspec.Struct, gc=False):
    """Nested under `function` as OpenAI does it, or flat as Workers AI does. `arguments`: text, object or null."""

    index: int | None = None
    id: str | int | None = None
    function: Function | None = None
    name: str | None = None
    arguments: msgspec.Raw = NOTHING


class Part(msgspec.Struct, gc=False):
    text: str | None = None


class Delta(msgspec.Struct, gc=False):
    content: str | list[Part] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: Function | None = None  # the older form, for one call alone


class Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None


class Chunk(msgspec.Struct, gc=False):
    """One payload, or a whole answer that did not stream: then Workers AI's is under `result`."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    response: msgspec.Raw = NOTHING
    tool_calls: list[ToolCallDelta] | None = None
    finish_reason: str | None = None
    error: msgspec.Raw = NOTHING
    errors: list[msgspec.Raw] | None = None
    result: Chunk | None = None


_decode = msgspec.json.Decoder(Chunk).decode
_decode_text = msgspec.json.Decoder(str).decode
_UNSET = (b"", b"null")
_NO_ERROR = (*_UNSET, b'""', b"{}", b"[]", b"false")


class _OpenCall:
    """A tool call whose arguments may still grow."""

    __slots__ = ("call_id", "name", "parts")

    def __init__(self) -> None:
        self.call_id = ""
        self.name = ""
        self.parts: list[str] = []


class ToolCalls:
    """Gathers tool-call deltas. A call comes out when its arguments are whole and the next has begun, or at the end.

    Whole means that they are JSON: servers may announce several calls first and fill them in afterwards.
    """

    def __init__(self) -> None:
        self._open: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._last: _OpenCall | None = None
        self._ids: set[str] = set()
        self.count = 0
        self.characters = 0

    def take(self, delta: ToolCallDelta) -> list[ToolCall]:
        function = delta.function
        name = _clean((function.name if function is not None else None) or delta.name)
        call_id = _clean(str(delta.id)) if delta.id is not None else ""
        arguments = _text_of(function.arguments if function is not None else delta.arguments)
        call = self._find(delta.index, name, call_id)
        ready: list[ToolCall] = []
        if call is None:
            if not (name or call_id or arguments):
                return ready  # Workers AI marks the end of a call with a delta of nulls.
            ready = self._take_ready()
            call = _OpenCall()
            self._open.append(call)
            self.count += 1
            if delta.index is not None:
                self._by_index[delta.index] = call
        self._last = call
        call.call_id = call.call_id or call_id
        call.name = call.name or name
        if arguments:
            call.parts.append(arguments)
        self.characters += len(name) + len(call_id) + len(arguments)
        return ready

    def finish(self) -> list[ToolCall]:
        return [self._close(call) for call in self._open]

    def _find(self, index: int | None, name: str, call_id: str) -> _OpenCall | None:
        """The call that a delta goes on with. Without an index, a name begins a new one; so does, with an index that
        is in use, a name under another id: one server gives every call the index 0."""
        if index is not None:
            call = self._by_index.get(index)
            other = call is not None and name and call_id and call.call_id and call_id != call.call_id
            return None if other else call
        if name and not (self._last is not None and call_id and call_id == self._last.call_id):
            return None
        return self._last

    def _take_ready(self) -> list[ToolCall]:
        ready: list[ToolCall] = []
        while self._open and _is_json("".join(self._open[0].parts)):
            ready.append(self._close(self._open.pop(0)))
        return ready

    def _close(self, call: _OpenCall) -> ToolCall:
        if not call.name:
            raise failure("bad_answer", "a tool call without a name")
        call_id = call.call_id
        number = len(self._ids)
        while not call_id or call_id in self._ids:
            call_id = f"call_{number}"
            number += 1
        self._ids.add(call_id)
        if len(call.parts) > 1 and call.parts[0] == "{}":
            del call.parts[0]  # Some servers begin with an empty object and then send the text of another.
        arguments = "".join(call.parts)
        return ToolCall(call_id, call.name, arguments if arguments.strip() else "{}")


class Answer:
    """One answer as it arrives. `take` and `end` give events; `done` is true once nothing more is to be read, and
    `complete` when that is so because the provider said it.

    Both raise `ModelError`. `failure_in` makes one from a payload that holds an error.
    """

    def __init__(self, request: ModelRequest, failure_in: Callable[[bytes], ModelError]) -> None:
        self.done = False
        self.complete = False
        self._request = request
        self._failure_in = failure_in
        self._texts: list[str] = []
        self._characters = 0
        self._calls = ToolCalls()
        self._reason = ""
        self._usage: Usage | None = None
        # A provider that ignores the limit would go on for ever; one that counts differently gets some room.
        self._deltas_max = request.max_tokens * 2 + 64
        self._characters_max = request.max_tokens * 32 + 8_192

    def take(self, payload: bytes) -> Sequence[ModelEvent]:
        """The events of one payload of a stream."""
        if payload.startswith(b"[DONE]"):
            self.complete = not self.done
            self.done = True
            self._reason = self._reason or ("tool_calls" if self._calls.count else "stop")
            return ()
        if not payload or self.done:
            return ()
        return self._take_value(payload)

    def take_whole(self, body: bytes) -> Sequence[ModelEvent]:
        """The events of an answer that came as one JSON value although a stream was asked for."""
        events = self._take_value(body)
        self.take(b"[DONE]")
        return events

    def end(self, cause: ModelError | None = None) -> list[ModelEvent]:
        """The rest of the tool calls and `ModelFinished`. `cause`: why reading stopped, if not at the end."""
        if not self._reason:
            raise cause or failure("truncated", "the stream stopped before its end")
        events: list[ModelEvent] = [*self._calls.finish()]
        if not self._texts and not self._calls.count:
            code = "refused" if self._reason == "content_filter" else "bad_answer"
            raise failure(code, f"an empty answer, ended with {self._reason}")
        events.append(ModelFinished(self._reason, self._usage_told() or self._usage_estimated()))
        return events

    def _take_value(self, payload: bytes) -> list[ModelEvent]:
        try:
            chunk = _decode(payload)
            if not chunk.errors and bytes(chunk.error) in _NO_ERROR:
                return self._take_chunk(chunk.result or chunk)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise failure("bad_answer", f"a chunk that is not understood: {type(error).__name__}") from error
        raise self._failure_in(payload)

    def _take_chunk(self, chunk: Chunk) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index:
                continue
            delta = choice.delta or choice.message
            if delta is not None:
                self._take_delta(delta, events)
            self._reason = choice.finish_reason or self._reason
        response = bytes(chunk.response)
        if response not in _UNSET:
            self._take_text(_text_of(chunk.response), events)
        for call in chunk.tool_calls or ():
            events.extend(self._calls.take(call))
        self._reason = chunk.finish_reason or self._reason
        if len(self._texts) > self._deltas_max or self._characters + self._calls.characters > self._characters_max:
            self.done = True
            self._reason = "length"
        return events

    def _take_delta(self, delta: Delta, events: list[ModelEvent]) -> None:
        content = delta.content
        if isinstance(content, list):
            content = "".join(part.text or "" for part in content)
        if content:
            self._take_text(content, events)
        if delta.refusal:
            self._take_text(delta.refusal, events)
        for call in delta.tool_calls or ():
            events.extend(self._calls.take(call))
        if delta.function_call is not None:
            events.extend(self._calls.take(ToolCallDelta(index=0, function=delta.function_call)))

    def _take_text(self, text: str, events: list[ModelEvent]) -> None:
        if text:
            self._texts.append(text)
            self._characters += len(text)
            events.append(TextDelta(text))

    def _usage_told(self) -> ModelUsage | None:
        usage = self._usage
        if usage is None:
            return None
        prompt, completion = int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0)
        # A count that cannot be would spend the user's budget, and one beyond 64 bits no view could add up.
        if max(prompt, completion) > TOKENS_PER_CALL_MAX or (prompt <= 0 and completion <= 0):
            return None
        return ModelUsage(input_tokens=max(0, prompt), output_tokens=max(0, completion))

    def _usage_estimated(self) -> ModelUsage:
        output = estimate_tokens("".join(self._texts)) + (self._calls.characters + 3) // 4
        return ModelUsage(input_tokens=estimate_prompt_tokens(self._request), output_tokens=output, estimated=True)


def _clean(text: str | None) -> str:
    """Nothing, also where a server wrote the word `null`."""
    return "" if text is None or text == "null" else text


def _text_of(raw: msgspec.Raw) -> str:
    """JSON text as text; any other value as it was written, for a stream may hold the token 42 as a number."""
    data = bytes(raw)
    if data in _UNSET:
        return ""
    return _decode_text(data) if data.startswith(b'"') else data.decode()


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
