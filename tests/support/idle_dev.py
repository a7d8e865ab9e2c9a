"""`microcos dev` with roles that do nothing: real servers, schema, supervision and leases.

python idle_dev.py DATA_DIR [BEHAVIOUR]
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from cli.children import role_command
from cli.data_dir import DataDirLock
from cli.dev import Dev
from infra.embedded import launch
from infra.keys.local import with_local_keys
from infra.settings import Settings

ROLE = Path(__file__).parent / "role.py"


def command(arguments: list[str]) -> list[str]:
    if arguments == ["migrate"]:
        return role_command(arguments)
    behaviour = sys.argv[2] if len(sys.argv) > 2 else "good"
    program = [sys.executable, str(ROLE), behaviour]
    return launch.command(program, parent=os.getpid(), stop_signal=signal.SIGKILL)


def main() -> None:
    settings = Settings(data_dir=Path(sys.argv[1]), port=0, worker_owner="", lease_seconds=60, lease_renew_seconds=30)
    with DataDirLock(settings.data_dir):
        dev = Dev(
            with_local_keys(settings), 2, lambda name, line: print(f"{name} | {line}", flush=True), command=command
        )
        sys.exit(0 if asyncio.run(dev.run()) else 1)


if __name__ == "__main__":
    main()
