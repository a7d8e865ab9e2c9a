"""Connections whose pipelines send all that was queued, however much it is.

psycopg 3.3 stops sending once its own queue is empty and then waits for answers only. What libpq could not hand to the
kernel yet (whatever exceeds a socket's buffer, some 200 KB) stays with us: the server waits for the rest of a
statement, we for its answer, and locks are held until a timeout. So before each wait for an answer the rest is flushed.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from psycopg import AsyncConnection, Connection
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait

V = TypeVar("V")
Row = tuple[Any, ...]


def flushing(generator: Generator[Any, Any, V], pgconn: PGconn) -> Generator[Any, Any, V]:
    """As `generator`, but what it left unsent is sent while it waits to read."""
    ready: Any = None
    while True:
        try:
            wanted = generator.send(ready)
        except StopIteration as end:
            value: V = end.value
            return value
        # The server may not answer before it has all, and may not read on before we took its answers.
        while wanted == Wait.R and pgconn.flush():
            ready = yield Wait.RW
            if ready & Ready.R:
                break
        else:
            ready = yield wanted


class FlushingAsyncConnection(AsyncConnection[Row]):
    async def wait(self, gen: Generator[Any, Any, V], *args: Any, **kwargs: Any) -> V:
        return await super().wait(flushing(gen, self.pgconn), *args, **kwargs)


class FlushingConnection(Connection[Row]):
    def wait(self, gen: Generator[Any, Any, V], *args: Any, **kwargs: Any) -> V:
        return super().wait(flushing(gen, self.pgconn), *args, **kwargs)
