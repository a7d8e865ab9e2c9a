"""A real Postgres for the whole run, and a fresh migrated database for whoever asks. Copies of one template: 20 ms."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
from psycopg import sql

from infra.embedded.postgres import ROLE, EmbeddedPostgres
from tests.support.waiting import GIVE_UP_SECONDS

TEMPLATE = "template_migrated"


class PostgresServer:
    """The session's server. `server.url(name)` reaches a database as the application's own role."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._numbers = count(1)
        self._has_template = False

    @contextmanager
    def fresh_database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a database of its own, dropped at the end with whoever is still connected."""
        if migrated and not self._has_template:
            self._make_template()
        name = f"test_{next(self._numbers)}"
        self._create(name, TEMPLATE if migrated else "template1")
        try:
            yield self.server.url(name)
        finally:
            self._drop(name)

    def _make_template(self) -> None:
        from infra.migrate import upgrade

        self._create(TEMPLATE, "template1")
        upgrade(self.server.url(TEMPLATE))
        self._has_template = True

    def _create(self, name: str, template: str) -> None:
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
        self._execute(statement.format(*map(sql.Identifier, (name, ROLE, template))))

    def _drop(self, name: str) -> None:
        """The server gives those who are still connected five seconds to end, which a busy machine may not have."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            try:
                return self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            except psycopg.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.server.url("postgres", superuser=True), autocommit=True) as connection:
            connection.execute(statement)
