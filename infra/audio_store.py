"""Audio on disk for as long as its job lasts: uploads that wait for their transcript, spoken answers for an hour.

One folder a job under `files/audio` of the data dir, named by an id of ours and never by anything that a user sent;
0700, the file 0600 and sealed under a key made from the master key, so that what a crash leaves behind, or a deleted
block on a disk, says nothing. Writers and readers on several machines must share the data dir. It must not know what
a job is: whoever ends one deletes its audio, and `sweep` takes what nobody deleted.
"""

from __future__ import annotations

import hmac
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import NotFound, Unavailable
from domain.ports import Audio, Clock
from infra import ids
from infra.codec import NONCE_BYTES
from infra.failpoints import reach_now
from infra.keys.local import private_folder
from infra.settings import Settings

AUDIO_AGE_SECONDS_MAX = 3_600
FILE_NAME = "audio.sealed"


def audio_store(settings: Settings, clock: Clock) -> AudioStore:
    """The store of a process. Raises `SettingsError` without a master key."""
    return AudioStore(settings.data_dir / "files" / "audio", settings.master_key_bytes(), clock)


class AudioStore:
    """Blocking, a file of 25 MiB for up to a second on a slow disk: call it in a thread.

    Job ids are UUIDs in their usual form; anything else is a `ValueError`, before any path is made of it.
    """

    def __init__(
        self, root: Path, master_key: bytes, clock: Clock, *, random_bytes: Callable[[int], bytes] = ids.random_bytes
    ) -> None:
        self._root = root
        self._cipher = AESGCM(hmac.digest(master_key, b"audio", "sha256"))
        self._clock = clock
        self._random_bytes = random_bytes

    def write(self, job_id: str, audio: Audio) -> None:
        """On disk for good, whole or not at all; replaces what the job had. Raises `Unavailable` when there is no room.

        Once this has returned, a job may be promised.
        """
        folder = self._folder(job_id)
        nonce = self._random_bytes(NONCE_BYTES)
        plain = audio.media_type.encode("ascii") + b"\n" + audio.data
        sealed = nonce + self._cipher.encrypt(nonce, plain, job_id.encode())
        try:
            reach_now("audio.write.before")
            private_folder(self._root)
            private_folder(folder)
            _write_whole(folder / FILE_NAME, sealed)
            reach_now("audio.write.after")
        except OSError as error:
            self.delete(job_id)
            raise Unavailable("The audio could not be stored; try again later.") from error

    def read(self, job_id: str) -> Audio:
        """Raises `NotFound` once it was deleted, and for a file that is not as it was written."""
        try:
            sealed = (self._folder(job_id) / FILE_NAME).read_bytes()
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], job_id.encode())
        except (FileNotFoundError, NotADirectoryError, InvalidTag, ValueError) as error:
            if isinstance(error, ValueError) and not is_job_id(job_id):
                raise
            raise NotFound("The audio is gone.") from error
        media_type, _, data = plain.partition(b"\n")
        return Audio(data, media_type.decode("ascii"))

    def delete(self, job_id: str) -> None:
        """Gone when this returns; nothing happens when it was gone already."""
        _remove(self._folder(job_id))

    def job_ids(self, *, age_seconds_min: float = 0.0) -> list[str]:
        """Jobs that have audio, for at least so long: whoever knows which of them ended deletes theirs."""
        folders = [path for path in self._folders() if is_job_id(path.name)]
        if age_seconds_min:
            newest_ms = self._clock.now_ms() - age_seconds_min * 1000
            ages = {path: _changed_ms(path) for path in folders}
            folders = [path for path, changed_ms in ages.items() if changed_ms is not None and changed_ms <= newest_ms]
        return sorted(path.name for path in folders)

    def sweep(self, *, age_seconds_max: float = AUDIO_AGE_SECONDS_MAX) -> int:
        """Delete what is older, whoever left it; how many folders. At the start of a process and each hour."""
        oldest_ms = self._clock.now_ms() - age_seconds_max * 1000
        swept = 0
        for folder in self._folders():
            changed_ms = _changed_ms(folder)
            if changed_ms is not None and changed_ms < oldest_ms:
                _remove(folder)
                swept += 1
        return swept

    def _folder(self, job_id: str) -> Path:
        if not is_job_id(job_id):
            raise ValueError("a job id is a UUID")
        return self._root / job_id

    def _folders(self) -> list[Path]:
        try:
            return list(self._root.iterdir())
        except FileNotFoundError:
            return []


def audio_id(object_id: str) -> str:
    """The job id for the audio of a recording or a reply: the UUID that its own id (`v_<32 hex>`) is made of."""
    return str(UUID(object_id[-32:]))


def is_job_id(text: str) -> bool:
    """A UUID in its usual form: 36 characters, lower case."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _write_whole(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.{ids.random_token(6)}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    # The file's name, then its folder's: a promise holds after a power cut too.
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _changed_ms(path: Path) -> float | None:
    """When a folder's entries changed last; None when it has just gone."""
    try:
        return path.lstat().st_mtime_ns / 1_000_000
    except FileNotFoundError:
        return None


def _remove(path: Path) -> None:
    """A folder with all in it, or a stray file. Somebody else may be removing it at this moment."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        if path.is_dir():
            _remove(path)
    except NotADirectoryError:
        path.unlink(missing_ok=True)
