"""Tool calls in streams, and Workers AI's own form: recorded, or written by hand after reports."""

from __future__ import annotations

from domain.ports import ToolCall
from tests.unit.llm.wire import (
    CALLED,
    DONE,
    FIRST,
    HELLO,
    HI,
    STOP,
    USED,
    Stream,
    begun,
    calling,
    chunk,
    finished,
    more,
    native,
    said,
    sse,
    texts,
    usage,
)

JOHN = '{"title":"call John"}'
CALL = ToolCall("call_a", "create_task", JOHN)

TOOLS = [
    Stream(
        "a tool call",
        sse(
            FIRST,
            calling(begun(0, "call_a", "create_task")),
            calling(more(0, '{"title":')),
            calling(more(0, '"call John"}')),
            CALLED,
            USED,
            DONE,
        ),
        [CALL, finished("tool_calls", 11, 2)],
    ),
    Stream(
        "arguments in the first delta",
        sse(calling(begun(0, "call_a", "create_task", JOHN)), CALLED, DONE),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "words before a call",
        sse(*HELLO, calling(begun(0, "call_a", "create_task", JOHN)), CALLED, DONE),
        [*HI, CALL, finished("tool_calls")],
    ),
    Stream(
        "reason stop although a call was made",
        sse(calling(begun(0, "call_a", "create_task", JOHN)), STOP, DONE),
        [CALL, finished("stop")],
    ),
    Stream(
        "DONE without a reason after a call",
        sse(calling(begun(0, "call_a", "create_task", JOHN)), DONE),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "name null, the word null, or empty on later deltas",
        sse(
            calling(begun(0, "call_a", "create_task")),
            calling(more(0, '{"title":', name=None)),
            calling(more(0, '"call ', name="null")),
            calling(more(0, 'John"}', name="")),
            CALLED,
            DONE,
        ),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "id repeated, then empty",
        sse(
            calling(begun(0, "call_a", "create_task", '{"title":')),
            calling(begun(0, "call_a", "create_task", '"call ')),
            calling(begun(0, "", "", 'John"}')),
            CALLED,
            DONE,
        ),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "arguments null at the end",
        sse(calling(begun(0, "call_a", "create_task", JOHN)), calling(more(0, None)), CALLED, DONE),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "arguments as an object",
        sse(calling(begun(0, "call_a", "create_task", {"title": "call John"})), CALLED, DONE),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "no arguments: empty text",
        sse(calling(begun(0, "call_a", "list_tasks", "")), CALLED, DONE),
        [ToolCall("call_a", "list_tasks", "{}"), finished("tool_calls")],
    ),
    Stream(
        "no arguments: null",
        sse(calling(begun(0, "call_a", "list_tasks", None)), CALLED, DONE),
        [ToolCall("call_a", "list_tasks", "{}"), finished("tool_calls")],
    ),
    Stream(
        "no id",
        sse(calling(begun(0, None, "create_task", JOHN)), CALLED, DONE),
        [ToolCall("call_0", "create_task", JOHN), finished("tool_calls")],
    ),
    Stream(
        "an id that is a number",
        sse(calling(begun(0, 7, "create_task", JOHN)), CALLED, DONE),
        [ToolCall("7", "create_task", JOHN), finished("tool_calls")],
    ),
    Stream(
        "two calls: the first comes out when the second begins",
        sse(
            calling(begun(0, "call_a", "create_task", JOHN)),
            calling(begun(1, "call_b", "list_tasks")),
            said("ok"),
            CALLED,
            DONE,
        ),
        [CALL, *texts("ok"), ToolCall("call_b", "list_tasks", "{}"), finished("tool_calls")],
    ),
    Stream(
        "two calls in one delta",
        sse(calling(begun(0, "call_a", "create_task", JOHN), begun(1, "call_b", "create_task", "{}")), CALLED, DONE),
        [CALL, ToolCall("call_b", "create_task", "{}"), finished("tool_calls")],
    ),
    Stream(
        "two calls announced first and filled in afterwards",
        sse(
            calling(begun(0, "call_a", "create_task"), begun(1, "call_b", "list_tasks")),
            calling(more(0, JOHN)),
            calling(more(1, "{}")),
            CALLED,
            DONE,
        ),
        [CALL, ToolCall("call_b", "list_tasks", "{}"), finished("tool_calls")],
    ),
    Stream(
        "every call with index 0 and an id of its own",
        sse(
            calling(begun(0, "call_a", "create_task", JOHN)),
            calling(begun(0, "call_b", "create_task", "{}")),
            CALLED,
            DONE,
        ),
        [CALL, ToolCall("call_b", "create_task", "{}"), finished("tool_calls")],
    ),
    Stream(
        "no index at all",
        sse(
            calling({"id": "call_a", "function": {"name": "create_task", "arguments": '{"title":'}}),
            calling({"function": {"arguments": '"call John"}'}}),
            CALLED,
            DONE,
        ),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "the same id twice",
        sse(calling(begun(0, "x", "create_task", JOHN)), calling(begun(1, "x", "create_task", JOHN)), CALLED, DONE),
        [ToolCall("x", "create_task", JOHN), ToolCall("call_1", "create_task", JOHN), finished("tool_calls")],
    ),
    Stream(
        "arguments that are no JSON stay as written",
        sse(calling(begun(0, "call_a", "create_task", "{title")), CALLED, DONE),
        [ToolCall("call_a", "create_task", "{title"), finished("tool_calls")],
    ),
    Stream(
        "cut in the middle of a call", sse(*HELLO, calling(begun(0, "call_a", "create_task", '{"ti'))), "truncated", HI
    ),
    Stream(
        "an empty object before the text of the arguments",
        sse(
            calling(begun(0, "call_a", "create_task", {})), calling(more(0, JOHN[:5])), calling(more(0, JOHN[5:])), DONE
        ),
        [CALL, finished("tool_calls")],
    ),
    Stream(
        "an empty object alone",
        sse(calling(begun(0, "call_a", "list_tasks", {})), CALLED, DONE),
        [ToolCall("call_a", "list_tasks", "{}"), finished("tool_calls")],
    ),
    Stream(
        "the older form of a call",
        sse(
            chunk({"function_call": {"name": "create_task", "arguments": ""}}),
            chunk({"function_call": {"arguments": JOHN[:7]}}),
            chunk({"function_call": {"arguments": JOHN[7:]}}),
            chunk({}, "function_call"),
            DONE,
        ),
        [ToolCall("call_0", "create_task", JOHN), finished("function_call")],
    ),
    Stream("a call without a name", sse(calling(begun(0, "call_a", "", JOHN)), CALLED, DONE), "bad_answer"),
    Stream(
        "tool calls null",
        sse(chunk({"content": "Hi", "tool_calls": None}), said(" you"), STOP, DONE),
        [*HI, finished("stop")],
    ),
]

