"""`microcos settings`, and the page docs/settings.md that is made by it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from infra.settings import PREFIX, Settings, data_dir_values, environment_values, unknown_variables

PAGE_HEAD = """# Settings

Every setting is one environment variable. A list is written with commas. `dev` keeps keys and the addresses of its
servers in the data dir, where other commands on the same machine find them; a variable always wins.

This page is made by `make docs` from `infra/settings.py`; a test holds the two equal.

| Variable | Default | Unit | What it does |
|---|---|---|---|
"""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--markdown", is_flag=True, help="As the page docs/settings.md.")
def settings(as_json: bool, markdown: bool) -> None:
    """List all settings: value, where it is from, unit and meaning. Secrets are not shown."""
    if markdown:
        click.echo(settings_page(), nl=False)
        return
    rows = settings_rows(Settings.load())
    if as_json:
        click.echo(json.dumps({row["variable"]: row for row in rows}, indent=1, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['variable']}={row['value']}")
        click.echo(f"    {row['help']} [{row['unit']}; default {row['default'] or 'unset'}; from {row['source']}]")
    for variable in unknown_variables():
        click.echo(f"warning: {variable} is no setting", err=True)


def settings_rows(current: Settings) -> list[dict[str, str]]:
    """One row a setting, all of it text, secrets masked."""
    given, kept = environment_values(), data_dir_values(Path(current.data_dir))
    rows = []
    for item in dataclasses.fields(Settings):
        value = getattr(current, item.name)
        source = "variable" if item.name in given else "data dir" if item.name in kept else "default"
        rows.append(
            {
                "variable": PREFIX + item.name.upper(),
                "value": "(set)" if item.metadata["secret"] and value else _text(value),
                "default": _text(item.default),
                "unit": item.metadata["unit"],
                "source": source,
                "help": item.metadata["help"],
            }
        )
    return rows


def settings_page() -> str:
    lines = []
    for item in dataclasses.fields(Settings):
        default = _text(item.default)
        shown = f"`{default}`" if default else "unset"
        text = item.metadata["help"].replace("|", "\\|")
        lines.append(f"| `{PREFIX}{item.name.upper()}` | {shown} | {item.metadata['unit']} | {text} |\n")
    return PAGE_HEAD + "".join(lines)


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
