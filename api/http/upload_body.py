"""A `multipart/form-data` body with one file and a few short fields, read while it comes. Nothing is written anywhere:
a body that is cut off leaves nothing. File names and declared types are not looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from api.http.body_gate import AUDIO_BYTES_MAX, ClientGone
from api.problems import Problem, Refused

FIELD_BYTES_MAX = 1_024
PARTS_MAX = 16
FILE = "file"


class UploadBody:
    """`file` is None until it has come whole."""

    def __init__(self) -> None:
        self.file: bytes | None = None
        self.fields: dict[str, str] = {}


async def read_upload(
    content_type: bytes, receive: Callable[[], Awaitable[Any]], *, fields: Collection[str]
) -> UploadBody:
    """The file of the part called `file`, and the parts called as `fields`. Raises `Refused` (400, 413) for anything
    else and `ClientGone`; whatever `receive` raises comes through."""
    try:
        parser = PushMultipartParser(_boundary(content_type), max_segment_count=PARTS_MAX, strict=True)
        return await _read(parser, _chunks(receive), fields)
    except ParserLimitReached:
        raise _malformed("It has too many parts, or too long heads.") from None
    except (MultipartError, ValueError):
        raise _malformed("It is damaged, or was cut off.") from None


def _boundary(content_type: bytes) -> str:
    _, options = parse_options_header(content_type.decode("latin-1"))
    boundary: str = options.get("boundary", "")
    # RFC 2046: 1 to 70 characters.
    if not 0 < len(boundary) <= 70 or not boundary.isascii() or not boundary.isprintable():
        raise _malformed("Its Content-Type names no boundary.")
    return boundary


async def _chunks(receive: Callable[[], Awaitable[Any]]) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return


async def _without_last_break(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What comes, but for a line break at the very end: the parser takes one behind the last boundary for a second
    body when it comes by itself."""
    held = b""
    async for chunk in chunks:
        data = held + chunk
        length = len(data) - (2 if data.endswith(b"\r\n") else 1 if data.endswith(b"\r") else 0)
        held = data[length:]
        if length:
            yield data[:length]


async def _read(parser: PushMultipartParser, chunks: AsyncIterator[bytes], fields: Collection[str]) -> UploadBody:
    body = UploadBody()
    name, data = "", bytearray()
    async for chunk in _without_last_break(chunks):
        for part in parser.parse(chunk):
            if isinstance(part, MultipartSegment):
                name, data = _name(part, body, fields), bytearray()
            elif part is None:
                _keep(body, name, data)
            else:
                data += part
                if len(data) > (AUDIO_BYTES_MAX if name == FILE else FIELD_BYTES_MAX):
                    raise _too_large(name)
    parser.close()
    return body


def _name(part: MultipartSegment, body: UploadBody, fields: Collection[str]) -> str:
    """Raises `Refused` for a part that nobody knows, or that has come before."""
    if part.name != FILE and part.name not in fields:
        raise _malformed(f"It may have the parts {', '.join((FILE, *sorted(fields)))}, and no other.")
    if part.name in body.fields or (part.name == FILE and body.file is not None):
        raise _malformed("A part comes twice.")
    return str(part.name)


def _keep(body: UploadBody, name: str, data: bytearray) -> None:
    if name == FILE:
        body.file = bytes(data)
        return
    try:
        body.fields[name] = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("A field of it is not valid UTF-8.") from None


def _malformed(why: str) -> Refused:
    # The rest of the body may stay unread, so the connection ends with the answer.
    return Refused(Problem(status=400, code="invalid_multipart", detail=f"The body can't be read. {why}", close=True))


def _too_large(name: str) -> Refused:
    if name != FILE:
        return _malformed(f"A field of it has more than {FIELD_BYTES_MAX} bytes.")
    detail = f"Audio may have at most {AUDIO_BYTES_MAX} bytes."
    return Refused(Problem(status=413, code="audio_too_large", detail=detail, close=True))
