"""The schema: its library part is the library's own, and going up, down and up again ends where it began."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from eventsourcing.postgres import PostgresFactory
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cli.main import main
from commands.tasks import CreateTask
from commands.write_side import open_write_side
from domain.errors import Unavailable
from domain.values import Task
from infra import migrate, schema
from infra.keys.local import make_master_key
from infra.leases import PostgresLeaders
from infra.settings import Settings
from tests.support.databases import PostgresServer
from tests.support.patience import PATIENCE
from tests.support.processes import ROOT

COLUMNS = """SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid), a.attstorage, a.attcollation
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND c.relkind IN ('r', 'c', 'S') ORDER BY 1, 2"""
RELATIONS = """SELECT relname, relkind::text, relpersistence::text, reloptions FROM pg_class
WHERE relnamespace = 'public'::regnamespace ORDER BY 1"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
CONSTRAINTS = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"""
FUNCTIONS = """SELECT proname, pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace ORDER BY 1"""


def catalog(database_url: str) -> dict[str, list[tuple[Any, ...]]]:
    queries = {"columns": COLUMNS, "relations": RELATIONS, "indexes": INDEXES, "constraints": CONSTRAINTS}
    with psycopg.connect(database_url, autocommit=True) as connection:
        found = {name: connection.execute(query).fetchall() for name, query in queries.items()}
        found["functions"] = [(name, plain(text)) for name, text in connection.execute(FUNCTIONS).fetchall()]
    return found


def plain(function: str) -> str:
    """Without layout, and without the quotes and the schema that the library writes before names."""
    return " ".join(function.replace('"', "").replace("public.", "").split())


def create_by_library(database_url: str) -> None:
    given: dict[str, Any] = conninfo_to_dict(database_url)
    with PostgresFactory(
        {
            "NAME": "log0",
            "POSTGRES_DBNAME": given["dbname"],
            "POSTGRES_HOST": given["host"],
            "POSTGRES_USER": given["user"],
            "POSTGRES_PASSWORD": given["password"],
            "ORIGINATOR_ID_TYPE": "text",
        }
    ) as factory:
        factory.env.name = "log0"
        factory.application_recorder()
        factory.aggregate_recorder(purpose="snapshots")
        factory.tracking_recorder()


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.fresh_database(migrated=False) as url:
        yield url


def test_the_librarys_part_is_what_the_library_makes(database_url: str, empty_database_url: str) -> None:
    create_by_library(empty_database_url)
    ours, theirs = catalog(database_url), catalog(empty_database_url)
    for part, rows in theirs.items():
        assert rows
        names = {row[0] for row in rows}
        assert [row for row in ours[part] if row[0] in names] == rows, part


def test_the_tracking_table_is_known_as_the_librarys_new_kind(database_url: str, empty_database_url: str) -> None:
    create_by_library(empty_database_url)
    for url in (database_url, empty_database_url):
        with psycopg.connect(url) as connection:
            known = "SELECT * FROM log0_tracking WHERE application_name = '__migration__'"
            assert connection.execute(known).fetchall() == [("__migration__", 1)]


def test_the_library_finds_nothing_to_change(database_url: str) -> None:
    before = catalog(database_url)
    create_by_library(database_url)
    assert catalog(database_url) == before


def test_a_role_that_may_make_no_tables_is_told_in_a_line(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with postgres_server.fresh_database(migrated=False) as url:
        name = str(conninfo_to_dict(url)["dbname"])
        with psycopg.connect(postgres_server.server.url(name, superuser=True), autocommit=True) as superuser:
            superuser.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(name)))
        environment = {"MICROCOS_DATABASE_URL": url, "MICROCOS_DATA_DIR": str(tmp_path)}
        refused = CliRunner().invoke(main, ["migrate"], env=environment)
    assert refused.exit_code == 1
    assert isinstance(refused.exception, SystemExit)
    assert "permission denied for schema public" in refused.stderr


def test_a_schema_of_a_newer_version_is_told_in_a_line_and_left_alone(empty_database_url: str, tmp_path: Path) -> None:
    migrate.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    environment = {"MICROCOS_DATABASE_URL": empty_database_url, "MICROCOS_DATA_DIR": str(tmp_path)}
    refused = CliRunner().invoke(main, ["migrate"], env=environment)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "Error: The database is at 9999, which this version does not know.\n"
    assert schema.current_revision(empty_database_url) == "9999"


def test_up_and_down_and_up_again_is_the_same_schema(empty_database_url: str) -> None:
    assert schema.current_revision(empty_database_url) is None
    empty = catalog(empty_database_url)
    migrate.upgrade(empty_database_url)
    migrated = catalog(empty_database_url)
    assert schema.current_revision(empty_database_url) == schema.head_revision()
    migrate.downgrade(empty_database_url)
    left = catalog(empty_database_url)
    assert {row[0] for row in left["relations"]} - {row[0] for row in empty["relations"]} == {
        "alembic_version",
        "alembic_version_pkc",
    }
    assert left["functions"] == empty["functions"]
    migrate.upgrade(empty_database_url)
    assert catalog(empty_database_url) == migrated


def test_processes_may_migrate_at_once(empty_database_url: str) -> None:
    code = f"from infra.migrate import upgrade; upgrade({empty_database_url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert schema.current_revision(empty_database_url) == schema.head_revision()


def test_every_shard_has_its_log(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        shards = connection.execute("SELECT shard, log FROM shards ORDER BY shard").fetchall()
        logs = connection.execute("SELECT log, generation IS NOT NULL FROM logs").fetchall()
    assert shards == [(f"{shard:02d}", 0) for shard in range(64)]
    assert logs == [(0, True)]


def test_the_newest_step_by_name_is_the_last_one_of_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    assert schema.head_revision() == ScriptDirectory.from_config(config).get_current_head()


@pytest.mark.anyio
async def test_who_was_started_before_the_database_was_migrated_waits_for_that(empty_database_url: str) -> None:
    settings = Settings(database_url=empty_database_url, master_key=make_master_key(), **PATIENCE)
    async with open_write_side(settings, "early") as side:
        leaders = PostgresLeaders(side.queries, "early")
        for ask in (side.keyring.verify, side.log.last_position, lambda: leaders.acquire("relay", 1.0)):
            with pytest.raises(Unavailable) as refused:
                await ask()
            assert refused.value.code == "not_migrated"
        await asyncio.to_thread(migrate.upgrade, empty_database_url)
        await side.keyring.verify()
        user_id = await side.keyring.ensure_user("", "u1")
        assert (await side.handler.handle(user_id, CreateTask(task=Task(title="t")))).version == 1
