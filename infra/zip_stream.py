"""A zip archive that is sent while it is written: what has been compressed is taken away piece by piece, so that it
needs as much memory as one piece, however large it becomes. Blocking where it compresses: call it in a thread.
"""

from __future__ import annotations

from datetime import datetime
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

FILE_MODE = 0o600


class ZipStream:
    """`at` is the time that its files bear."""

    def __init__(self, at: datetime) -> None:
        self._at = (max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second)
        self._sink = _Sink()
        self._archive = ZipFile(self._sink, "w")
        self._file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """What is written from now on goes into this file; ends the one before."""
        self._end_file()
        described = ZipInfo(name, self._at)
        described.compress_type = ZIP_DEFLATED
        described.external_attr = FILE_MODE << 16
        # Nobody knows yet how large it becomes.
        self._file = self._archive.open(described, "w", force_zip64=True)

    def write(self, data: bytes) -> None:
        assert self._file is not None, "no file was begun"
        self._file.write(data)

    def finish(self) -> None:
        self._end_file()
        self._archive.close()

    def take(self) -> bytes:
        """What has come out since the last call."""
        return self._sink.take()

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _Sink:
    """A file that cannot be sought in, as the library asks for one."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any, /) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
