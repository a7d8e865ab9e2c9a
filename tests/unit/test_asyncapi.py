"""docs/asyncapi.yaml and docs/subscribers.md say what is published: no more, no less."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from cli.asyncapi import document, page
from domain.event_types import EVENTS
from domain.ports import StoredEvent
from domain.values import Redacted
from infra import codec
from infra.nats.fact_stream import HEADERS, fact_message
from tests.support.processes import ROOT

DOCS = ROOT / "docs"
HISTORIES = sorted((ROOT / "tests" / "replay" / "histories").glob("*.json"))


def stored_events(history: Path) -> list[StoredEvent]:
    stream = json.loads(history.read_text())
    return [
        StoredEvent(number, stream["user_id"], number, event["name"], event["state"].encode())
        for number, event in enumerate(stream["events"], start=1)
    ]


def test_the_file_is_what_the_code_makes() -> None:
    assert (DOCS / "asyncapi.yaml").read_text() == page(), "run `make docs`"


def test_our_yaml_reads_back_as_the_document() -> None:
    assert yaml.safe_load(page()) == json.loads(json.dumps(document()))


def test_each_event_has_its_message_and_its_schema() -> None:
    components = document()["components"]
    assert set(components["messages"]) == set(EVENTS)
    assert set(EVENTS) <= set(components["schemas"])


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    for reference in references(whole):
        found: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for item in value.values() for found in references(item)]
    return [found for item in value for found in references(item)] if isinstance(value, list) else []


def test_nothing_that_is_sealed_is_described() -> None:
    """A schema of text that a user wrote would mean that it is published in clear."""
    sealed = {
        part.__name__
        for kind in EVENTS.values()
        for part in get_args(get_type_hints(kind.cls).get("content", None))
        if part is not Redacted
    }
    assert sealed
    assert not sealed & set(document()["components"]["schemas"])


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_a_stored_event_has_no_field_that_is_not_described(history: Path) -> None:
    schemas = document()["components"]["schemas"]
    for event in stored_events(history):
        state = json.loads(event.state)
        assert set(state) <= set(schemas["Event"]["properties"])
        assert set(state["data"]) <= set(schemas[event.name]["properties"]), event.name
        assert set(schemas[event.name].get("required", [])) <= set(state["data"]), event.name


@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)
def test_a_message_has_the_headers_that_are_described(history: Path) -> None:
    page_text = (DOCS / "subscribers.md").read_text()
    for event in stored_events(history):
        message = fact_message(event, codec.peek(event), log="0", generation="g")
        assert list(message.headers) == list(HEADERS)
        assert message.subject == f"evt.v1.{event.user_id}.{EVENTS[event.name].aggregate}.{event.name}"
    assert all(f"`{name}`" in page_text for name in HEADERS)


def test_each_clear_field_of_each_event_is_described() -> None:
    schemas = document()["components"]["schemas"]
    for name, kind in EVENTS.items():
        clear = {field.name for field in dataclasses.fields(kind.cls)} - {"content"}
        assert set(schemas[name].get("properties", {})) == clear
