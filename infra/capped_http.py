"""httpx2's transport with an end to what one answer may hold: `mcp` reads a JSON answer whole, whatever its size.

Answers that are packed all the same are refused: what is counted here is what comes over the wire.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

STREAM_ANSWERS = 64


class CappedTransport(httpx2.AsyncHTTPTransport):
    """Answers of more than `bytes_max` end as a read error. The long-lived stream that a GET opens may hold
    STREAM_ANSWERS times as much; the library bounds its single events."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(trust_env=False)
        self._bytes_max = bytes_max

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("the answer is packed, which nobody asked for", request=request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        bytes_max = self._bytes_max * (STREAM_ANSWERS if request.method == "GET" else 1)
        response.stream = _Capped(response.stream, bytes_max)
        return response


class _Capped(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, bytes_max: int) -> None:
        self._stream = stream
        self._left = bytes_max

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise httpx2.ReadError("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
