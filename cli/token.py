"""`microcos token`: a development token on stdout, nothing else there."""

from __future__ import annotations

import click

from infra.clock import system_clock
from infra.dev_tokens import make_token
from infra.login_codes import issue_login_code
from infra.settings import Settings


@click.command()
@click.option("--user", required=True, help="The user, as the token's `sub`.")
@click.option("--lifetime-seconds", type=click.IntRange(min=1), default=None, help="Default: the longest accepted.")
@click.option("--link", is_flag=True, help="Print a log-in link for the web client instead; needs a running `dev`.")
def token(user: str, lifetime_seconds: int | None, link: bool) -> None:
    """Print a development token for a user."""
    settings = Settings.load()
    if link:
        click.echo(login_link(settings, issue_login_code(settings, user)))
    else:
        click.echo(make_token(settings, system_clock(settings), user, lifetime_seconds))


def login_link(settings: Settings, code: str) -> str:
    """The code is behind the #, so that it is in no server's log."""
    return f"{base_url(settings)}/login#code={code}"


def base_url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
