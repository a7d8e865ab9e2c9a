"""`microcos migrate`: Alembic to head."""

from __future__ import annotations

import click
import psycopg

from cli.outages import unusable
from infra.migrate import UnknownSchema, upgrade
from infra.postgres import conninfo
from infra.schema import current_revision
from infra.settings import Settings


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema. Safe to repeat, and to run from several machines at once."""
    settings = Settings.load()
    conninfo(settings, "migrate")  # refuses what is no address
    try:
        before = current_revision(settings.database_url)
        upgrade(settings.database_url)
        after = current_revision(settings.database_url)
    except psycopg.Error as error:
        raise unusable(error) from error
    except UnknownSchema as error:
        raise click.ClickException(f"The database is at {before}, which this version does not know.") from error
    click.echo(f"schema is at {after}" if before == after else f"schema went from {before or 'nothing'} to {after}")
