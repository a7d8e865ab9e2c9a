"""One call to a speech service over HTTP, and what its failures mean. It must not know a provider's paths or bodies,
and never tries twice: whoever wants another try makes another call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import msgspec

from domain.ports import SpeechError
from domain.text import one_line

CONNECT_SECONDS_MAX = 5.0
ANSWER_BYTES_MAX = 32 * 1024 * 1024
DETAIL_CHARACTERS_MAX = 300
RETRYABLE = frozenset({"timeout", "rate_limited", "unavailable", "bad_answer"})

_BY_STATUS: Mapping[int, str] = {408: "timeout", 413: "too_long", 429: "rate_limited"}

# What bodies say in more detail than the status. Workers AI answers 429 both when an allowance is used up for the day
# (3036) and when it has no capacity just now (3040).
_BY_CODE: Mapping[str | int, str] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "rate_limit_exceeded": "rate_limited",
    3006: "too_long",
    3007: "timeout",
    3008: "unavailable",
    3021: "rate_limited",
    3036: "quota",
    3040: "unavailable",
}


class SpeechHttp:
    """A client for one provider. `deadline_seconds` is for a whole call."""

    def __init__(
        self, *, token: str, deadline_seconds: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._deadline_seconds = deadline_seconds
        authorization = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(
            transport=transport,
            headers={"user-agent": "microcos", "accept-encoding": "identity", **authorization},
            timeout=httpx.Timeout(deadline_seconds, connect=CONNECT_SECONDS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def post(self, url: str, **content: Any) -> httpx.Response:
        """A whole answer of status 200; `content` as httpx takes it (`json`, `data`, `files`). Raises `SpeechError`."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                request = self._client.build_request("POST", url, **content)
                response = await self._client.send(request, stream=True)
                try:
                    body = await _read(response)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException):
            raise failure("timeout", "the speech service took too long") from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise failure("refused", f"the address of the speech service makes no sense: {error}") from error
        except httpx.HTTPError as error:
            raise failure("unavailable", str(error) or type(error).__name__) from error
        whole = httpx.Response(response.status_code, headers=response.headers, content=body)
        if whole.status_code != 200:
            raise _failure_of(whole)
        return whole

    async def aclose(self) -> None:
        await self._client.aclose()


def failure(code: str, detail: str, *, retry_after_seconds: float | None = None) -> SpeechError:
    """A `SpeechError` whose detail is one short printable line."""
    line = one_line(detail)[:DETAIL_CHARACTERS_MAX]
    return SpeechError(code, line, retryable=code in RETRYABLE, retry_after_seconds=retry_after_seconds)


def failure_in(body: Any, otherwise: str) -> SpeechError:
    """From a decoded body that tells of an error, or is none that is known."""
    codes, messages = _told(body)
    code = next((_BY_CODE[code] for code in codes if code in _BY_CODE), otherwise)
    return failure(code, "; ".join(messages) or "the speech service gave no reason")


def json_of(response: httpx.Response) -> dict[str, Any]:
    """The body as an object. Raises `SpeechError`."""
    try:
        value = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = None
    if not isinstance(value, dict):
        raise failure("bad_answer", "the speech service answered with something that is no JSON object")
    return value


def number_of(value: Any) -> float | None:
    """A plausible count of seconds, else None."""
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e6 else None


async def _read(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise failure("bad_answer", "the speech service packed its answer, which nobody asked for")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise failure("bad_answer", "the speech service answered with too much")
    return bytes(body)


def _failure_of(response: httpx.Response) -> SpeechError:
    status = response.status_code
    otherwise = _BY_STATUS.get(status) or ("unavailable" if status >= 500 else "refused")
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    error = failure_in(body, otherwise)
    retry_after = response.headers.get("retry-after", "")
    wait = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else None
    return failure(error.code, f"HTTP {status}: {error.detail}", retry_after_seconds=wait)


def _told(body: Any) -> tuple[list[str | int], list[str]]:
    """Codes and messages of an error body: OpenAI has one `error`, Cloudflare a list of `errors`."""
    codes: list[str | int] = []
    messages: list[str] = []
    for item in _errors(body):
        codes += [value for value in (item.get("code"), item.get("type")) if isinstance(value, str | int)]
        if isinstance(item.get("message"), str):
            messages.append(item["message"])
    return codes, messages


def _errors(body: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(body, dict):
        return
    several = body.get("errors")
    for item in (body.get("error"), *(several if isinstance(several, list) else ())):
        if isinstance(item, dict):
            yield item
