"""Users of a running system as a client knows them: a token, a session, a stream, messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from benchmarks.http_client import Connection
from infra.clock import SystemClock
from infra.dev_tokens import make_token
from tests.support.cluster import Cluster

BASE = "/api/v1"


@dataclass(slots=True)
class Account:
    """One user with a connection of its own. `url` is the API process that it talks to."""

    sub: str
    token: str
    url: str
    connection: Connection
    session_id: str = ""

    async def call(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """The answer's JSON. Raises `AssertionError` for another status."""
        status, data = await self.connection.request(method, f"{BASE}{path}", self.token, body)
        assert status == expect, (status, data)
        return msgspec.json.decode(data)

    async def say(self, text: str) -> Any:
        """The ack of a message."""
        body = {"channel": "chat", "text": text, "sessionId": self.session_id}
        return await self.call("POST", "/message", body, expect=202)


async def open_account(cluster: Cluster, sub: str, *, api: str = "api-1") -> Account:
    url = cluster.url(api)
    token = make_token(cluster.settings, SystemClock(), sub)
    account = Account(sub, token, url, await Connection.open(url))
    account.session_id = (await account.call("POST", "/sessions", {}, expect=201))["sessionId"]
    return account
