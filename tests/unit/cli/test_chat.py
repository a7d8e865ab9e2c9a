"""`microcos chat` at a terminal: how it ends, and what it makes of an answer that is none of the API's."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cli.chat import Away, Refused, Talk, raise_for
from tests.support.processes import ROOT

INTERRUPT = b"\x03"


def test_ctrl_c_at_the_prompt_ends_it_at_once(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    # A session whose terminal this is, so that the key becomes a signal.
    begin = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    program = f"{begin}; from cli.main import main; main(['chat'], prog_name='microcos')"
    environment = {"PATH": "/usr/bin:/bin", "MICROCOS_DATA_DIR": str(tmp_path)}
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT
    )
    os.close(theirs)
    try:
        shown = b""
        while "you ›".encode() not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, INTERRUPT)
        assert child.wait(60) == 1
        assert b"Traceback" not in os.read(ours, 4096)
    finally:
        child.kill()
        child.wait()
        os.close(ours)


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

    client = httpx.AsyncClient
    monkeypatch.setattr(
        "cli.chat.httpx.AsyncClient", lambda **options: client(transport=httpx.MockTransport(answer), **options)
    )
    with pytest.raises(Refused, match="enough"):
        asyncio.run(Talk("http://api", "token", None, io.StringIO(), 1.0).once("gr\udcfc\udcdfe"))
    assert sent == ["gr\ufffd\ufffde"]
