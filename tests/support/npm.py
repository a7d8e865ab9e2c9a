"""Programs from npm for tests, at the versions of their lock: installed once, kept from run to run, skipped without
Node or out of npm's reach."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

NODE_MAJOR_MIN = 20
INSTALL_SECONDS = 240.0
# No network, a broken one, or a registry that has no time.
OUT_OF_REACH = (
    *("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED"),
    *("EHOSTUNREACH", "EIDLETIMEOUT", "ERR_SOCKET_TIMEOUT", "E429", "E500", "E502", "E503", "E504"),
)


def installed(config: pytest.Config, source: Path) -> Path:
    """A folder with the files of `source` and the packages of its lock."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < NODE_MAJOR_MIN:
        pytest.skip(f"node {version} is older than {NODE_MAJOR_MIN}")
    lock = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = config.cache.mkdir(f"{source.name.replace('_', '-')}-{lock}")
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)
    if not (folder / "installed").exists():
        command = ["npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not get what it needs in {INSTALL_SECONDS:.0f} s")
        if done.returncode != 0 and any(word in done.stderr for word in OUT_OF_REACH):
            pytest.skip("npm's registry is out of reach")
        assert done.returncode == 0, done.stderr
        (folder / "installed").touch()
    return folder
