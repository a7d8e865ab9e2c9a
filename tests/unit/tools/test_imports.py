"""Heavy tools cost nobody anything who does not use them, and nobody reaches them who must not."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
BACKGROUND = ("calendar_sync", "retention", "relay", "schedule", "speech/audio_sweep")
HEAVY = ("mcp", "mcp_types", "httpx2", "airportsdata")


@pytest.mark.parametrize("module", ["cli.main", "cli.worker", "api.app", "workers.tools.flights"])
def test_importing_it_imports_no_heavy_library(module: str) -> None:
    script = f"import sys, {module}; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_contract_names_every_background_module_that_there_is() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [each for each in contracts if each["name"].startswith("Background work")]
    assert set(contract["source_modules"]) == {f"workers.{name.replace('/', '.')}" for name in BACKGROUND}
    assert set(contract["forbidden_modules"]) == {"infra.tool_servers", "workers.llm", "workers.tools"}
