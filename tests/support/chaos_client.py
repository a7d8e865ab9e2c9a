"""A client that expects the worst: it sends again what may be lost, to another process, and writes everything down;
and one that follows the user's stream over any number of connections and trusts nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import httpx

from api.live.cursor import parse_cursor
from tests.support.history import History, Op
from tests.support.sse_reader import Reducer, read_events
from tests.support.waiting import GIVE_UP_SECONDS, eventually

REQUEST_SECONDS = 15.0
SILENCE_SECONDS = 10.0  # a stream says something each second
PAUSE_SECONDS = 0.05
PAUSE_SECONDS_MAX = 0.4


class ChaosClient:
    """One user's client. `urls`: the API processes; `name` is what the history calls it."""

    def __init__(
        self, name: str, token: str, urls: Sequence[str], http: httpx.AsyncClient, history: History, seed: str
    ) -> None:
        self.name = name
        self.urls = list(urls)
        self.token = token
        self.rng = random.Random(f"{seed}:{name}")
        self._http = http
        self._history = history
        self._keys = 0

    def new_key(self) -> str:
        self._keys += 1
        return f"{self.name}-{self._keys}"

    async def send(
        self,
        what: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        api: int | None = None,
        expected: int | None = None,
    ) -> Op:
        """Once, to one process: the `api`-th or any. Its op is in the history, whatever came of it."""
        url = self.rng.choice(self.urls) if api is None else self.urls[api % len(self.urls)]
        op = Op(self.name, what, key, monotonic(), sent=body, path=path, via=url, expected=expected)
        self._history.add(op)
        sent = {"authorization": f"Bearer {self.token}"}
        if expected is not None:
            sent["if-match"] = str(expected)
        if key is not None:
            sent["idempotency-key"] = key
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await self._http.request(method, f"{url}/api/v1{path}", json=body, headers=sent)
        except (httpx.HTTPError, TimeoutError):
            return op
        op.status, op.text = answer.status_code, answer.text
        version = answer.headers.get("x-stream-version")
        op.version = None if version is None else int(version)
        if answer.status_code < 500 and not _still_runs(answer):
            op.returned_at = monotonic()
        self._history.acknowledgements += op.is_acknowledged
        return op

    async def insist(
        self,
        what: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        api: int | None = None,
        seconds: float = GIVE_UP_SECONDS,
    ) -> Op:
        """Again and again, with the same key, until there is an answer: of the `api`-th process or of any."""
        key = key if key is not None or method == "GET" else self.new_key()
        deadline, pause = monotonic() + seconds, PAUSE_SECONDS
        while not (op := await self.send(what, method, path, body, key=key, api=api)).is_known:
            assert monotonic() < deadline, f"{self.name}: no answer to {what} for {seconds:.0f} s; last: {op}"
            await asyncio.sleep(pause * (1 + self.rng.random()))
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        return op

    async def create_task(self, title: str, **options: Any) -> Op:
        return await self.insist("create_task", "POST", "/tasks", {"task": {"title": title}}, **options)

    async def say(self, text: str, **options: Any) -> Op:
        return await self.insist("message", "POST", "/message", {"channel": "chat", "text": text}, **options)

    async def session(self) -> Op:
        op = await self.insist("session", "POST", "/sessions", {})
        assert op.status == 201, op
        return op


def _still_runs(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and answer.json().get("code") == "request_running"


class Follower:
    """Follows a stream until it is closed, from connection to connection; `check` raises what it found wrong."""

    def __init__(
        self, client: ChaosClient, session_id: str, http: httpx.AsyncClient, *, urls: Sequence[str] | None = None
    ) -> None:
        self.reducer = Reducer()
        self.facts: list[dict[str, Any]] = []  # the data of each fact's frame
        self.cursors: list[str] = []  # after each fact
        self.after_version = 0  # of the last fact that it need not be told
        self.connections = 0
        self.before_connection: Callable[[int], None] = lambda number: None
        self.urls = list(urls or client.urls)
        self._client = client
        self.session_id = session_id
        self._http = http
        self._failure: BaseException | None = None
        self._last_id: str | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        return self.reducer.facts[-1][0] if self.reducer.facts else 0

    def start(self, after: str) -> Follower:
        self.reducer.cursor = after
        self.after_version = parse_cursor(after).version
        self._task = asyncio.create_task(self._follow(), name=f"follow {self._client.name}")
        return self

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def until_version(self, version: int, *, seconds: float = GIVE_UP_SECONDS) -> None:
        """Until the frame of this fact came; it must be one that has a frame."""
        await self._until(lambda: self.version >= version, f"version {version}", seconds)

    async def until_ended(self, reply_id: str, *, seconds: float = GIVE_UP_SECONDS) -> str | None:
        await self._until(lambda: reply_id in self.reducer.ended, f"the end of {reply_id}", seconds)
        return self.reducer.ended[reply_id]

    async def _until(self, condition: Any, what: str, seconds: float) -> None:
        await eventually(
            lambda: self._failure is not None or condition(),
            f"{what} in the stream of {self._client.name}",
            seconds=seconds,
            told=lambda: f"at version {self.version}, cursor {self.reducer.cursor}, {self.connections} connections",
        )
        self.check()

    async def _follow(self) -> None:
        try:
            while True:
                self.before_connection(self.connections)
                await self._read(self.urls[self.connections % len(self.urls)])
                self.connections += 1
                await asyncio.sleep(PAUSE_SECONDS * self._client.rng.random())
        except (AssertionError, ValueError, KeyError, TypeError) as error:
            self._failure = error

    async def _read(self, url: str) -> None:
        headers = {"authorization": f"Bearer {self._client.token}"}
        if self.reducer.cursor is not None:
            headers["last-event-id"] = self.reducer.cursor
        timeout = httpx.Timeout(REQUEST_SECONDS, read=SILENCE_SECONDS)
        rest = b""
        try:
            path = f"{url}/api/v1/stream/{self.session_id}"
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.status_code >= 500:
                    return
                assert answer.status_code == 200, (answer.status_code, await answer.aread())
                async for data in answer.aiter_raw():
                    rest = self._take(rest + data)
        except httpx.HTTPError:
            # Cut. What of an event had come is thrown away: it comes again.
            return

    def _take(self, data: bytes) -> bytes:
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            return data
        for event in read_events(data[:end]):
            self.take_event(event)
        return data[end:]

    def take_event(self, event: dict[str, Any]) -> None:
        """Raises `AssertionError` for what a strict client would not accept."""
        facts = len(self.reducer.facts)
        self.reducer.apply(event)
        if len(self.reducer.facts) > facts:
            self.facts.append(event["data"])
            self.cursors.append(event["id"])
        if event["event"] == "stream.reset":
            # Without a reply it says that the cursor was of no use, and facts may be missing.
            assert "messageId" in event["data"], f"the cursor {self._last_id} could not be continued"
        elif event["id"] is not None:
            assert event["id"] != self._last_id, f"{event['id']} came twice"
        self._last_id = event["id"] or self._last_id


def cursor_of(accepted: Op) -> str:
    """The cursor in the `streamUrl` of an accepted message or an opened session."""
    return str(accepted.body["streamUrl"]).partition("after=")[2]


def as_sent(data: Any) -> Any:
    """As JSON would give it back: tuples become lists."""
    return json.loads(json.dumps(data))
