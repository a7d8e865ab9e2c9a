"""Our windowed publisher: in order, at most so many unacknowledged, and a future for each that always resolves.

What a failure means is the relay's business. Here the first failure fails everything that is on its way and
everything after, until `restart`: so what is stored never has a hole. The client's own `publish_async` never
resolves a future when the server answers with an error, nor when it dies.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from nats.aio.msg import Msg

from infra import failpoints
from infra.nats.fact_stream import FactMessage, PublishFailed, StreamEnd
from infra.nats.link import NatsAway, NatsLink
from infra.nats.streams import ALL_FACTS, FACTS, call_api, status_of

WRONG_LAST_SEQUENCE = 10071
EXPECTED_LAST_SEQUENCE = "Nats-Expected-Last-Sequence"
MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True, slots=True)
class Stored:
    """`duplicate`: the server had this id already, at `sequence`."""

    sequence: int
    duplicate: bool = False


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


@dataclass(slots=True)
class _Flight:
    future: asyncio.Future[Stored]
    deadline: float
    expected: int | None


_answer = msgspec.json.Decoder(_Answer)


class WindowedPublisher:
    """One caller at a time. `timeout_seconds` is how long the server may be silent about a message."""

    def __init__(self, link: NatsLink, *, window: int = 256, timeout_seconds: float = 2.0) -> None:
        self._link = link
        self._window = window
        self._timeout_seconds = timeout_seconds
        self._inbox = link.new_inbox()
        self._numbers = itertools.count(1)
        self._flights: dict[str, _Flight] = {}  # oldest first, so that the first deadline is the next one
        self._failure: PublishFailed | None = None
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def unacknowledged(self) -> int:
        return len(self._flights)

    async def open(self) -> None:
        await self._link.subscribe(f"{self._inbox}.*", self._on_answer)
        self._link.on_session_over.append(self._on_session_over)

    def restart(self) -> None:
        """Forget a failure. Late answers to what was on its way are ignored."""
        self._fail(PublishFailed("away", "restarted"))
        self._failure = None

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str], *, after: int | None = None
    ) -> asyncio.Future[Stored]:
        """Waits for room in the window only. With `after` it is stored as sequence `after + 1` or not at all.

        Raises the `PublishFailed` that ended this run, as do the futures of what came after it.
        """
        loop = asyncio.get_running_loop()
        while self._failure is None and len(self._flights) >= self._window:
            self._room = loop.create_future()
            await self._room
        if self._failure is not None:
            raise self._failure
        number = str(next(self._numbers))
        if after is not None:
            headers = {**headers, EXPECTED_LAST_SEQUENCE: str(after)}
        if not self._link.send(subject, payload, reply=f"{self._inbox}.{number}", headers=headers):
            raise self._fail(PublishFailed("away", "NATS is away, or the message is too large for it"))
        future: asyncio.Future[Stored] = loop.create_future()
        future.add_done_callback(_retrieve)
        deadline = loop.time() + self._timeout_seconds
        self._flights[number] = _Flight(future, deadline, None if after is None else after + 1)
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._on_deadline)
        return future

    def _on_answer(self, message: Msg) -> None:
        flight = self._flights.pop(message.subject.rpartition(".")[2], None)
        if flight is None:
            return
        outcome = _outcome(message, flight.expected)
        if isinstance(outcome, PublishFailed):
            _resolve(flight.future, outcome)
            self._fail(outcome)
        else:
            _resolve(flight.future, outcome)
            self._make_room()

    def _on_deadline(self) -> None:
        self._timer = None
        oldest = next(iter(self._flights.values()), None)
        loop = asyncio.get_running_loop()
        if oldest is not None and oldest.deadline <= loop.time():
            self._fail(PublishFailed("timeout", f"no answer within {self._timeout_seconds} s"))
        elif oldest is not None:
            self._timer = loop.call_at(oldest.deadline, self._on_deadline)

    def _on_session_over(self) -> None:
        self._fail(PublishFailed("away", "the connection was lost"))

    def _fail(self, failure: PublishFailed) -> PublishFailed:
        self._failure = self._failure or failure
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            _resolve(flight.future, failure)
        self._make_room()
        return failure

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)


class NatsFactStream:
    """`infra.nats.fact_stream.FactStream` over one JetStream stream."""

    def __init__(self, link: NatsLink, *, window: int = 256, timeout_seconds: float = 2.0) -> None:
        self._link = link
        self._publisher = WindowedPublisher(link, window=window, timeout_seconds=timeout_seconds)
        self._session_over = link.session_over
        self._is_proven = False

    async def open(self) -> None:
        await self._publisher.open()

    async def end(self) -> StreamEnd:
        await failpoints.reach("facts.end.before")
        self._session_over = self._link.session_over
        try:
            if not self._link.connected:
                raise NatsAway("not connected")
            # Both from the stream's leader, where a direct get may come from a replica that lags. The last message
            # may be younger than the state, or, when somebody deleted messages, older.
            info = await call_api(self._link, f"STREAM.INFO.{FACTS}")
            last = await call_api(self._link, f"STREAM.MSG.GET.{FACTS}", {"last_by_subj": ALL_FACTS})
        except NatsAway as error:
            raise PublishFailed("away", str(error)) from error
        if "error" in info:
            raise self._no_stream(str(info["error"].get("description")))
        message = last.get("message", {})
        headers = _headers(message.get("hdrs", ""))
        position = headers.get("ce-globalpos")
        sequence = max(info["state"]["last_seq"], message.get("seq", 0))
        self._is_proven = False
        return StreamEnd(sequence, int(position) if position else None, headers.get("ce-generation"))

    async def publish(self, messages: Sequence[FactMessage], *, after: int, with_ids: bool = True) -> None:
        await failpoints.reach("facts.publish.before")
        self._publisher.restart()
        try:
            futures = []
            for sequence, message in enumerate(messages, start=after):
                headers = message.headers if with_ids else _without_id(message.headers)
                stored = await self._publisher.publish(message.subject, message.body, headers, after=sequence)
                if not self._is_proven:
                    # Alone, until one was taken: another relay may publish too, and if we were wrong about the end,
                    # its messages could make a later one of ours fit, over a gap.
                    await stored
                    self._is_proven = True
                futures.append(stored)
            for future in futures:
                await future
            await failpoints.reach("facts.publish.after")
        except PublishFailed as failure:
            if failure.code == "no_stream":
                raise self._no_stream(str(failure)) from failure
            raise

    async def interrupted(self) -> None:
        await self._session_over.wait()

    def _no_stream(self, detail: str) -> PublishFailed:
        self._link.distrust()
        return PublishFailed("no_stream", detail)


def _outcome(message: Msg, expected: int | None) -> Stored | PublishFailed:
    if status_of(message) is not None:
        return PublishFailed("no_stream", "no stream takes the subject")
    try:
        answer = _answer.decode(message.data)
    except msgspec.MsgspecError as error:
        return PublishFailed("refused", f"unreadable answer: {error}")
    if answer.error is not None:
        code = "moved" if answer.error.err_code == WRONG_LAST_SEQUENCE else "refused"
        return PublishFailed(code, answer.error.description)
    if expected is not None and answer.seq != expected:
        return PublishFailed("remembered" if answer.duplicate else "moved", f"stored as {answer.seq}, not {expected}")
    return Stored(answer.seq, answer.duplicate)


def _headers(encoded: str) -> dict[str, str]:
    """Of a message that came as JSON: a line with the protocol's version, then one for each header."""
    lines = base64.b64decode(encoded).decode().split("\r\n")[1:]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


def _without_id(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != MESSAGE_ID}


def _resolve(future: asyncio.Future[Stored], outcome: Stored | PublishFailed) -> None:
    if future.done():
        return
    if isinstance(outcome, PublishFailed):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _retrieve(future: asyncio.Future[Stored]) -> None:
    """A caller that stopped at the first failure never looks at the rest; asyncio would complain of each."""
    if not future.cancelled():
        future.exception()
