"""`microcos doctor`: checks what the promises rest on; one line each, with what to do where it is not well."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import click
import psycopg

from cli.write_side import has_master_key
from infra.clock import system_clock
from infra.keys.keyring import Keyring, MasterKeyError
from infra.keys.local import key_path
from infra.keys.store import PostgresKeyStore
from infra.nats.check import check_bus
from infra.postgres import Check, check_durability, clock_skew_ms, connect, open_pool
from infra.queries import Queries
from infra.schema import current_revision, head_revision
from infra.settings import Settings, SettingsError, unknown_variables
from workers.llm import make_model

SKEW_WARN_MS, SKEW_FAIL_MS = 1_000, 60_000
SECRET_BYTES_MIN = 32
MODEL_SECONDS = 10.0


@click.command()
def doctor() -> None:
    """Check settings, keys, Postgres, the schema, NATS, the model and the clock. Exit status 1 when a check fails."""
    if asyncio.run(_run(Settings.load())):
        sys.exit(1)


async def _run(settings: Settings) -> bool:
    """Print every check; whether one failed."""
    has_failed = False
    async with aclosing(all_checks(settings)) as checks:
        async for group, check in checks:
            click.echo(f"{check.level:<5} {group:<9} {check.name:<36} {check.detail}")
            has_failed = has_failed or check.level == "fail"
    return has_failed


async def all_checks(settings: Settings) -> AsyncGenerator[tuple[str, Check]]:
    """Group and check, in the order in which one would mend things."""
    for check in [*check_settings(settings), *check_keys(settings)]:
        yield "settings", check
    for check in await check_database(settings):
        yield "postgres", check
    yield "nats", await check_bus(settings)
    yield "model", await check_model(settings)


def check_settings(settings: Settings) -> Iterable[Check]:
    unknown = unknown_variables()
    if unknown:
        yield Check("variables", "warn", f"no such settings: {', '.join(unknown)}; see `microcos settings`")
    else:
        yield Check("variables", "ok", "all are known")
    if settings.auth_mode == "dev" and not settings.auth_dev_secret:
        yield Check("auth", "warn", "there is no development key: it is made when `microcos dev` starts")
    elif settings.auth_mode == "dev" and len(settings.auth_dev_secret) < SECRET_BYTES_MIN:
        yield Check("auth", "warn", f"the development key has fewer than {SECRET_BYTES_MIN} bytes: make it longer")
    else:
        yield Check("auth", "ok", f"mode {settings.auth_mode}")


def check_keys(settings: Settings) -> Iterable[Check]:
    try:
        settings.master_key_bytes()
    except SettingsError:
        yield Check("master key", "fail", "there is none: set MICROCOS_MASTER_KEY, or start `microcos dev` once")
        return
    path = key_path(settings.data_dir, "master_key")
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Check("master key", "fail", f"others can read {path}: chmod 600")
    else:
        yield Check("master key", "ok", "is there")


async def check_database(settings: Settings) -> list[Check]:
    try:
        connection = await connect(settings, "doctor")
    except (psycopg.OperationalError, SettingsError) as error:
        reason = str(error).splitlines()[0].removesuffix(".")
        return [Check("connection", "fail", f"cannot connect: {reason}; nothing works without it")]
    async with connection:
        checks = await check_durability(connection)
        before_ms = system_clock(settings).now_ms()
        skew_ms = await clock_skew_ms(connection, before_ms)
        round_trip_ms = system_clock(settings).now_ms() - before_ms
    # The answer was read somewhere within the round trip.
    checks.append(_check_skew(max(0, abs(skew_ms) - round_trip_ms)))
    checks.append(await asyncio.to_thread(_check_schema, settings))
    if checks[-1].level == "ok" and settings.master_key:
        checks.append(await check_master_key(settings))
    return checks


async def check_master_key(settings: Settings) -> Check:
    """Whether the database's keys are wrapped by ours. Stores nothing: a wrong key must not become the right one."""
    async with open_pool(settings, "doctor", size=1) as pool:
        queries = Queries(pool)
        if not await has_master_key(queries):
            return Check("master key", "ok", "no key is wrapped yet")
        clock = system_clock(settings)
        keyring = Keyring(PostgresKeyStore(queries), settings.master_key_bytes(), monotonic=clock.monotonic)
        try:
            await keyring.verify()
        except MasterKeyError as error:
            return Check("master key", "fail", str(error))
    return Check("master key", "ok", "opens this database's keys")


async def check_model(settings: Settings) -> Check:
    try:
        model = make_model(settings)
    except SettingsError as error:
        return Check(settings.llm_provider, "fail", str(error))
    try:
        async with asyncio.timeout(MODEL_SECONDS):
            problem = await model.check()
    except TimeoutError:
        problem = f"gave no answer in {MODEL_SECONDS:.0f} s"
    finally:
        await model.aclose()
    if problem is None:
        return Check(settings.llm_provider, "ok", model.name)
    return Check(settings.llm_provider, "warn", f"{problem}; messages get a canned answer until it is back")


def _check_skew(skew_ms: int) -> Check:
    detail = f"{skew_ms} ms between this machine and the database"
    if skew_ms > SKEW_FAIL_MS:
        return Check("clock", "fail", f"{detail}: set the clocks, tokens and event times go wrong")
    if skew_ms > SKEW_WARN_MS:
        return Check("clock", "warn", f"{detail}: set the clocks")
    return Check("clock", "ok", detail)


def _check_schema(settings: Settings) -> Check:
    found, wanted = current_revision(settings.database_url), head_revision()
    if found is not None and found >= wanted:
        return Check("schema", "ok", f"at {found}" if found == wanted else f"at {found}, this code knows {wanted}")
    return Check("schema", "fail", f"at {found or 'nothing'}, this code needs {wanted}: run `microcos migrate`")
