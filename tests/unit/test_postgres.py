"""What each connection to Postgres asks for, whatever the URL leaves open."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict

from infra.postgres import KEEP_ALIVE, conninfo
from infra.settings import Settings


def asked(url: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(conninfo(Settings(database_url=url), "test")).items()}


def test_a_machine_that_is_gone_is_noticed() -> None:
    found = asked("postgresql://somewhere/microcos")
    assert {name: found[name] for name in KEEP_ALIVE} == {name: str(value) for name, value in KEEP_ALIVE.items()}


def test_what_the_url_says_stands() -> None:
    found = asked("postgresql://somewhere/microcos?keepalives_idle=60&options=-c%20search_path%3Dmine")
    assert found["keepalives_idle"] == "60"
    assert found["options"].startswith("-c search_path=mine -c statement_timeout=")
