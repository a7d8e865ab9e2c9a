"""`microcos chat` at a terminal: how it ends, and what it makes of an answer that is none of the API's."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cli.chat import Away, Refused, Talk, raise_for
from tests.support.processes import ROOT, reads_its_terminal

INTERRUPT = b"\x03"


def test_ctrl_c_at_the_prompt_ends_it_at_once(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    # A session whose terminal this is, so that the key becomes a signal; which who runs us may have had us ignore.
    begin = "import fcntl, os, signal, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    heed = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{begin}; {heed}; from cli.main import main; main(['chat'], prog_name='microcos')"
    environment = {"PATH": "/usr/bin:/bin", "MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_AUTH_DEV_SECRET": "s" * 32}
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT
    )
    os.close(theirs)
    try:
        shown = b""
        while "you ›".encode() not in shown:
            shown += os.read(ours, 1024)
        # Python looks at signals before and behind that call alone: a key between the prompt and it waits for another.
        assert reads_its_terminal(child.pid)
        os.write(ours, INTERRUPT)
        assert child.wait(60) == 1
        assert b"Traceback" not in os.read(ours, 4096)
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def answers_come_from(transport: httpx.MockTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    client = httpx.AsyncClient
    monkeypatch.setattr("cli.chat.httpx.AsyncClient", lambda **options: client(transport=transport, **options))


class Stream(httpx.AsyncByteStream):
    """Holds one answer, and goes on for as long as somebody reads it."""

    def __init__(self) -> None:
        self.is_open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'event: message.completed\ndata: {"messageId": "m_1", "text": "Hello"}\n\n'
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.is_open = False


def test_no_stream_stays_open_at_the_prompt_and_what_is_piped_in_may_be_no_utf_8(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    stream, open_at_prompt = Stream(), []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, stream=stream)
        sent.append(json.loads(request.content)["text"])
        return httpx.Response(202, json={"replyId": "m_1", "streamUrl": "/stream"})

    def at_the_prompt(_: str) -> str:
        open_at_prompt.append(stream.is_open)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    answers_come_from(httpx.MockTransport(answer), monkeypatch)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"gr\xfc\xdfe\n"), encoding="utf-8"))
    monkeypatch.setattr("builtins.input", at_the_prompt)
    out = io.StringIO()
    assert Talk("http://api", "token", None, out, 1.0).until_closed()
    assert (sent, open_at_prompt) == (["gr\ufffd\ufffde"], [True, False])
    assert out.getvalue() == "Hello\n"


@pytest.mark.parametrize(("status", "error"), [(301, Refused), (404, Refused), (429, Refused), (503, Away)])
def test_what_is_no_answer_of_the_api_is_told_or_waited_out(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        raise_for(httpx.Response(status, text="<html>"))
    raise_for(httpx.Response(202))


def test_letters_that_are_none_are_sent_as_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content)["text"])
        return httpx.Response(400, json={"detail": "enough"})

    answers_come_from(httpx.MockTransport(answer), monkeypatch)
    with pytest.raises(Refused, match="enough"):
        asyncio.run(Talk("http://api", "token", None, io.StringIO(), 1.0).once("gr\udcfc\udcdfe"))
    assert sent == ["gr\ufffd\ufffde"]
