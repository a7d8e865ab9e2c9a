"""Brings a database to the newest schema, and tells which one it has. The steps themselves are in migrations/."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations


def upgrade(database_url: str, revision: str = "head") -> None:
    """Blocking. Safe to run in several processes at once. Raises `psycopg.OperationalError`."""
    command.upgrade(_config(database_url), revision)


def downgrade(database_url: str, revision: str = "base") -> None:
    """Blocking. Drops what the steps after `revision` made, data and all; for development and tests."""
    command.downgrade(_config(database_url), revision)


def head_revision() -> str:
    """The newest step that this code has."""
    head = ScriptDirectory.from_config(_config("")).get_current_head()
    assert head is not None
    return head


def current_revision(database_url: str) -> str | None:
    """The step that the database is at, None when it is empty. Blocking. Raises `psycopg.OperationalError`."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if known is None or known[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database_url"] = database_url
    return config
