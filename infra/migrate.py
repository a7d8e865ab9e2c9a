"""Brings a database to the newest schema. Its steps are in migrations/; infra/schema.py says where a database is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

import migrations


class UnknownSchema(Exception):
    """The database is at a step that this code does not have, such as one of a newer version."""


def upgrade(database_url: str, revision: str = "head") -> None:
    """Blocking. Safe to run in several processes at once. Raises `psycopg.Error` and `UnknownSchema`."""
    try:
        command.upgrade(_config(database_url), revision)
    except DBAPIError as error:
        # Nobody who calls this need know what Alembic is made of.
        raise (error.orig or error) from error
    except CommandError as error:
        raise UnknownSchema(str(error)) from error


def downgrade(database_url: str, revision: str = "base") -> None:
    """Blocking. Drops what the steps after `revision` made, data and all; for development and tests."""
    command.downgrade(_config(database_url), revision)


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database_url"] = database_url
    return config
