"""`python -m benchmarks [NAMES…] [--quick] [--json FILE] [--markdown FILE]`: one after another, then one table.

Exits with 0 even where a goal is missed: it reports. A benchmark that cannot run is named as such, and the status is 1.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.figures import Figure, markdown, table
from benchmarks.run import Run
from benchmarks.servers import scratch_folder

# In this order; each module's `measure(run)` gives its figures.
NAMES = (
    "append",
    "commands",
    "load",
    "rebuild",
    "state",
    "edge",
    "context",
    "first_token",
    "ack",
    "tokens",
    "relay",
    "streams",
    "flights",
    "system",
    "shutdown",
    "restart",
    "tail",
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    # As Ctrl-C: everything that was started is ended on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    with scratch_folder() as folder:
        facts = machine.facts(folder)
    print(" · ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    figures: list[Figure] = []
    failed: list[str] = []
    busy: dict[str, float] = {}
    for name in options.names or NAMES:
        machine.wait_until_quiet(options.quiet_seconds)
        print(f"[{time.monotonic() - began:5.0f} s] {name}", flush=True)
        others = machine.OthersUse()
        try:
            found = _measure(name)(Run(quick=options.quick))
        except Exception:
            traceback.print_exc()
            failed.append(name)
            continue
        busy[name] = round(others.share(), 2)
        print(f"    (others used {busy[name]:.0%} of the cores meanwhile)", flush=True)
        for figure in found:
            print(f"    {' | '.join(figure.row())}", flush=True)
        figures += found
    print(f"\n{table(figures)}\n")
    print(f"{sum(figure.met is False for figure in figures)} missed, {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        print(f"did not run: {', '.join(failed)}", flush=True)
    _write(options.json, {**facts, "others_use": busy}, figures)
    if options.markdown is not None:
        options.markdown.write_text(markdown(figures) + "\n")
    return 1 if failed else 0


def _measure(name: str) -> Callable[[Run], list[Figure]]:
    found: Callable[[Run], list[Figure]] = import_module(f"benchmarks.{name}").measure
    return found


def _write(path: Path | None, facts: dict[str, object], figures: list[Figure]) -> None:
    if path is not None:
        made = {"machine": facts, "figures": [figure.as_json() for figure in figures]}
        path.write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Every figure that we claim.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"Some of: {', '.join(NAMES)}.")
    parser.add_argument("--quick", action="store_true", help="Fewer events and seconds: an idea, no claim.")
    parser.add_argument("--json", type=Path, help="Write the figures there too.")
    parser.add_argument("--markdown", type=Path, help="Write the table there too.")
    text = "How long each one waits for a quiet machine."
    parser.add_argument("--quiet-seconds", type=float, default=machine.QUIET_SECONDS_MAX, help=text)
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
