"""Which step of the schema a database is at, and which one this code needs. Changes nothing: see infra/migrate.py.

Apart from that module because every API process asks, and Alembic, which makes the steps, takes 0.4 s to import.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

import migrations
from infra.queries import IS_MIGRATED, Queries

VERSIONS = Path(migrations.__file__).parent / "versions"
REVISION = "SELECT version_num FROM alembic_version"


def head_revision() -> str:
    """The newest step that this code has. Files are called `<revision>_<what it makes>.py`, a revision is four digits:
    of two the later one is the greater text."""
    return max(path.name for path in VERSIONS.glob("[0-9]*_*.py")).partition("_")[0]


def current_revision(database_url: str) -> str | None:
    """The step that the database is at, None when it is empty. Blocking. Raises `psycopg.OperationalError`."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        if connection.execute(IS_MIGRATED).fetchone() != (True,):
            return None
        row = connection.execute(REVISION).fetchone()
        return None if row is None else str(row[0])


async def revision_of(queries: Queries) -> str | None:
    """As `current_revision`, for a process that serves: it blocks nothing, and raises `Unavailable` in time."""
    if await queries.fetch(IS_MIGRATED) != [(True,)]:
        return None
    rows = await queries.fetch(REVISION)
    return str(rows[0][0]) if rows else None
