"""Events lost, doubled or out of order for readers of the log, under writers that conflict and transactions that roll
back: `python -m benchmarks.log_loss [events]`, a million of them when it is not said.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.servers import running
from infra.migrate import upgrade
from tests.support.log_load import LogLoad


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        with running(server):
            upgrade(server.url())
            began = time.monotonic()
            load = LogLoad(server.url(), random.Random(1), events=events, writers=64, processes=3)
            totals = uvloop.run(load.run())
            print(
                f"{totals.committed:,} events in {time.monotonic() - began:.0f} s, {totals.readers} readers,", end=" "
            )
            print(f"{totals.conflicts:,} conflicts, {totals.rolled_back:,} rollbacks:", end=" ")
            print(f"lost {totals.lost}, doubled {totals.doubled}, out of order {totals.out_of_order}")
        server.discard_socket_folder()


if __name__ == "__main__":
    main()
