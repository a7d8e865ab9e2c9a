"""Keys of a data dir: made once, for us alone, whoever asks first."""

from __future__ import annotations

import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.ids import random_token
from infra.keys.local import make_master_key, stored, with_local_keys
from infra.settings import Settings


def test_a_key_is_made_once_and_then_read(tmp_path: Path) -> None:
    settings = with_local_keys(Settings(data_dir=tmp_path))
    assert with_local_keys(Settings(data_dir=tmp_path)) == settings
    assert len(settings.master_key_bytes()) == 32
    assert len(settings.auth_dev_secret) >= 32
    assert Settings.load({"MICROCOS_DATA_DIR": str(tmp_path)}).master_key == settings.master_key


def test_all_who_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(lambda _: stored(tmp_path, "key", random_token), range(64)))
    assert len(keys) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["key"]


def test_only_we_can_read_a_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        stored(tmp_path, "key", random_token)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "key").stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which file was synced")
def test_a_key_and_its_folder_are_on_disk_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd)))
    stored(tmp_path, "key", random_token)
    assert synced[0].startswith(f"{tmp_path}/keys/.key.")
    assert synced[1:] == [f"{tmp_path}/keys", str(tmp_path)]


def test_a_variable_needs_no_file(tmp_path: Path) -> None:
    given = Settings(data_dir=tmp_path, master_key=make_master_key(), auth_dev_secret="from a variable")
    assert with_local_keys(given) == given
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_development_key_where_tokens_come_from_an_issuer(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, auth_mode="static", auth_pem="-----BEGIN PUBLIC KEY-----")
    assert with_local_keys(settings).auth_dev_secret == ""
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["master_key"]
