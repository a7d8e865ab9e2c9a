"""Runs the steps on the connection or URL that `infra/migrate.py` (or `alembic -x url=…`) gives; one at a time."""

from __future__ import annotations

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool, text

# Two processes that start at once must not both migrate.
LOCK = "SELECT pg_advisory_xact_lock(7234470, 1)"


def run() -> None:
    url = context.config.attributes.get("database_url") or context.get_x_argument(as_dictionary=True)["url"]
    # libpq reads the URL itself, so that every form that psycopg takes is good here too.
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, transaction_per_migration=False)
            with context.begin_transaction():
                connection.execute(text(LOCK))
                context.run_migrations()
    finally:
        engine.dispose()


run()
