"""One `dev` at a time on a data dir."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from infra.keys.local import private_folder
from infra.settings import SettingsError


class DataDirLock:
    """Held while the block runs and by the kernel: it ends with the process, however that ends."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor = -1

    def __enter__(self) -> None:
        path = private_folder(self._data_dir / "run") / "dev.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 32).decode().strip() or "unknown"
            os.close(self._descriptor)
            raise SettingsError(
                f"Another `microcos dev` (pid {holder}) runs on {self._data_dir}; stop it or choose another --data-dir."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
