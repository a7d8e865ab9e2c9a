"""Keys that a data dir keeps for itself: made once, on disk for good before anybody can use them, readable by us only.

A key that encrypted something and is then lost with the power would take all text with it, so the file and its folder
are fsynced before its value is returned.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.ids import random_bytes, random_token
from infra.settings import MASTER_KEY_BYTES, Settings


def with_local_keys(settings: Settings) -> Settings:
    """The settings with master key and development key, from the data dir where no variable gives them."""
    return with_auth_dev_secret(with_master_key(settings))


def with_master_key(settings: Settings) -> Settings:
    if settings.master_key:
        return settings
    return replace(settings, master_key=stored(settings.data_dir, "master_key", make_master_key))


def with_auth_dev_secret(settings: Settings) -> Settings:
    if settings.auth_dev_secret or settings.auth_mode != "dev":
        return settings
    return replace(settings, auth_dev_secret=stored(settings.data_dir, "auth_dev_secret", random_token))


def make_master_key() -> str:
    return base64.b64encode(random_bytes(MASTER_KEY_BYTES)).decode()


def key_path(data_dir: Path, name: str) -> Path:
    return data_dir / "keys" / name


def stored(data_dir: Path, name: str, make: Callable[[], str]) -> str:
    """The text of a key file, made when there is none. Of several processes that make it at once, all get the same."""
    path = key_path(data_dir, name)
    if not path.exists():
        private_folder(path.parent)
        _write_once(path, make())
    return path.read_text().strip()


def private_folder(path: Path) -> Path:
    """A folder that only we can enter, with the folders above it as the umask makes them."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def _write_once(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{random_token(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        # A link fails where a rename would replace: the first one wins and everybody reads it.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    for folder in (path.parent, path.parent.parent):
        _sync_folder(folder)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
