"""A faulty network in front of the run's Postgres, which itself listens on a Unix socket only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.tcp_proxy import TcpProxy

PORT = 5432


class PostgresProxy(TcpProxy):
    def __init__(self, database_url: str) -> None:
        super().__init__("", 0)
        self._database_url = database_url

    @property
    def url(self) -> str:
        """The database, through the proxy."""
        return make_conninfo(self._database_url, host="127.0.0.1", port=self.port)

    async def _reach_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(f"{conninfo_to_dict(self._database_url)['host']}/.s.PGSQL.{PORT}")


@asynccontextmanager
async def postgres_proxy(database_url: str) -> AsyncIterator[PostgresProxy]:
    proxy = PostgresProxy(database_url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
