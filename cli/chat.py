"""`microcos chat`: talk to the assistant in the terminal. It keeps what it sent and where it read, so that it resumes
by itself when the API goes away.
"""

from __future__ import annotations

import asyncio
import io
import json
import signal
import sys
import textwrap
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TextIO

import click
import httpx

from cli.token import base_url, checked_user
from domain.text import clean
from infra.clock import system_clock
from infra.dev_tokens import make_token
from infra.ids import jitter, new_id
from infra.settings import Settings

ENDS = {"message.completed", "message.failed", "message.stopped"}
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 0.2, 3.0
CARD_CHARACTERS_MAX = 80
SILENCE_SECONDS_MAX = 25.0
SILENCE_PINGS_MAX = 2.5  # where the server is set to comment more rarely: two missed mean that the connection is dead


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: the cursor is None on frames that are not replayed."""

    name: str
    cursor: str | None
    data: dict[str, Any]


def checked_url(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    """What is no address would be taken for an API that is away, and waited for."""
    try:
        parsed = None if url is None else httpx.URL(url)
    except httpx.InvalidURL as error:
        raise click.BadParameter(f"{error}.") from error
    if parsed is not None and not (parsed.scheme in ("http", "https") and parsed.host):
        raise click.BadParameter("an address reads http://… or https://…")
    return url


@click.command()
@click.argument("text", nargs=-1)
@click.option(
    "--url", default=None, callback=checked_url, help="The API. Default: where this data dir's settings say it listens."
)
@click.option("--user", default="me", show_default=True, callback=checked_user, help="The user to be, in development.")
@click.option("--token", default=None, help="A token from your issuer, instead of a development one.")
@click.option("--conversation", default=None, help="Conversation id. Default: the main conversation.")
def chat(text: tuple[str, ...], url: str | None, user: str, token: str | None, conversation: str | None) -> None:
    """Send TEXT and stream the answer; without TEXT, talk until Ctrl-D. Ctrl-C stops a running answer."""
    settings = Settings.load()
    bearer = token or make_token(settings, system_clock(settings), user)
    silence_seconds = max(SILENCE_SECONDS_MAX, SILENCE_PINGS_MAX * settings.stream_ping_seconds)
    talk = Talk(url or base_url(settings), bearer, conversation, sys.stdout, silence_seconds)
    try:
        ended_well = asyncio.run(talk.once(" ".join(text))) if text else talk.until_closed()
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused
    if not ended_well:
        raise SystemExit(1)


class Refused(Exception):
    """The API said no; the text is its problem's detail."""


