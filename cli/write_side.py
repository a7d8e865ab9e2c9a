"""The write side for an operator's commands. No token is asked for: who has the database and the key may do all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from cli.outages import away, told_once
from commands.write_side import WriteSide, open_write_side
from domain.errors import DomainError, Unavailable
from infra.keys.keyring import MasterKeyError
from infra.queries import Queries
from infra.settings import Settings


async def has_master_key(queries: Queries) -> bool:
    """Whether some process has begun to wrap keys in this database. Raises `Unavailable`."""
    return bool(await queries.fetch("SELECT 1 FROM master_key"))


@asynccontextmanager
async def open_for_operator(command: str) -> AsyncIterator[WriteSide]:
    """With the master key verified. What is refused or away ends the command with a line on stderr."""
    told_once()
    async with open_write_side(Settings.load(), command) as side:
        try:
            # Verifying makes the first key that comes the right one, which is for those who serve to do.
            if await has_master_key(side.queries):
                await side.keyring.verify()
            yield side
        except Unavailable as error:
            raise away(error) from error
        except DomainError as error:
            raise click.ClickException(error.detail) from error
        except MasterKeyError as error:
            raise click.ClickException(str(error)) from error
