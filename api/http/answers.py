"""An answer whose bytes are ready: what nearly every route returns. Must not encode anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Response
from litestar.types import Receive, Scope, Send

JSON = b"application/json"
NOT_MODIFIED = 304


class BytesAnswer(Response[bytes]):
    """`body` as it is, with `headers` in lower case. Litestar's own `Response` looks at cookies, encoders, media types
    and background tasks for each answer, which costs as much as all of the edge; here there are none of them.
    """

    def __init__(
        self,
        body: bytes,
        *,
        status_code: int = 200,
        headers: Iterable[tuple[bytes, bytes]] = (),
        media_type: bytes = JSON,
    ) -> None:
        # The parent's attributes are left out on purpose: only its type is needed, for handlers' annotations.
        self.content = body
        self.status_code = status_code
        self._headers = [*headers]
        if status_code != NOT_MODIFIED:  # which must not tell the length of what it does not send
            self._headers += [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return self.send

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Any = {"type": "http.response.start", "status": self.status_code, "headers": self._headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.content, "more_body": False})
