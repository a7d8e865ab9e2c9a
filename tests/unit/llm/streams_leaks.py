"""Answers of models that wrote their tool calls into the text, as several families do, and texts that only look so.

`leaks` are texts with the text and the calls that are to come out of them; `LEAKED` are the same as bytes of streams:
OpenAI's chunks, Workers AI's own form with its padding, and OpenAI's form as Workers AI sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.unit.llm.wire import DONE, FIRST, STOP, USED, chunk, native, said, sse, usage

NAMES = frozenset({"create_task", "delete_task"})
Call = tuple[str, str]

ARGS = '{"title": "call John"}'
MILK = '{"title": "buy milk"}'
TRICKY = '{"title": "a } \\" { b"}'
WIDE = '{"title": "Zahnärztin 日本 😀"}'
PAY = '{"name": "pay", "arguments": {}}'
NAMED = f'{{"name": "create_task", "arguments": {ARGS}}}'
SECOND = f'{{"name":"create_task","parameters":{MILK}}}'
ONE: tuple[Call, ...] = (("create_task", ARGS),)
TWO: tuple[Call, ...] = (*ONE, ("create_task", MILK))


@dataclass(frozen=True, slots=True)
class Leak:
    name: str
    text: str
    calls: tuple[Call, ...] = ()
    left: str | None = None  # the text that stays; None: all of it

    @property
    def stays(self) -> str:
        return self.text if self.left is None else self.left


CALLS = [
    Leak("a call alone", NAMED, ONE, ""),
    Leak("parameters", NAMED.replace("arguments", "parameters"), ONE, ""),
    Leak("without blanks", '{"name":"create_task","arguments":{"title":"x"}}', (("create_task", '{"title":"x"}'),), ""),
    Leak(
        "over several lines",
        '{\n  "name": "create_task",\n  "arguments": {\n    "title": "x"\n  }\n}',
        (("create_task", '{\n    "title": "x"\n  }'),),
        "",
    ),
    Leak("arguments as a text", '{"name":"create_task","arguments":"{\\"title\\": \\"call John\\"}"}', ONE, ""),
    Leak("arguments first", f'{{"arguments": {ARGS}, "name": "create_task"}}', ONE, ""),
    Leak("a type before the name", f'{{"type": "function", "name": "create_task", "parameters": {ARGS}}}', ONE, ""),
    Leak("an id before the name", f'{{"id": "call_1", "name": "create_task", "arguments": {ARGS}}}', ONE, ""),
    Leak("under function", f'{{"type": "function", "function": {NAMED}}}', ONE, ""),
    Leak("under function alone", f'{{"function": {NAMED}}}', ONE, ""),
    Leak("function as the name", f'{{"function": "create_task", "parameters": {ARGS}}}', ONE, ""),
    Leak("no arguments", '{"name": "create_task", "arguments": {}}', (("create_task", "{}"),), ""),
    Leak("arguments null", '{"name": "create_task", "parameters": null}', (("create_task", "{}"),), ""),
    Leak("after words", f"Sure! Here is the call: {NAMED}", ONE, "Sure! Here is the call: "),
    Leak("before words", f"{NAMED}\n\nI will remind you.", ONE, "\n\nI will remind you."),
    Leak("between words", f"Sure.\n{NAMED}\nDone.", ONE, "Sure.\n\nDone."),
    Leak("in a fence", f"```json\n{NAMED}\n```", ONE, ""),
    Leak("in a fence without a language", f"```\n{NAMED}\n```", ONE, ""),
    Leak("in a fence on one line", f"```{NAMED}```", ONE, ""),
    Leak("in a fence between words", f"Sure:\n\n```json\n{NAMED}\n```\n\nOkay?", ONE, "Sure:\n\n\n\nOkay?"),
    Leak("a fence that is not closed", f"```tool_call\n{NAMED}", ONE, ""),
    Leak("a fence that is half closed", f"```json\n{NAMED}\n``", ONE, ""),
    Leak("in a list", f"[{NAMED}]", ONE, ""),
    Leak("two in a list", f"[{NAMED},\n {SECOND}]", TWO, ""),
    Leak("two in a list in a fence", f"```json\n[\n{NAMED},\n{SECOND}\n]\n```", TWO, ""),
    Leak("a list that is not closed", f"[{NAMED}, {SECOND}", TWO, ""),
    Leak("two one after another", f"{NAMED}\n{SECOND}", TWO, ""),
    Leak("two with a semicolon", f"{NAMED}; {SECOND}", TWO, ""),
    Leak("two in marks", f"<tool_call>\n{NAMED}\n</tool_call>\n<tool_call>{SECOND}</tool_call>", TWO, ""),
    Leak("two fences", f"```json\n{NAMED}\n```\n```json\n{SECOND}\n```", TWO, ""),
    Leak("the mark of Llama", f"<|python_tag|>{NAMED}", ONE, ""),
    Leak("the mark of Mistral", f"[TOOL_CALLS] [{NAMED}]", ONE, ""),
    Leak("the mark of Mistral without a list", f"[TOOL_CALLS]{NAMED}", ONE, ""),
    Leak("two in lists with words between", f"[{NAMED}] and [{SECOND}] too", TWO, " and  too"),
    Leak("the last bracket is missing", NAMED[:-1], ONE, ""),
    Leak("a comma too many", f'{{"name": "create_task", "arguments": {ARGS},}}', ONE, ""),
    Leak("cut in the middle", NAMED[:-9], (("create_task", ARGS[:-8]),), ""),
    Leak("arguments that are no JSON", NAMED.replace(ARGS, "{title: 1}"), (("create_task", "{title: 1}"),), ""),
    Leak("braces and quotes in a text", NAMED.replace(ARGS, TRICKY), (("create_task", TRICKY),), ""),
    Leak("many bytes a character", f"Gern 😀: {NAMED.replace(ARGS, WIDE)} ✓", (("create_task", WIDE),), "Gern 😀:  ✓"),
    Leak("a field too many", f'{{"name": "create_task", "arguments": {ARGS}, "thought": "I should"}}', ONE, ""),
    Leak("a call, then an object that is none", f'[{NAMED}, {{"a": 1}}]', ONE, ', {"a": 1}]'),
    Leak("a call, then one of a tool that is not offered", f"{NAMED}\n{PAY}", ONE, f"\n{PAY}"),
    Leak("long blanks behind", f"{NAMED}{' ' * 200}ok", ONE, f"{' ' * 200}ok"),
]  # fmt: skip

TEXTS = [
    Leak("plain words", "You have 3 tasks. Anything else?"),
    Leak("a tool that is not offered", '{"name": "pay_bill", "arguments": {"amount": 1}}'),
    Leak("a name that begins like an offered one", '{"name": "create_tasks", "arguments": {}}'),
    Leak("a name without arguments", '{"name": "create_task"}'),
    Leak("a person's name", '{"name": "John", "age": 7}'),
    Leak("an object of something else", 'The settings are {"theme": "dark", "size": 3}.'),
    Leak("a tool as it is described", '{"name": "create_task", "description": "Make a task.", "parameters": {}}'),
    Leak(
        "a tool as others describe it", f'{{"name": "create_task", "parameters": {ARGS}, "description": "Make one."}}'
    ),
    Leak(
        "a tool as it is offered",
        '{"type": "function", "function": {"name": "create_task", "description": "Make one.", "parameters": {}}}',
    ),
    Leak("a call inside of another object", f'{{"plan": {NAMED}}}'),
    Leak("a call inside of a list of other things", f"[1, {NAMED}]"),
    Leak("a call as a line of code", f"Write `{NAMED}` to make one."),
    Leak("code in a fence", "```python\nprint({'a': [1]})\n```\nThat is all."),
    Leak("a fence of JSON", '```json\n{"a": {"b": [1, 2]}}\n```'),
    Leak("code in a line", "Use `make run` or ``x``."),
    Leak("a link and a list", "[one](http://x.example) and [ ] two, [x] three, [[four]]"),
    Leak("less and greater", "1 < 2 > 0, <b>bold</b>, <tool_box>, <|end|>"),
    Leak("brackets that never close", '{ [ { "name'),
    Leak("half of a call's beginning", 'Hm {"name": "create_ta'),
    Leak("a name and nothing more", '{"name": "create_task", '),
    Leak("a name and words", '{"name": "create_task", "arguments" are missing here.'),
    Leak("a name and another key", '{"name": "create_task", "title": "x", "arguments": {}}'),
    Leak("half of a fence", "``"),
    Leak("half of a mark", "<tool_ca"),
    Leak("half of a list", "[TOOL"),
    Leak("blanks without end", "{" + " " * 200 + '"name": "create_task", "arguments": {}}'),
    Leak("a language that is too long", f"```{'j' * 40}\n{{}}\n```"),
    Leak("a call that is too long", '{"name":"create_task","arguments":{"title":"' + "x" * 20_000 + '"}}'),
    Leak("a nameless object that is too long", '{"parameters": {"a": "' + "x" * 3_000 + '"}, "name": "create_task"}'),
    Leak("single quotes", "{'name': 'create_task', 'arguments': {'title': 'x'}}"),
    Leak("a function call as code", 'create_task(title="call John")'),
    Leak("line breaks and blanks", "\n\n  \n{\n\n}\n  \n"),
]


def _openai(pieces: list[str]) -> bytes:
    return sse(FIRST, *map(said, pieces), STOP, USED, DONE)


def _native(pieces: list[str]) -> bytes:
    padded = [native(piece, p="abcdefgh"[: n % 8]) for n, piece in enumerate(pieces)]
    return sse(*padded, native("", usage=usage(11, 2)), DONE)


def _openai_of_workers_ai(pieces: list[str]) -> bytes:
    body = [{**chunk({"content": piece}), "p": "xyz"} for piece in pieces]
    return b": ping\r\n\r\n" + sse(*body, chunk({}, "stop"), native("", usage=usage(11, 2)), DONE, end="\r\n\r\n")


WIRES: dict[str, Callable[[list[str]], bytes]] = {
    "openai": _openai,
    "workers_ai": _native,
    "workers_ai, newer": _openai_of_workers_ai,
}


def tokens(text: str, size: int) -> list[str]:
    return [text[place : place + size] for place in range(0, len(text), size)]


def _stream(wire: str, leak: Leak) -> tuple[str, Any]:
    size = 7 if len(leak.text) < 1_000 else 1_009
    return f"{leak.name} ({wire})", (WIRES[wire](tokens(leak.text, size)), leak)


leaks = [*CALLS, *TEXTS]
LEAKED: dict[str, tuple[bytes, Leak]] = dict(_stream(wire, leak) for wire in WIRES for leak in leaks)