NATIVE_USED = native("", usage=usage(9, 2))
SENTINEL = {"id": None, "type": None, "index": 0, "function": {"name": None, "arguments": ""}}

WORKERS_AI = [
    Stream(
        "native", sse(native("Hi", p="abcd"), native(" you", p="a"), NATIVE_USED, DONE), [*HI, finished("stop", 9, 2)]
    ),
    Stream("native without usage", sse(native("Hi"), native(" you"), DONE), [*HI, finished("stop")]),
    Stream("native without DONE", sse(native("Hi"), native(" you"), NATIVE_USED), "truncated", HI),
    Stream(
        "native with a reason and without DONE",
        sse(native("Hi"), native(" you", finish_reason="stop")),
        [*HI, finished("stop")],
    ),
    Stream("native response null", sse(native(None), native("Hi"), native(" you"), DONE), [*HI, finished("stop")]),
    Stream(
        "native tokens that look like numbers",
        sse(native("It is "), native(42), '{"response":3.10}', native(True), DONE),
        [*texts("It is ", "42", "3.10", "true"), finished("stop")],
    ),
    Stream("native answer as an object", sse('{"response":{"a": 1}}', DONE), [*texts('{"a": 1}'), finished("stop")]),
    Stream(
        "OpenAI's form on the same address",
        sse({**said("Hi"), "p": "abc"}, {**said(" you"), "p": "a"}, STOP, NATIVE_USED, DONE),
        [*HI, finished("stop", 9, 2)],
    ),
    Stream(
        "native tool call with its sentinel",
        sse(
            native(
                "", tool_calls=[{"id": "call_a", "type": "function", "index": 0, "function": {"name": "create_task"}}]
            ),
            native("", tool_calls=[more(0, '{"title":')]),
            native("", tool_calls=[more(0, '"call John"}')]),
            native("", tool_calls=[SENTINEL]),
            NATIVE_USED,
            DONE,
        ),
        [CALL, finished("tool_calls", 9, 2)],
    ),
    Stream(
        "tool call in OpenAI's form with the sentinel, reason stop",
        sse(
            calling({"id": "call_a", "type": "function", "index": 0, "function": {"name": "create_task"}}),
            calling(more(0, JOHN)),
            calling(SENTINEL),
            STOP,
            DONE,
        ),
        [CALL, finished("stop")],
    ),
    Stream(
        "native tool calls, flat, without index, arguments as objects",
        sse(
            native(
                "",
                tool_calls=[
                    {"name": "create_task", "arguments": {"title": "call John"}},
                    {"name": "list_tasks", "arguments": {}},
                ],
            ),
            DONE,
        ),
        [ToolCall("call_0", "create_task", JOHN), ToolCall("call_1", "list_tasks", "{}"), finished("tool_calls")],
    ),
    Stream(
        "a sentinel without a call",
        sse(native("Hi", tool_calls=[SENTINEL]), native(" you"), DONE),
        [*HI, finished("stop")],
    ),
    Stream(
        "out of capacity in the stream",
        sse(native("Hi"), {"errors": [{"code": 3040, "message": "Capacity"}], "success": False}),
        "unavailable",
        texts("Hi"),
    ),
    Stream(
        "the daily allowance in the stream",
        sse({"success": False, "errors": [{"code": 3036, "message": "neurons"}]}),
        "quota",
    ),
    Stream("no errors", sse(native("Hi", errors=[]), native(" you"), DONE), [*HI, finished("stop")]),
]
