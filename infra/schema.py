"""Which step of the schema a database is at, and which one this code needs. Changes nothing: see infra/migrate.py.

Apart from that module because every API process asks, and Alembic, which makes the steps, takes 0.4 s to import.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

import migrations

VERSIONS = Path(migrations.__file__).parent / "versions"


def head_revision() -> str:
    """The newest step that this code has. Files are called `<revision>_<what it makes>.py`, in the order of steps."""
    return max(path.name for path in VERSIONS.glob("[0-9]*_*.py")).partition("_")[0]


def current_revision(database_url: str) -> str | None:
    """The step that the database is at, None when it is empty. Blocking. Raises `psycopg.OperationalError`."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if known is None or known[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])
