"""The echo application as a process of its own: prints its port, stops on SIGTERM. Run with `python -m`."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop

from api.http.server import Server, server_config
from infra.clock import SystemClock
from infra.ids import new_id
from tests.support.echo_app import STREAMS, EchoApp


class Announcing(Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self.port, flush=True)


def main() -> None:
    edge = EchoApp(clock=SystemClock()).edge()
    server = Announcing(server_config(edge, host="127.0.0.1", port=0, new_id=new_id), STREAMS.drain)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())
    print("cleaned up", flush=True)


if __name__ == "__main__":
    main()
