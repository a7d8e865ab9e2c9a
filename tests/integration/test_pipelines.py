"""A pipeline far larger than a socket's buffer: all of it arrives, and nobody waits for the other."""

from __future__ import annotations

import asyncio

from infra.pipelines import FlushingAsyncConnection, FlushingConnection
from infra.postgres import connect
from infra.settings import Settings

STATEMENTS = 2
BYTES_EACH = 16_000_000
LENGTH = "SELECT length(%b::bytea)"


async def test_a_large_pipeline_arrives_whole(settings: Settings) -> None:
    connection = await connect(settings, "test")
    assert isinstance(connection, FlushingAsyncConnection)
    # Left to psycopg alone this waits for ever.
    async with asyncio.timeout(60), connection, connection.pipeline() as pipeline:
        cursors = [await connection.execute(LENGTH, (bytes(BYTES_EACH),)) for _ in range(STATEMENTS)]
        await pipeline.sync()
        sizes = [(await cursor.fetchone() or (0,))[0] for cursor in cursors]
    assert sizes == [BYTES_EACH] * STATEMENTS


def test_a_large_pipeline_arrives_whole_without_a_loop(settings: Settings) -> None:
    with FlushingConnection.connect(settings.database_url, autocommit=True) as connection, connection.pipeline():
        cursors = [connection.execute(LENGTH, (bytes(BYTES_EACH),)) for _ in range(STATEMENTS)]
        sizes = [(cursor.fetchone() or (0,))[0] for cursor in cursors]
    assert sizes == [BYTES_EACH] * STATEMENTS
