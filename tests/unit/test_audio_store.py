"""Audio on disk: sealed, private, whole or absent, and gone in time whatever crashed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from domain.errors import NotFound, Unavailable
from domain.ports import Audio
from infra import failpoints
from infra.audio_store import FILE_NAME, AudioStore, audio_store
from infra.clock import ManualClock
from infra.keys.local import make_master_key
from infra.settings import Settings

JOB = "0b5a9c1e-6d0f-4f3e-9a57-2f7f0f7c9d11"
OTHER = "7e1c2b3a-1111-4222-8333-444455556666"
AUDIO = Audio(b"RIFF canary spoken words", "audio/wav")
KEY = bytes(range(32))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> AudioStore:
    return AudioStore(tmp_path / "files" / "audio", KEY, clock)


def age(store_root: Path, job_id: str, clock: ManualClock, *, seconds: float) -> None:
    """Make a job's folder as old as that on the store's clock."""
    moment = clock.now_ms() / 1000 - seconds
    os.utime(store_root / job_id, (moment, moment))


def files_under(path: Path) -> list[Path]:
    return sorted(found for found in path.rglob("*") if found.is_file())


def test_what_was_written_is_read_again_also_by_another_process(store: AudioStore, tmp_path: Path) -> None:
    store.write(JOB, AUDIO)
    assert store.read(JOB) == AUDIO
    assert AudioStore(tmp_path / "files" / "audio", KEY, ManualClock()).read(JOB) == AUDIO


def test_writing_again_replaces(store: AudioStore) -> None:
    store.write(JOB, AUDIO)
    store.write(JOB, Audio(b"new\nlines\n", "audio/mpeg"))
    assert store.read(JOB) == Audio(b"new\nlines\n", "audio/mpeg")


def test_nobody_else_can_enter_and_the_bytes_say_nothing(store: AudioStore, tmp_path: Path) -> None:
    store.write(JOB, AUDIO)
    root = tmp_path / "files" / "audio"
    [file] = files_under(root)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (root, root / JOB, file)] == [0o700, 0o700, 0o600]
    assert b"canary" not in file.read_bytes()
    assert b"wav" not in file.read_bytes()


def test_a_file_under_another_jobs_name_or_another_key_is_gone(store: AudioStore, tmp_path: Path) -> None:
    store.write(JOB, AUDIO)
    root = tmp_path / "files" / "audio"
    (root / JOB).rename(root / OTHER)
    with pytest.raises(NotFound):
        store.read(OTHER)
    store.write(JOB, AUDIO)
    with pytest.raises(NotFound):
        AudioStore(root, bytes(32), ManualClock()).read(JOB)


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(200)])
def test_a_damaged_file_is_gone_and_crashes_nobody(store: AudioStore, tmp_path: Path, damaged: bytes) -> None:
    store.write(JOB, AUDIO)
    (tmp_path / "files" / "audio" / JOB / FILE_NAME).write_bytes(damaged)
    with pytest.raises(NotFound):
        store.read(JOB)


def test_deleting_leaves_nothing_and_may_be_done_twice(store: AudioStore, tmp_path: Path) -> None:
    store.write(JOB, AUDIO)
    store.delete(JOB)
    store.delete(JOB)
    assert list((tmp_path / "files" / "audio").iterdir()) == []
    with pytest.raises(NotFound):
        store.read(JOB)


@pytest.mark.parametrize(
    "job_id",
    [
        "",
        "..",
        "../../etc",
        f"../{JOB}",
        f"{JOB}/x",
        "/etc/passwd",
        JOB.upper(),
        JOB.replace("-", ""),
        f"{{{JOB}}}",
        "\0",
    ],
)
def test_no_path_is_made_of_anything_but_an_id_of_ours(store: AudioStore, job_id: str) -> None:
    for use in (lambda: store.write(job_id, AUDIO), lambda: store.read(job_id), lambda: store.delete(job_id)):
        with pytest.raises(ValueError, match="UUID"):
            use()


def test_a_sweep_takes_what_is_older_than_an_hour_and_nothing_younger(
    store: AudioStore, tmp_path: Path, clock: ManualClock
) -> None:
    root = tmp_path / "files" / "audio"
    store.write(JOB, AUDIO)
    store.write(OTHER, AUDIO)
    age(root, JOB, clock, seconds=3_601)
    age(root, OTHER, clock, seconds=3_599)
    assert store.sweep() == 1
    assert store.job_ids() == [OTHER]
    clock.advance(2)
    assert store.sweep() == 1
    assert list(root.iterdir()) == []


def test_a_sweep_takes_what_no_job_ever_left_there_too(store: AudioStore, tmp_path: Path, clock: ManualClock) -> None:
    root = tmp_path / "files" / "audio"
    store.write(JOB, AUDIO)
    (root / "stray").write_bytes(b"x")
    (root / JOB / "audio.sealed.x.draft").write_bytes(b"half")
    for path in root.iterdir():
        age(root, path.name, clock, seconds=4_000)
    assert store.job_ids() == [JOB]
    assert store.sweep() == 2
    assert list(root.iterdir()) == []


def test_a_sweep_before_anything_was_stored_finds_nothing(store: AudioStore) -> None:
    assert store.sweep() == 0
    assert store.job_ids() == []


@pytest.mark.parametrize("place", ["audio.write.before", "audio.write.after"])
def test_a_write_that_fails_leaves_nothing_and_says_to_come_back(store: AudioStore, tmp_path: Path, place: str) -> None:
    with failpoints.armed(place), pytest.raises(Unavailable):
        store.write(JOB, AUDIO)
    assert files_under(tmp_path) == []


def test_a_disk_without_room_leaves_no_half_file(
    store: AudioStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(Unavailable):
        store.write(JOB, AUDIO)
    assert files_under(tmp_path) == []


def test_the_store_of_a_process_lies_in_its_data_dir_under_its_master_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, master_key=make_master_key())
    audio_store(settings, ManualClock()).write(JOB, AUDIO)
    assert files_under(tmp_path) == [tmp_path / "files" / "audio" / JOB / FILE_NAME]
    assert audio_store(settings, ManualClock()).read(JOB) == AUDIO
