"""One model call over HTTP: send, read the stream, stop. Exactly one request a call: whoever wants another try makes
another call. It must not know a provider's paths or request form.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any

import httpx

from domain.ports import JsonAnswer, ModelError, ModelEvent, ModelFinished, ModelRequest, TextDelta
from domain.values import ModelUsage
from workers.llm.chunks import Answer
from workers.llm.policy import (
    context_tokens_told,
    failure,
    failure_of_payload,
    failure_of_response,
    failure_of_transport,
)
from workers.llm.sse import SseParser
from workers.llm.transport import StreamingTransport

CONNECT_SECONDS_MAX = 5.0
WHOLE_BODY_BYTES_MAX = 4_194_304
ERROR_BODY_BYTES_MAX = 65_536
DRAIN_SECONDS_MAX = 0.2


class ModelHttp:
    """A client for one provider. `silence_seconds`: longest time without a byte; `deadline_seconds`: for a whole
    answer. `codes`: the provider's own error numbers (see `policy`)."""

    def __init__(
        self,
        *,
        headers: Mapping[str, str],
        silence_seconds: float,
        deadline_seconds: float,
        codes: Mapping[int, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._codes = codes
        self.context_tokens_told: int | None = None  # the context window, where an error named it
        self._client = httpx.AsyncClient(
            transport=transport or StreamingTransport(),
            headers={
                "user-agent": "microcos",
                "accept": "text/event-stream, application/json",
                "accept-encoding": "identity",
                "content-type": "application/json",
                **headers,
            },
            timeout=httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def complete_json(self, url: str, body: bytes, request: ModelRequest) -> JsonAnswer:
        """The text of an answer that was asked for in one piece. Raises `ModelError`."""
        texts: list[str] = []
        usage = ModelUsage()
        async with aclosing(self.stream(url, body, request, in_one_piece=True)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    texts.append(event.text)
                elif isinstance(event, ModelFinished):
                    usage = event.usage or usage
        return JsonAnswer("".join(texts), usage)

    async def stream(
        self, url: str, body: bytes, request: ModelRequest, *, in_one_piece: bool = False
    ) -> AsyncGenerator[ModelEvent, None]:
        """Events as they arrive, `ModelFinished` last. Raises `ModelError`. Closing it closes the connection.

        `in_one_piece`: nothing is to be heard until the whole answer is there, so only the deadline counts.
        """
        answer = Answer(request, self._failure_in)
        parser = SseParser()
        cause: ModelError | None = None
        response = await self._send(url, body, in_one_piece=in_one_piece)
        try:
            pieces = await self._open(response)
            try:
                if "json" in response.headers.get("content-type", ""):
                    for event in answer.take_whole(await _read_all(pieces)):
                        yield event
                async for piece in pieces:
                    for payload in parser.feed(piece):
                        for event in answer.take(payload):
                            yield event
                    if answer.done or parser.too_long:
                        break
                for event in _take_rest(parser, answer):
                    yield event
            except httpx.HTTPError as error:
                cause = failure_of_transport(error, begun=True)
            for event in answer.end(cause):
                yield event
            if answer.complete and cause is None:
                await _drain(pieces)
        finally:
            await response.aclose()

    async def get(self, url: str) -> httpx.Response:
        """A whole answer, whatever its status. Raises `ModelError` when there is none that ends."""
        try:
            request = self._client.build_request("GET", url, extensions=self._deadline())
            response = await self._client.send(request, stream=True)
            try:
                body = await _read_all(response.aiter_bytes())
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise failure_of_transport(error, begun=False) from error
        # Unpacked by now, where it was packed.
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        return httpx.Response(response.status_code, headers=headers, content=body)

    def failure_of(self, response: httpx.Response) -> ModelError:
        return failure_of_response(response.status_code, response.headers, response.content, codes=self._codes)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _failure_in(self, payload: bytes) -> ModelError:
        self._learn(payload)
        return failure_of_payload(payload, codes=self._codes)

    async def _send(self, url: str, body: bytes, *, in_one_piece: bool) -> httpx.Response:
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS_MAX) if in_one_piece else self._client.timeout
        try:
            request = self._client.build_request(
                "POST", url, content=body, timeout=timeout, extensions=self._deadline()
            )
            return await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise failure_of_transport(error, begun=False) from error

    def _deadline(self) -> dict[str, Any]:
        return {"deadline": asyncio.get_running_loop().time() + self._deadline_seconds}

    async def _open(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """The body's pieces, once the head says that they are an answer."""
        # Nobody asked for a coding; where there is one all the same, httpx undoes it.
        pieces = response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()
        if response.status_code != 200:
            body = await _read_what_there_is(pieces)
            self._learn(body)
            raise failure_of_response(response.status_code, response.headers, body, codes=self._codes)
        content_type = response.headers.get("content-type", "")
        if "html" in content_type:
            raise failure("bad_answer", f"{content_type} in place of a stream")
        return pieces

    def _learn(self, body: bytes) -> None:
        self.context_tokens_told = context_tokens_told(body) or self.context_tokens_told


def _take_rest(parser: SseParser, answer: Answer) -> list[ModelEvent]:
    """The events of what stood in the buffer when reading ended; half a payload is no error of its own."""
    if parser.too_long:
        raise failure("bad_answer", "an event that is too long")
    events: list[ModelEvent] = []
    for payload in parser.end():
        try:
            events.extend(answer.take(payload))
        except ModelError as error:
            if error.code != "bad_answer":
                raise
    return events


async def _read_all(pieces: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > WHOLE_BODY_BYTES_MAX:
            raise failure("bad_answer", "an answer that is too long")
    return bytes(body)


async def _read_what_there_is(pieces: AsyncIterator[bytes]) -> bytes:
    """The beginning of an error's body; one that breaks off still has its status."""
    body = bytearray()
    with suppress(httpx.HTTPError):
        async for piece in pieces:
            body += piece
            if len(body) > ERROR_BODY_BYTES_MAX:
                break
    return bytes(body[:ERROR_BODY_BYTES_MAX])


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read the few bytes after the last event, so that the connection can serve the next call."""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(DRAIN_SECONDS_MAX):
            async for _ in pieces:
                pass
