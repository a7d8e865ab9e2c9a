"""Calendar files as programs write them, made by hand: each says in its PRODID what it is like."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def calendar_file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def calendar_files() -> list[str]:
    return sorted(path.name for path in FOLDER.glob("*.ics"))
