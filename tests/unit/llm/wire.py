"""What the streams of this folder are written with: builders of chunks, and a stream with what it must come to.

`expect` is the list of events, or the code of the `ModelError` that ends them (after `before`, the events before it).
Usage of None stands for an estimated one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from domain.ports import ModelEvent, ModelFinished, TextDelta
from domain.values import ModelUsage

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    body: bytes
    expect: list[ModelEvent] | str
    before: list[ModelEvent] = field(default_factory=list)


def sse(*payloads: Any, end: str = "\n\n") -> bytes:
    """One `data:` event for each payload; text goes as it is, the rest as JSON."""
    texts = (p if isinstance(p, str) else msgspec.json.encode(p).decode() for p in payloads)
    return "".join(f"data: {text}{end}" for text in texts).encode()


def chunk(delta: Any = None, finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    """An OpenAI chunk with one choice."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def said(text: Any) -> dict[str, Any]:
    return chunk({"content": text})


def calling(*deltas: Any) -> dict[str, Any]:
    return chunk({"tool_calls": list(deltas)})


def begun(index: int, call_id: Any, name: Any, arguments: Any = "") -> dict[str, Any]:
    return {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def more(index: int, arguments: Any, **other: Any) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments, **other}}


def usage(prompt: Any, completion: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0}


def native(response: Any, **other: Any) -> dict[str, Any]:
    """A chunk of Workers AI's own form."""
    return {"response": response, **other}


def finished(reason: str, prompt: int | None = None, completion: int = 0) -> ModelFinished:
    if prompt is None:
        return ModelFinished(reason, None)
    return ModelFinished(reason, ModelUsage(input_tokens=prompt, output_tokens=completion))


def texts(*parts: str) -> list[ModelEvent]:
    return [TextDelta(part) for part in parts]


FIRST = chunk({"role": "assistant", "content": None})
STOP = chunk({}, "stop")
CALLED = chunk({}, "tool_calls")
USED = {**chunk(), "choices": [], "usage": usage(11, 2)}
HI: list[ModelEvent] = texts("Hi", " you")
HELLO = (FIRST, said("Hi"), said(" you"))
