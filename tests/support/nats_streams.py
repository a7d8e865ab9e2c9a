"""Empty a NATS server between tests, from synchronous fixtures."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import nats


def delete_all_streams(url: str) -> None:
    """In a thread of its own, since the test's event loop belongs to the test."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _delete_all_streams(url)).result()


async def _delete_all_streams(url: str) -> None:
    client = await nats.connect(url, connect_timeout=5)
    try:
        stream_manager = client.jetstream()
        for stream in await stream_manager.streams_info():
            assert stream.config.name is not None
            await stream_manager.delete_stream(stream.config.name)
    finally:
        await client.close()
