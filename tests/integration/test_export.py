"""An archive needs the memory of a page, whatever it holds."""

from __future__ import annotations

import json
import tracemalloc
from zipfile import ZipFile

import pytest

from commands.notes import AddNote, DeleteNote
from commands.write_side import WriteSide, open_write_side
from infra.settings import Settings
from projections import export
from projections.export import Exporter
from projections.reading import Reader
from tests.support.views import catch_up

pytestmark = pytest.mark.anyio

NOTE_BYTES = 50_000


async def noted(side: WriteSide, sub: str, notes: int) -> Exporter:
    """Somebody with so many notes."""
    user_id = await side.keyring.ensure_user("", sub)
    for number in range(notes):
        text = f"{number} ".ljust(NOTE_BYTES, "x")
        await side.handler.handle(user_id, AddNote(note_id=f"n{number}", note_ref=f"n_{number}", text=text))
    catch_up(side.settings.database_url)
    return Exporter(Reader(side.queries, side.keyring), side.log, user_id, sub, side.clock.now_ms())


async def peak_bytes(exporter: Exporter) -> int:
    """The most that was held at once while the archive was made and thrown away."""
    async for _ in exporter.archive():
        pass
    tracemalloc.start()
    try:
        async for _ in exporter.archive():
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_ten_times_as_much_needs_no_more_memory(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 4)
    async with open_write_side(settings, "test") as side:
        some, many = await noted(side, "some", 8), await noted(side, "many", 80)
        assert await peak_bytes(many) < 1.5 * await peak_bytes(some)
        assert await peak_bytes(many) < 80 * NOTE_BYTES / 2


async def test_every_note_is_a_file_of_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 3)
    async with open_write_side(settings, "test") as side:
        exporter = await noted(side, "u1", 7)
        path = settings.data_dir / "all.zip"
        path.write_bytes(b"".join([piece async for piece in exporter.archive()]))
    with ZipFile(path) as archive:
        files = [name for name in archive.namelist() if name.startswith("notes/")]
        assert sorted(files) == [f"notes/n{number}.txt" for number in range(7)]
        assert archive.read("notes/n5.txt") == b"5 ".ljust(NOTE_BYTES, b"x")


async def test_what_another_process_has_just_deleted_is_not_in_it(settings: Settings) -> None:
    """Nobody here follows the log, and no sweep runs."""
    async with open_write_side(settings, "test") as here, open_write_side(settings, "test") as there:
        exporter = await noted(here, "u1", 2)
        await there.handler.handle(exporter.user_id, DeleteNote(note_id="n0", note_ref="n_0"))
        catch_up(settings.database_url)
        path = settings.data_dir / "all.zip"
        path.write_bytes(b"".join([piece async for piece in exporter.archive()]))
    with ZipFile(path) as archive:
        added = [json.loads(line) for line in archive.read("events.jsonl").splitlines()][:2]
    assert (
        ["redacted" in event for event in added]
        == [event["data"]["content"] is None for event in added]
        == [True, False]
    )
