"""`microcos dlq`: replies that failed after all attempts, read from Postgres. Retrying one is regenerating it."""

from __future__ import annotations

import asyncio

import click

from cli.write_side import open_for_operator
from commands.handle import Request
from commands.messages import RegenerateReply
from commands.write_side import WriteSide
from domain.ports import StoredEvent
from domain.shapes import utc
from infra import codec

# Not regenerated since, and not dropped.
FAILED = """SELECT m.user_id, m.id, m.version, m.name, m.state FROM chat_messages m
LEFT JOIN dead_letters_dropped d ON d.user_id = m.user_id AND d.reply_id = m.id
WHERE m.name = 'ReplyFailed' AND m.superseded_by IS NULL AND d.reply_id IS NULL
ORDER BY m.user_id, m.ord LIMIT %s"""
FIND = "SELECT user_id FROM chat_messages WHERE id = %s AND name = 'ReplyFailed' AND superseded_by IS NULL"
DROP = "INSERT INTO dead_letters_dropped (user_id, reply_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"


@click.group()
def dlq() -> None:
    """Dead letters: replies that failed after all attempts. The user has been told; nothing waits for you."""


@dlq.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def list_failed(limit: int) -> None:
    """List failed replies: reply, user, when, why."""
    asyncio.run(_list(limit))


@dlq.command()
@click.argument("reply_ids", nargs=-1, required=True)
def retry(reply_ids: tuple[str, ...]) -> None:
    """Ask for the replies again. Clients see a new reply that supersedes the failed one."""
    asyncio.run(_retry(reply_ids))


@dlq.command()
@click.argument("reply_ids", nargs=-1, required=True)
def drop(reply_ids: tuple[str, ...]) -> None:
    """Leave the replies as they are and list them no more."""
    asyncio.run(_drop(reply_ids))


async def _list(limit: int) -> None:
    async with open_for_operator("dlq") as side:
        rows = await side.queries.fetch(FAILED, (limit,))
    for user_id, reply_id, version, name, state in rows:
        clear = codec.peek(StoredEvent(0, user_id, version, name, bytes(state)))
        code, attempt = clear.data.code, clear.data.attempt
        click.echo(f"{reply_id}  {user_id}  {utc(clear.at_ms)}  {code}  attempt {attempt}")
    click.echo(f"{len(rows)} failed", err=True)


async def _owner(side: WriteSide, reply_id: str) -> str:
    rows = await side.queries.fetch(FIND, (reply_id,))
    if not rows:
        raise click.ClickException(f"{reply_id} is no failed reply. `microcos dlq list` shows those that are.")
    return str(rows[0][0])


async def _retry(reply_ids: tuple[str, ...]) -> None:
    async with open_for_operator("dlq") as side:
        for reply_id in reply_ids:
            user_id = await _owner(side, reply_id)
            # Workers look at waiting replies each second: nobody has to be told.
            await side.handler.handle(user_id, RegenerateReply(id=reply_id), Request(origin="system"))
            click.echo(f"{reply_id} asked for again")


async def _drop(reply_ids: tuple[str, ...]) -> None:
    async with open_for_operator("dlq") as side:
        for reply_id in reply_ids:
            await side.queries.fetch(DROP, (await _owner(side, reply_id), reply_id))
            click.echo(f"{reply_id} dropped")
