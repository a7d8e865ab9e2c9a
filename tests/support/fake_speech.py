"""A stand-in of OpenAI's audio interface and of Workers AI's speech models, for tests.

Its voice writes the words into the payload of MP3 frames and its ear reads them out again, so that what was read aloud
can be heard. It is strict where the real ones are: names of files, lengths of texts, base64, keys.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any

import msgspec

from tests.support.sounds import MP3_PAYLOAD_BYTES, mp3_frame

ACCOUNT = "account-1"
KEY = "key-1"
_FILE_NAME = re.compile(r"[a-z]+\.(wav|ogg|webm|mp3|m4a|flac)")
_RUN = re.compile(rf"/(?:client/v4/accounts/{ACCOUNT}/ai|v1/{ACCOUNT}/[^/]+/workers-ai)/run/(@.+)")
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    headers: dict[str, str]
    fields: dict[str, Any]


class Refused(Exception):
    """What the real service would refuse."""


@dataclass
class SpeechServer:
    """`next_answers` are given before anything is computed."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    next_answers: deque[Answer] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                path = head[0].split(" ")[1]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                answer = self._answer(path, headers, body)
                lines = (f"content-type: {answer.content_type}", f"content-length: {len(answer.body)}", *answer.headers)
                self.arrived.set()
                if answer.hangs:
                    await reader.read()
                    break
                status = f"HTTP/1.1 {answer.status} Stand-in"
                writer.write("\r\n".join([status, *lines, "", ""]).encode() + answer.body)
                await writer.drain()
        writer.close()

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        form = headers.get("content-type", "")
        fields = _multipart(form, body) if form.startswith("multipart/") else msgspec.json.decode(body)
        self.calls.append(Call(path, headers, fields))
        if self.next_answers:
            return self.next_answers.popleft()
        run = _RUN.fullmatch(path)
        try:
            if headers.get("authorization") != f"Bearer {KEY}":
                return Answer(401, _error(run is not None, "Unauthorized", 10_000))
            if run is not None:
                return _workers_ai(run[1], fields)
            return _openai(path, fields)
        except (Refused, KeyError) as error:
            return Answer(400, _error(run is not None, str(error), 5_004))


def _openai(path: str, fields: dict[str, Any]) -> Answer:
    if path == "/v1/audio/transcriptions":
        name, media_type, data = fields["file"]
        _require(bool(_FILE_NAME.fullmatch(name)) and media_type.startswith("audio/"), "Unrecognized file format")
        _require(bool(fields["model"]) and fields["response_format"] == "json", "bad fields")
        _require(fields.get("language", "en") in ("en", "de"), "language must be ISO-639-1")
        return Answer(200, _encode({"text": heard(data), "usage": {"type": "duration", "seconds": 3}}))
    _require(path == "/v1/audio/speech", f"no such path {path}")
    _require(0 < len(fields["input"]) <= 4_096 and bool(fields["voice"]) and bool(fields["model"]), "bad fields")
    _require(fields["response_format"] == "mp3", "bad format")
    return Answer(200, spoken(fields["input"]), "audio/mpeg")


def _workers_ai(model: str, fields: dict[str, Any]) -> Answer:
    if model == "@cf/openai/whisper-large-v3-turbo":
        try:
            data = base64.b64decode(fields["audio"], validate=True)
        except binascii.Error:
            raise Refused("audio is not base64") from None
        info = {"language": fields.get("language", "en"), "duration": 3.25}
        return Answer(200, _result({"text": heard(data), "word_count": 1, "transcription_info": info}))
    if model == "@cf/deepgram/aura-1":
        _require(0 < len(fields["text"]) <= 2_000 and fields["encoding"] == "mp3", "bad fields")
        return Answer(200, spoken(fields["text"]), "audio/mpeg")
    _require(model == "@cf/myshell-ai/melotts" and bool(fields["prompt"]) and len(fields["lang"]) == 2, "bad fields")
    return Answer(200, _result({"audio": base64.b64encode(spoken(fields["prompt"])).decode()}))


def spoken(text: str) -> bytes:
    """MP3 frames that hold the words; at least two, as any file has."""
    data = text.encode()
    parts = [data[i : i + MP3_PAYLOAD_BYTES] for i in range(0, len(data), MP3_PAYLOAD_BYTES)]
    return b"".join(mp3_frame(part) for part in parts) + mp3_frame()


def heard(data: bytes) -> str:
    """The words in such frames. Raises `Refused` for anything else."""
    size = 4 + MP3_PAYLOAD_BYTES
    frames = [data[i : i + size] for i in range(0, len(data), size)]
    _require(bool(frames) and all(frame[:4] == mp3_frame()[:4] for frame in frames), "Invalid audio")
    return " " + b"".join(frame[4:].rstrip(b"\0") for frame in frames).decode()


def _require(good: bool, why: str) -> None:
    if not good:
        raise Refused(why)


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """Fields by name; a file as its name, type and bytes. Read by the standard library's parser of mail."""
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields: dict[str, Any] = {}
    for part in message.walk():
        if part.is_multipart():
            continue
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(data, bytes)
        file_name = part.get_filename()
        fields[name] = data.decode() if file_name is None else (file_name, part.get_content_type(), data)
    return fields


def _result(result: Any) -> bytes:
    return _encode({"result": result, "success": True, "errors": [], "messages": []})


def _error(cloudflare: bool, message: str, code: int) -> bytes:
    if cloudflare:
        return failed(code, message)
    return _encode({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})


def failed(code: int, message: str = "AiError") -> bytes:
    """Cloudflare's error body."""
    return _encode({"result": None, "success": False, "errors": [{"code": code, "message": message}], "messages": []})


@asynccontextmanager
async def fake_speech() -> AsyncIterator[SpeechServer]:
    """Listens until the block ends. OpenAI's base URL is `server.url + "/v1"`, Cloudflare's `server.url`."""
    server = SpeechServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server
