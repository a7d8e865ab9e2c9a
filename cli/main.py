"""The list of commands. A command's module is imported only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import NamedTuple

import click

from infra import garbage
from infra.settings import SettingsError


class Entry(NamedTuple):
    module: str
    function: str
    text: str


COMMANDS = {
    "dev": Entry("cli.dev", "dev", "Run everything on this machine, embedded servers included."),
    "api": Entry("cli.api", "api", "Serve HTTP."),
    "worker": Entry("cli.worker", "worker", "Answer messages."),
    "relay": Entry("cli.relay", "relay", "Publish the event log to NATS."),
    "projections": Entry("cli.projections", "projections", "Run, list, rebuild and verify the read models."),
    "migrate": Entry("cli.migrate", "migrate", "Bring the database to the newest schema."),
    "token": Entry("cli.token", "token", "Print a development token."),
    "chat": Entry("cli.chat", "chat", "Talk to the assistant in the terminal."),
    "user": Entry("cli.user", "user", "Export or erase a user."),
    "dlq": Entry("cli.dlq", "dlq", "List, retry or drop replies that failed."),
    "doctor": Entry("cli.doctor", "doctor", "Check settings, keys, servers, schema and model."),
    "settings": Entry("cli.settings", "settings", "List all settings."),
}


class WrongSettings(click.ClickException):
    exit_code = 2


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        with garbage.imports():
            command = getattr(import_module(entry.module), entry.function)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.text) for name, entry in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal that lacks a letter shows another one in its place; help is printed from here on.
            sys.stdout.reconfigure(errors="replace")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise WrongSettings(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="microcos", prog_name="microcos")
def main() -> None:
    """Micro CoS: a personal chief of staff. One person, one chat, one memory.

    Start with `microcos dev`. Every setting is one MICROCOS_… variable; `microcos settings` lists them.
    """


if __name__ == "__main__":
    main(prog_name="microcos")
