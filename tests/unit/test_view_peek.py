"""What views see of stored events: clear fields only, old schemas too, and no way past what cannot be read."""

from __future__ import annotations

import json
import random

import msgspec
import pytest

from domain.event_types import EVENTS
from infra import codec
from infra.codec import CorruptEvent, Upcaster
from projections import peek
from projections.peek import see
from tests.support.histories import History, random_history, resolved

USER = "07/00000000-0000-4000-8000-000000000000"


def test_a_seen_event_says_what_the_codec_says_without_any_key() -> None:
    history = random_history(USER, 700, random.Random(1))
    history.say().start().act()
    history.record(resolved(history)).erase()
    assert {row.name for row in history.rows} == set(EVENTS)
    for row, fact in zip(history.rows, history.facts, strict=True):
        seen = see(row.user_id, row.version, row.name, row.state)
        assert (seen.version, seen.at_ms, seen.end_version) == (fact.version, fact.meta.at_ms, fact.meta.end_version)
        for name in msgspec.structs.fields(type(seen.data)):
            mine, theirs = getattr(seen.data, name.encode_name), getattr(fact.event, name.encode_name)
            if isinstance(mine, msgspec.Struct):
                assert all(getattr(mine, part) == getattr(theirs, part) for part in mine.__struct_fields__)
            else:
                assert mine == theirs


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("Nonsense", b"{}"),
        ("TaskCreated", b"{"),
        ("TaskCreated", b'{"at_ms":1,"end_version":1,"schema":1,"data":{}}'),
        ("TaskCreated", b'{"at_ms":1,"end_version":1,"schema":99,"data":{"task_id":"t_1"}}'),
    ],
)
def test_what_cannot_be_read_is_corrupt(name: str, state: bytes) -> None:
    with pytest.raises(CorruptEvent):
        see(USER, 1, name, state)


def test_an_older_schema_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    row = History(USER).say().rows[-2]
    assert row.name == "MessageReceived"
    old = json.loads(row.state)
    old["schema"], old["data"]["talk_ref"] = 0, old["data"].pop("conversation_ref")

    def renamed(data: dict[str, object]) -> dict[str, object]:
        return {**data, "conversation_ref": data.pop("talk_ref")}

    monkeypatch.setitem(codec.UPCASTERS, ("MessageReceived", 0), Upcaster(data=renamed))
    seen = see(USER, 1, "MessageReceived", json.dumps(old).encode())
    assert seen.data == see(USER, 1, "MessageReceived", row.state).data


def test_views_read_only_fields_that_some_event_has() -> None:
    fields = {name for kind in EVENTS.values() for name in kind.cls.__dataclass_fields__}
    assert set(peek.READ) <= fields
