"""SIGTERM with 200 open streams: each is told, the process cleans up after itself, and nothing waits for anybody."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import jwt

from infra.clock import SystemClock
from tests.support.echo_app import SECRET

STREAMS = 200
ROOT = Path(__file__).parents[3]


async def _open_stream(port: int, bearer: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/v1/stream/s1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode())
    await reader.readuntil(b"data: u1\n\n")
    return reader, writer


async def test_sigterm_ends_200_streams_and_the_process() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.echo_server", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        bearer = jwt.encode({"sub": "u1", "exp": SystemClock().now_ms() // 1000 + 600}, SECRET, algorithm="HS256")
        opened = await asyncio.gather(*[_open_stream(port, bearer) for _ in range(STREAMS)])
        process.send_signal(signal.SIGTERM)
        rest = await asyncio.gather(*[reader.read() for reader, _ in opened])
        assert all(end.startswith(b"\r\n") or b"event: server.closing" in end for end in rest)
        assert all(b"event: server.closing\n\n\r\n0\r\n\r\n" in end for end in rest)
        assert await process.stdout.readline() == b"cleaned up\n"
        assert await process.wait() == 0
        for _, writer in opened:
            writer.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
