"""The web client in a real browser on the real system, and its files built again from their sources.

Needs Node (22.12 or newer) with the client's packages, and Chromium: `make web-deps`, `apt-get install chromium`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.settings import process_environment

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
WEB = ROOT / "web"
NODE_MIN = (22, 12)
FLOWS = sorted(path.name for path in (WEB / "e2e").glob("*.test.ts"))


def run(*command: str, cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Where `node` and `npm` are found: the wheel's, else the machine's. Nothing of ours is set."""
    found = process_environment()
    found["PATH"] = f"{WEB / '.node' / 'bin'}:{found['PATH']}"
    if shutil.which("node", path=found["PATH"]) is None:
        pytest.skip("node is not installed: run `make web-deps`")
    version = run("node", "--version", cwd=WEB, environment=found).stdout.strip().removeprefix("v")
    if tuple(int(part) for part in version.split(".")[:2]) < NODE_MIN:
        pytest.skip(f"node {version} is too old: run `make web-deps`")
    if not (WEB / "node_modules" / "vite").exists():
        pytest.skip("the client's packages are not installed: run `make web-deps`")
    return found


def test_the_shipped_files_are_what_the_sources_build(environment: dict[str, str], tmp_path: Path) -> None:
    copy = tmp_path / "web"
    shutil.copytree(WEB, copy, ignore=shutil.ignore_patterns("node_modules", "dist", ".tanstack", ".node", "shots"))
    (copy / "node_modules").symlink_to(WEB / "node_modules")
    (tmp_path / "api").mkdir()
    built = run("npm", "run", "build", cwd=copy, environment=environment)
    assert built.returncode == 0, built.stdout + built.stderr
    assert files_of(tmp_path / "api" / "web_dist") == files_of(ROOT / "api" / "web_dist")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_client_s_types_and_units_hold(environment: dict[str, str], script: str) -> None:
    done = run("npm", "run", script, cwd=WEB, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("flow", FLOWS)
def test_the_client_works_in_a_browser(environment: dict[str, str], flow: str) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    done = run("node", "--test", f"e2e/{flow}", cwd=WEB, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
