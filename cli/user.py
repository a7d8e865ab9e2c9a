"""`microcos user`: take all of a user's data along, or erase them. For operators: no token is asked for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import click

from cli.retention import make_erasure
from cli.write_side import open_for_operator
from commands.erasure import EraseUser
from commands.handle import Request
from commands.write_side import WriteSide
from projections.export import Exporter
from projections.reading import Reader

ISSUER = click.option("--issuer", default=None, help="Who vouches for the user; default: the first accepted issuer.")


@click.group()
def user() -> None:
    """Export or erase a user. USER is the `sub` of their tokens."""


@user.command()
@click.argument("user", metavar="USER")
@ISSUER
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("microcos-export.zip"),
    show_default=True,
    help="Where to; `-` is stdout. A file that is there already is left as it is.",
)
def export(user: str, issuer: str | None, out: Path) -> None:
    """Write everything about a user into a zip archive, unencrypted."""
    if str(out) == "-":
        asyncio.run(_export(user, issuer, sys.stdout.buffer))
        return
    if not out.name:
        raise click.BadParameter("is no name of a file.", param_hint="--out")
    draft = out.with_name(f".{out.name}.part")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("wb") as file:
            asyncio.run(_export(user, issuer, file))
        # A link fails where a rename would replace: no file is lost, and half an archive never bears the name.
        out.hardlink_to(draft)
    except FileExistsError:
        raise click.ClickException(f"{out} is there already. Choose another file with --out.") from None
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    click.echo(str(out))


@user.command()
@click.argument("user", metavar="USER")
@ISSUER
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(user: str, issuer: str | None, yes: bool) -> None:
    """Erase a user for good. Nobody can bring back what they wrote; backups made before still hold it."""
    if not yes:
        click.confirm(f"Erase {user} for good?", abort=True, err=True)
    asyncio.run(_erase(user, issuer))


@asynccontextmanager
async def _opened(sub: str, issuer: str | None) -> AsyncIterator[tuple[WriteSide, str]]:
    """What commands are handled with, and the user's internal id. Ends with a line on stderr when there is no user."""
    async with open_for_operator("user") as side:
        accepted = side.settings.auth_issuer
        usual = accepted[0] if accepted else ""
        user_id = await side.keyring.find_user(usual if issuer is None else issuer, sub)
        if user_id is None:
            raise click.ClickException(f"There is no user {sub}.")
        yield side, user_id


async def _export(sub: str, issuer: str | None, file: IO[bytes]) -> None:
    async with _opened(sub, issuer) as (side, user_id):
        reader = Reader(side.queries, side.keyring)
        async for piece in Exporter(reader, side.log, user_id, sub, side.clock.now_ms()).archive():
            file.write(piece)


async def _erase(sub: str, issuer: str | None) -> None:
    async with _opened(sub, issuer) as (side, user_id):
        handled = await side.handler.handle(user_id, EraseUser(), Request(origin="system"))
        # Workers do it too, but perhaps none runs: when this returns it has been done.
        await make_erasure(side).erase(user_id)
        click.echo(f"{sub} was erased at version {handled.version}")
