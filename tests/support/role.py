"""A role that does nothing, for tests of the supervisor. Its argument says how it behaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(behaviour: str) -> None:
    if behaviour == "broken":
        sys.exit("cannot start")
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if behaviour == "parent":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        print(f"child {child.pid}", flush=True)
    print(f"pid {os.getpid()} owner {os.environ.get('MICROCOS_WORKER_OWNER', '-')}", flush=True)
    print("x" * 3_000_000 if behaviour == "loud" else "starts", flush=True)
    print(f"ready {behaviour}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
