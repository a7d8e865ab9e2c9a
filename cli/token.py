"""`microcos token`: a development token on stdout, nothing else there."""

from __future__ import annotations

import click
import psycopg

from api.auth.tokens import is_subject
from cli.outages import unusable
from infra.clock import system_clock
from infra.dev_tokens import make_token
from infra.login_codes import issue_login_code
from infra.settings import Settings


def checked_user(_context: click.Context, _parameter: click.Parameter, user: str) -> str:
    """A token of any other user would be refused, without a word why."""
    if not is_subject(user):
        raise click.BadParameter("1 to 128 of A-Z a-z 0-9 _ . | @ : + = ~ -, with a letter, digit, _ or - first.")
    return user


@click.command()
@click.option("--user", required=True, callback=checked_user, help="The user, as the token's `sub`.")
@click.option("--lifetime-seconds", type=click.IntRange(min=1), default=None, help="Default: the longest accepted.")
@click.option("--link", is_flag=True, help="Print a log-in link for the web client instead; needs a running `dev`.")
def token(user: str, lifetime_seconds: int | None, link: bool) -> None:
    """Print a development token for a user."""
    settings = Settings.load()
    if lifetime_seconds is not None and lifetime_seconds > settings.auth_lifetime_max_seconds:
        # The API would refuse it, without a word why.
        longest = f"at most MICROCOS_AUTH_LIFETIME_MAX_SECONDS, which is {settings.auth_lifetime_max_seconds}"
        raise click.BadParameter(f"{longest}.", param_hint="--lifetime-seconds")
    if link:
        try:
            code = issue_login_code(settings, user)
        except psycopg.Error as error:
            raise unusable(error) from error
        click.echo(login_link(settings, code))
    else:
        click.echo(make_token(settings, system_clock(settings), user, lifetime_seconds))


def login_link(settings: Settings, code: str) -> str:
    """The code is behind the #, so that it is in no server's log."""
    return f"{base_url(settings)}/login#code={code}"


def base_url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
