"""`microcos migrate`: Alembic to head."""

from __future__ import annotations

import click
import psycopg

from infra.migrate import upgrade
from infra.schema import current_revision
from infra.settings import Settings, SettingsError


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema. Safe to repeat, and to run from several machines at once."""
    settings = Settings.load()
    if not settings.database_url:
        raise SettingsError("MICROCOS_DATABASE_URL is not set and no `microcos dev` runs on this data dir.")
    try:
        before = current_revision(settings.database_url)
        upgrade(settings.database_url)
        after = current_revision(settings.database_url)
    except psycopg.OperationalError as error:
        raise click.ClickException(f"The database cannot be reached or used: {error}") from error
    click.echo(f"schema is at {after}" if before == after else f"schema went from {before or 'nothing'} to {after}")
