"""An archive that is taken away piece by piece is a whole one in the end."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from zipfile import ZipFile

from infra.zip_stream import ZipStream

AT = datetime(2025, 11, 21, 9, 30, 2)


def test_what_was_written_in_pieces_is_read_as_files() -> None:
    archive, pieces = ZipStream(AT), []
    archive.begin("a.txt")
    for _ in range(3):
        archive.write(b"one piece ")
        pieces.append(archive.take())
    archive.begin("notes/b.txt")
    archive.begin("empty.txt")
    archive.finish()
    pieces.append(archive.take())
    with ZipFile(BytesIO(b"".join(pieces))) as read:
        assert read.testzip() is None
        assert read.namelist() == ["a.txt", "notes/b.txt", "empty.txt"]
        assert read.read("a.txt") == b"one piece " * 3
        assert read.read("empty.txt") == b""
        assert read.getinfo("a.txt").date_time == (2025, 11, 21, 9, 30, 2)


def test_it_keeps_nothing_of_what_was_taken() -> None:
    archive = ZipStream(AT)
    archive.begin("large.bin")
    noise = bytes(range(256)) * 4096
    sizes = []
    for _ in range(20):
        archive.write(noise)
        sizes.append(len(archive.take()))
    assert archive.take() == b""
    assert max(sizes) <= len(noise)
