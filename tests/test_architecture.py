"""The structure, held by tests: who may import whom, how long a thing may be, what it may be called.

A failure here says what to do. The rules are in CONTRIBUTING.md and pyproject.toml.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = ("api", "cli", "commands", "domain", "infra", "migrations", "projections", "workers")
CHECKED = (*PRODUCT, "tests", "benchmarks")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "misc", "common", "base"}
TOP_LEVEL = {
    *CHECKED,
    "web",
    "docs",
    ".ci",
    "pyproject.toml",
    "alembic.ini",
    "Makefile",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    ".gitignore",
    "requirements.lock",
    "requirements-test.lock",
    "requirements-local-llm.lock",
    "requirements-voice.lock",
}


def tracked() -> list[Path]:
    """Files that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def python_files() -> Iterator[Path]:
    yield from (path for path in tracked() if path.suffix == ".py" and path.parts[0] in CHECKED)


def test_folders_depend_downwards_only() -> None:
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


def test_the_top_level_holds_nothing_that_the_design_does_not_name() -> None:
    assert {path.parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_file_is_too_long() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in python_files()}
    too_long = {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX}
    assert not too_long, f"over {FILE_LINES_MAX} lines: split them by what they own: {too_long}"


def test_no_function_is_too_long() -> None:
    too_long = {}
    for path in python_files():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    too_long[f"{path}:{node.name}"] = lines
    assert not too_long, f"over {FUNCTION_LINES_MAX} lines: name the steps and split: {too_long}"


def test_every_product_module_says_what_it_owns() -> None:
    silent = [
        str(path)
        for path in python_files()
        if path.parts[0] in PRODUCT
        and (ROOT / path).read_text().strip()
        and not ast.get_docstring(ast.parse((ROOT / path).read_text()))
    ]
    assert not silent, f"no module docstring: {silent}"


# A file, as prose names it, and what of it. Part of a name (`…_queries.py`) is none.
NAMED_FILE = re.compile(r"(?<![\w./…-])((?:\w+/)*\w+\.py)\b(?:: (?:\w+\.)?(\w+)`)?")


def test_what_prose_names_is_there() -> None:
    """Whoever moves or renames a file finds here where it is spoken of."""
    product = {str(path) for path in python_files() if path.parts[0] in (*PRODUCT, "benchmarks")}
    known = product | {str(path) for path in tracked() if path.suffix == ".py"}
    told = [path for path in tracked() if path.suffix == ".md"] + [Path(path) for path in sorted(product)]
    wrong = []
    for path in told:
        for name, part in NAMED_FILE.findall((ROOT / path).read_text()):
            found = [one for one in known if f"/{one}".endswith(f"/{name}")]
            # In its own folder's docstrings a file goes by its bare name; in docs, behind one that has the folder.
            if "/" not in name and path.suffix == ".py":
                found = [one for one in found if Path(one).parent == path.parent or len(Path(one).parts) == 1]
            definition = re.compile(rf"\b(def|class) {part}\b" if part else "")
            if not any(definition.search((ROOT / one).read_text()) for one in found):
                wrong.append(f"{path}: {name} {part}".strip())
    assert not wrong, f"these are not there, or elsewhere: {wrong}"


def test_no_name_says_nothing() -> None:
    empty_names = [str(path) for path in python_files() if path.stem.lower() in NAMES_THAT_SAY_NOTHING]
    assert not empty_names, f"name them after what they own: {empty_names}"


def test_the_project_speaks_of_itself_alone() -> None:
    """No machine's paths and no registry's addresses in what is committed."""
    forbidden = ("/wo" + "rk/", "pyp" + "i.org", "python" + "hosted", "registry.npm" + "js", "deb.deb" + "ian")
    found = []
    for path in tracked():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {word}" for word in forbidden if word in text]
    assert not found, found


@pytest.mark.parametrize("package", PRODUCT)
def test_each_package_is_typed_and_ships_its_marker(package: str) -> None:
    assert (ROOT / package / "py.typed").exists() or package == "migrations"
