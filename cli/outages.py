"""How a command that an operator runs tells that the database is away: in one line, and not in a log."""

from __future__ import annotations

import logging

import click
import psycopg

from domain.errors import Unavailable


def told_once() -> None:
    """The pool warns at each attempt to connect, which is for logs: at a terminal the command's own line says it."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def away(error: Unavailable) -> click.ClickException:
    return click.ClickException(f"{error.detail} `microcos doctor` says what is wrong.")


def unusable(error: psycopg.Error) -> click.ClickException:
    """For a command that talks to the database itself, without a pool."""
    return click.ClickException(f"The database cannot be reached or used: {error}")
