"""httpx2's transport with an end to what one answer may hold: `mcp` reads a JSON answer whole, whatever its size."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2


class CappedTransport(httpx2.AsyncHTTPTransport):
    """Answers to POST of more than `bytes_max` end as a read error. The long-lived stream that a GET opens has no end
    to its size; the library bounds its single events."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(trust_env=False)
        self._bytes_max = bytes_max

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if request.method == "POST":
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Capped(response.stream, self._bytes_max)
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
