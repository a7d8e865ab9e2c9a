"""OpenAI's chunks without tool calls, as many servers send them: recorded, or written by hand after reports."""

from __future__ import annotations

from tests.unit.llm.wire import DONE, FIRST, HELLO, HI, STOP, USED, Stream, chunk, finished, said, sse, texts, usage

OPENAI = [
    Stream("plain", sse(*HELLO, STOP, USED, DONE), [*HI, finished("stop", 11, 2)]),
    Stream("first content empty text", sse(said(""), said("Hi"), said(" you"), STOP, DONE), [*HI, finished("stop")]),
    Stream("no usage chunk", sse(*HELLO, STOP, DONE), [*HI, finished("stop")]),
    Stream(
        "usage null in each chunk",
        sse({**said("Hi"), "usage": None}, STOP, USED, DONE),
        [*texts("Hi"), finished("stop", 11, 2)],
    ),
    Stream(
        "usage in the last chunk with the reason",
        sse(*HELLO, chunk({}, "stop", usage=usage(3, 4)), DONE),
        [*HI, finished("stop", 3, 4)],
    ),
    Stream(
        "usage grows in each chunk",
        sse({**said("Hi"), "usage": usage(3, 1)}, {**said(" you"), "usage": usage(3, 2)}, STOP, DONE),
        [*HI, finished("stop", 3, 2)],
    ),
    Stream(
        "usage of zeros is no usage", sse(*HELLO, STOP, {**USED, "usage": usage(0, 0)}, DONE), [*HI, finished("stop")]
    ),
    *(
        Stream(f"usage of {count}", sse(*HELLO, STOP, {**USED, "usage": usage(*counts)}, DONE), [*HI, finished("stop")])
        for count, counts in {
            "more than can be": (10_000_001, 2),
            "more than 64 bits": (11, 10**20),
            "the greatest of floats": (1.7e308, 2),
            "less than nothing": (-5, -1),
        }.items()
    ),
    Stream(
        "usage of floats and nulls",
        sse(*HELLO, STOP, {**USED, "usage": usage(7.0, None)}, DONE),
        [*HI, finished("stop", 7, 0)],
    ),
    Stream("no DONE after a reason", sse(*HELLO, STOP, USED), [*HI, finished("stop", 11, 2)]),
    Stream("DONE without a reason", sse(*HELLO, DONE), [*HI, finished("stop")]),
    Stream("neither DONE nor a reason", sse(*HELLO), "truncated", HI),
    Stream("cut in the middle of a payload", sse(*HELLO)[:-20], "truncated", texts("Hi")),
    Stream("cut in the middle of a payload after the reason", sse(*HELLO, STOP, USED)[:-40], [*HI, finished("stop")]),
    Stream("cut before the blank line of DONE", sse(*HELLO, DONE)[:-2], [*HI, finished("stop")]),
    Stream("nothing at all", b"", "truncated"),
    Stream("only DONE", sse(DONE), "bad_answer"),
    Stream("only a reason", sse(FIRST, STOP, DONE), "bad_answer"),
    Stream("filtered before the first word", sse(FIRST, chunk({}, "content_filter"), DONE), "refused"),
    Stream("DONE twice", sse(*HELLO, STOP, DONE, DONE), [*HI, finished("stop")]),
    Stream("words after DONE", sse(*HELLO, STOP, DONE, said("ghost")), [*HI, finished("stop")]),
    Stream("cut off by the limit", sse(*HELLO, chunk({}, "length"), DONE), [*HI, finished("length")]),
    Stream(
        "reason empty until the end",
        sse(chunk({"content": "Hi"}, ""), chunk({"content": " you"}, ""), STOP, DONE),
        [*HI, finished("stop")],
    ),
    Stream(
        "content in the chunk of the reason",
        sse(said("Hi"), chunk({"content": " you"}, "stop"), DONE),
        [*HI, finished("stop")],
    ),
    Stream(
        "content in parts",
        sse(said([{"type": "text", "text": "Hi"}, {"type": "text", "text": " you"}]), STOP, DONE),
        [*texts("Hi you"), finished("stop")],
    ),
    Stream("a refusal", sse(chunk({"refusal": "I can't"}), STOP, DONE), [*texts("I can't"), finished("stop")]),
    Stream(
        "reasoning is not text",
        sse(chunk({"reasoning_content": "hm"}), chunk({"reasoning": "hm"}), *HELLO, STOP, DONE),
        [*HI, finished("stop")],
    ),
    Stream(
        "a second choice",
        sse(
            said("Hi"), {**said("no"), "choices": [{"index": 1, "delta": {"content": "no"}}]}, said(" you"), STOP, DONE
        ),
        [*HI, finished("stop")],
    ),
    Stream("choices null", sse({**chunk(), "choices": None}, *HELLO, STOP, DONE), [*HI, finished("stop")]),
    Stream(
        "delta null",
        sse({"choices": [{"index": 0, "delta": None, "finish_reason": None}]}, *HELLO, STOP, DONE),
        [*HI, finished("stop")],
    ),
    Stream(
        "unknown fields everywhere",
        sse({**said("Hi"), "system_fingerprint": "x", "timings": {"n": 1.5}}, said(" you"), STOP, DONE),
        [*HI, finished("stop")],
    ),
    Stream(
        "CRLF, comments and other fields",
        b": ping\r\n\r\n" + sse(*HELLO, STOP, DONE, end="\r\n\r\n") + b"id: 4\r\nretry: 1\r\n\r\n",
        [*HI, finished("stop")],
    ),
    Stream("CR alone", sse(*HELLO, STOP, DONE, end="\r\r"), [*HI, finished("stop")]),
    Stream(
        "no space after the colon, a byte order mark",
        b"\xef\xbb\xbf" + sse(*HELLO, STOP, DONE).replace(b"data: ", b"data:"),
        [*HI, finished("stop")],
    ),
    Stream(
        "data in several lines",
        sse(*HELLO).replace(b',"created"', b'\ndata: ,"created"') + sse(STOP, DONE),
        [*HI, finished("stop")],
    ),
    Stream("empty events", b"data:\n\ndata\n\n" + sse(*HELLO, STOP, DONE), [*HI, finished("stop")]),
    Stream(
        "line breaks, NUL and quotes in a token",
        sse(said('\r\n\n\ndata: x\0"')),
        "truncated",
        texts('\r\n\n\ndata: x\0"'),
    ),
    Stream(
        "emoji as escapes and as bytes",
        b'data: {"choices":[{"delta":{"content":"\\ud83d\\ude00 \xf0\x9f\x98\x80 \xc3\xa9"}}]}\n\n' + sse(STOP, DONE),
        [*texts("😀 😀 é"), finished("stop")],
    ),
    Stream(
        "half of a surrogate pair",
        sse(said("Hi")) + b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
        "bad_answer",
        texts("Hi"),
    ),
    Stream("not JSON", sse(said("Hi"), "{oops", STOP, DONE), "bad_answer", texts("Hi")),
    Stream("JSON of another shape", sse(said("Hi"), "[1]", STOP, DONE), "bad_answer", texts("Hi")),
    Stream(
        "bytes that are no UTF-8",
        sse(said("Hi")) + b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n',
        "bad_answer",
        texts("Hi"),
    ),
    Stream(
        "an error in the stream",
        sse(said("Hi"), {"error": {"message": "boom", "type": "server_error", "code": 500}}),
        "unavailable",
        texts("Hi"),
    ),
    Stream(
        "an error event as text",
        sse(said("Hi")) + b'event: error\ndata: {"error":"model crashed"}\n\n',
        "unavailable",
        texts("Hi"),
    ),
    Stream(
        "a rate limit in the stream",
        sse({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}),
        "rate_limited",
    ),
    Stream(
        "too long, told in the stream",
        sse({"error": {"code": 400, "message": "too big", "type": "exceed_context_size_error", "n_ctx": 4096}}),
        "context_too_long",
    ),
    Stream("error null", sse({**said("Hi"), "error": None}, said(" you"), STOP, DONE), [*HI, finished("stop")]),
    Stream(
        "errors that are none",
        sse({**said("Hi"), "error": ""}, {**said(" you"), "error": {}}, STOP, DONE),
        [*HI, finished("stop")],
    ),
    Stream("blanks behind DONE", sse(*HELLO, STOP, "[DONE]  "), [*HI, finished("stop")]),
]
