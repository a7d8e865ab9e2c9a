"""The HTTP contract as it was last written down: whoever changes it must mean it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from api.app import describe_api
from cli.openapi import page

SNAPSHOT = Path(__file__).parents[2] / "snapshots" / "openapi.json"


@cache
def document() -> dict[str, Any]:
    return describe_api()


def operations() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            found[f"{method.upper()} {path}"] = operation
    return found


def test_the_contract_is_the_one_that_was_written_down() -> None:
    assert page() == SNAPSHOT.read_text(), "if the change is meant: make schemas"


def test_every_operation_says_what_it_takes_and_answers() -> None:
    for name, operation in operations().items():
        assert operation.get("summary") or operation.get("description"), name
        if "101" in operation["responses"] or "/stream/{" in name:
            continue
        good = [status for status in operation["responses"] if status.startswith("2")]
        assert good, name
        for status in good:
            (content,) = operation["responses"][status]["content"].values()
            assert content["schema"] != {"type": "object"}, f"{name} does not say what {status} holds"
        if name.split(" ")[1].startswith("/api/") and "internal" not in operation["tags"]:
            assert operation["security"] == [{"token": []}], name


def test_every_reference_leads_somewhere() -> None:
    known = document()["components"]["schemas"]
    named = set(re.findall(r"#/components/schemas/([A-Za-z0-9_.-]+)", json.dumps(document())))
    assert named <= set(known)
    assert set(known) - named <= {"EmptyBody"}


def test_every_route_of_the_specification_that_is_there_already_is_in_it() -> None:
    """The first description's own routes, by their names."""
    assert set(operations()) >= {
        *("POST /api/v1/message", "GET /api/v1/state", "POST /api/v1/tasks", "POST /api/v1/memory/pin"),
        *("GET /api/v1/stream/{session_id}", "POST /api/v1/complete-llm", "POST /api/v1/sessions", "GET /api/v1/usage"),
        *("POST /api/v1/message/{message_id}/stop", "POST /api/v1/message/{message_id}/regenerate"),
        *("POST /api/v1/notes", "PUT /api/v1/preferences/{key}", "PATCH /api/v1/conversations/{conversation_id}"),
        *("GET /health/live", "GET /health/ready", "GET /metrics", "POST /auth/dev", "GET /api/v1/realtime"),
    }