class Talk:
    """One user's conversation over HTTP. Prints to `out`; problems of the connection go to stderr."""

    def __init__(self, url: str, token: str, conversation_id: str | None, out: TextIO, silence_seconds: float) -> None:
        self._conversation_id = conversation_id
        self._out = out
        timeout = httpx.Timeout(10.0, read=silence_seconds)
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout)
        self._away = False

    def until_closed(self) -> bool:
        click.echo("Write to your chief of staff. Ctrl-C stops an answer, Ctrl-D ends.", err=True)
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")
        with asyncio.Runner() as runner:
            while True:
                try:
                    # Not in a thread of the loop: that would go on reading when Ctrl-C is to end us.
                    text = input("\nyou › ")
                except EOFError:
                    runner.run(self._http.aclose())
                    return True
                if text.strip():
                    try:
                        runner.run(self._ask(text))
                    except Refused as refused:
                        click.echo(f"! {refused}", err=True)

    async def once(self, text: str) -> bool:
        try:
            return await self._ask(text)
        finally:
            await self._http.aclose()

    async def _ask(self, text: str) -> bool:
        """Send a message and print its answer to the end; True when the answer completed."""
        # A terminal, or what is piped in, may not speak UTF-8.
        text = text.encode(errors="surrogateescape").decode(errors="replace")
        body: dict[str, Any] = {"channel": "chat", "text": text}
        if self._conversation_id is not None:
            body["conversationId"] = self._conversation_id
        key = new_id()
        ack = await self._patiently(lambda: self._post("/api/v1/message", body, key))
        answer = Answer(ack["replyId"], self._out)
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGINT, stop.set)
        stopping = asyncio.create_task(self._stop_when(stop, ack["replyId"]))
        try:
            return await self._follow(ack["streamUrl"], answer)
        finally:
            stopping.cancel()
            loop.remove_signal_handler(signal.SIGINT)

    async def _stop_when(self, asked: asyncio.Event, reply_id: str) -> None:
        await asked.wait()
        await self._patiently(lambda: self._post(f"/api/v1/message/{reply_id}/stop", {}, None))

    async def _follow(self, stream_url: str, answer: Answer) -> bool:
        """Read the stream from its cursor until the answer ends, over as many connections as it takes."""
        cursor: str | None = None
        while True:

            async def read_on() -> bool | None:
                nonlocal cursor
                # Closed at once: at the prompt nothing would, and we would be taken for somebody who reads on.
                async with aclosing(self._events(stream_url, cursor)) as events:
                    async for event in events:
                        cursor = event.cursor or cursor
                        if (ended := answer.take(event)) is not None:
                            return ended
                return None

            ended: bool | None = await self._patiently(read_on)
            if ended is not None:
                return ended

    async def _events(self, stream_url: str, cursor: str | None) -> AsyncGenerator[Event, None]:
        headers = {} if cursor is None else {"last-event-id": cursor}
        async with self._http.stream("GET", stream_url, headers=headers) as response:
            if response.status_code != 200:
                await response.aread()
                raise_for(response)
            self._back()
            name, seen, data = "message", None, ""
            async for line in response.aiter_lines():
                field, _, value = line.partition(": ")
                if not line:
                    if data:
                        yield Event(name, seen, json.loads(data))
                    name, seen, data = "message", None, ""
                elif field == "event":
                    name = value
                elif field == "id":
                    seen = value
                elif field == "data":
                    data += value

    async def _post(self, path: str, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        headers = {} if key is None else {"idempotency-key": key}
        response = await self._http.post(path, json=body, headers=headers)
        raise_for(response)
        self._back()
        answer: dict[str, Any] = response.json()
        return answer

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """`ask` until it answers: the same request again when the API is away."""
        wait_seconds = RETRY_SECONDS_MIN
        while True:
            try:
                return await ask()
            except (httpx.TransportError, Away):
                if not self._away:
                    self._away = True
                    click.echo(f"\n… the API at {self._http.base_url} is away; trying again", err=True)
            await asyncio.sleep(jitter(wait_seconds))
            wait_seconds = min(wait_seconds * 1.6, RETRY_SECONDS_MAX)

    def _back(self) -> None:
        if self._away:
            self._away = False
            click.echo("… it is back", err=True)


class Away(Exception):
    """The API is there and cannot serve now."""


def raise_for(response: httpx.Response) -> None:
    """Raises `Away` for what passes by itself, `Refused` for what does not."""
    if response.is_success:
        return
    if response.status_code >= 500:
        raise Away
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"The API answered {response.status_code}."
    raise Refused(detail)


class Answer:
    """Prints one reply: each character once, in order, whatever was replayed."""

    def __init__(self, reply_id: str, out: TextIO) -> None:
        self._reply_id = reply_id
        self._out = out
        self._printed = 0

    def take(self, event: Event) -> bool | None:
        """True or False when the reply has ended (completed or not), else None."""
        data = event.data
        if data.get("messageId") != self._reply_id:
            return None
        if event.name == "llm.token":
            self._print(data["token"], data["offset"])
        elif event.name in ("llm.restarted", "stream.reset"):
            if self._printed:
                self._say("\n[starting again]\n")
            self._printed = 0
            self._print(data.get("text", ""), 0)
        elif event.name == "action.created":
            self._say(f"\n[{_card(data['action'])}]\n")
        elif event.name in ENDS:
            self._print(data.get("text") or "", 0)
            note = "" if event.name == "message.completed" else f" [{event.name.removeprefix('message.')}]"
            self._say(f"{note}\n")
            return event.name == "message.completed"
        return None

    def _print(self, text: str, offset: int) -> None:
        """`text` begins at code point `offset` of the reply; what was printed already is left out."""
        fresh = text[max(0, self._printed - offset) :]
        self._printed = max(self._printed, offset + len(text))
        self._say(fresh)

    def _say(self, text: str) -> None:
        # What a calendar, a document or a model brought in must not give orders to the terminal.
        self._out.write(clean(text).replace("\r", ""))
        self._out.flush()


def _card(action: Mapping[str, Any]) -> str:
    """An action in one line: what became of it, what it is, and what it is about where its payload says so."""
    payload = action.get("payload") or {}
    about = next((_words(payload[name]) for name in ("title", "value", "text") if payload.get(name) is not None), "")
    mark = {"committed": "✓", "proposed": "?"}.get(action["status"], "✗")
    shown = textwrap.shorten(about, CARD_CHARACTERS_MAX, placeholder=" …")
    return f"{mark} {action['kind'].replace('_', ' ')}" + (f": {shown}" if shown else "")


def _words(value: Any) -> str:
    """A value of JSON: as it stands where it is text, a list or an object by its members."""
    match value:
        case str():
            return value
        case list():
            return ", ".join(map(_words, value))
        case dict():
            return ", ".join(f"{name} {_words(member)}" for name, member in value.items())
        case _:
            return json.dumps(value)
