"""Facts to stored events and back: every kind, every value, every way to tamper."""

from __future__ import annotations

import base64
import dataclasses
import json
import typing
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from domain import events, values
from domain.event_types import EVENTS, EventType
from domain.events import Fact, MessageReceived, MessageText, Meta, SessionOpened, TaskCreated
from domain.ports import StoredEvent
from domain.values import REDACTED, Redacted, Task
from infra import codec
from infra.codec import CorruptEvent, UnknownKey, Upcaster

USER = "07/7a1c1f5e-3f07-4a36-b7cb-7a2f0f6f4d55"


class Keys:
    """Two live keys, one tombstone."""

    user_key_id = "user"
    reference_key = b"r" * 32

    def __init__(self) -> None:
        self._ciphers: dict[str, AESGCM | None] = {
            "user": AESGCM(b"u" * 32),
            "conversation": AESGCM(b"c" * 32),
            "gone": None,
        }
        self._count = 0

    def cipher(self, key_id: str) -> AESGCM | None:
        if key_id not in self._ciphers:
            raise UnknownKey(USER, key_id)
        return self._ciphers[key_id]

    def nonce(self) -> bytes:
        self._count += 1
        return self._count.to_bytes(12)

    def destroy(self, key_id: str) -> None:
        self._ciphers[key_id] = None


META = Meta(
    event_id="e1",
    command_id="c1",
    causation_id="x1",
    correlation_id="r1",
    origin="user",
    at_ms=1_750_000_000_000,
    end_version=9,
    key_id="conversation",
)


def a_fact(event: Any, version: int = 7, meta: Meta = META) -> Fact:
    return Fact(version=version, event=event, meta=meta)


def stored(fact: Fact, keys: Keys, user_id: str = USER) -> StoredEvent:
    new = codec.seal(fact, user_id, keys)
    return StoredEvent(1, user_id, fact.version, new.name, new.state)


def rewritten(row: StoredEvent, **changes: Any) -> StoredEvent:
    state = {**json.loads(row.state), **changes}
    return dataclasses.replace(row, state=json.dumps(state).encode())


MESSAGE = MessageReceived(
    message_id="m1",
    conversation_ref="c_1",
    session_id=None,
    channel="chat",
    note_versions=(3, 4),
    content=MessageText(conversation_id="main", text="Call John, sécrètement", context_ids=("n1",)),
)

# --- every kind -----------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type as `domain/` writes it."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is values.Json or hint == values.Json:
        return JSON
    if hint in (str, int, bool, float, type(None)):
        kinds: dict[Any, st.SearchStrategy[Any]] = {
            str: TEXT,
            int: st.integers(-(2**63), 2**63 - 1),
            bool: st.booleans(),
            float: st.floats(allow_nan=False, allow_infinity=False),
            type(None): st.none(),
        }
        return kinds[hint]
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(any_of(parts[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(TEXT, any_of(parts[1]), max_size=3)
    if parts:
        return st.one_of([any_of(part) for part in parts if part is not Redacted])
    return any_instance(hint)


def any_instance(cls: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{field.name: any_of(hints[field.name]) for field in dataclasses.fields(cls)})


ANY_EVENT = st.sampled_from(sorted(EVENTS)).flatmap(lambda name: any_instance(EVENTS[name].cls))


@given(event=ANY_EVENT, version=st.integers(1, 2**63 - 1))
def test_every_event_comes_back_as_it_was(event: events.BrainEvent, version: int) -> None:
    keys = Keys()
    fact = a_fact(event, version)
    again = codec.open(stored(fact, keys), keys)
    assert again.version == version
    assert types_of(again.event) == types_of(event)
    assert again.event == event
    has_content = hasattr(event, "content")
    assert again.meta == (META if has_content else dataclasses.replace(META, key_id=None))


def types_of(value: Any) -> Any:
    """1 equals 1.0 and (1,) does not equal [1]: compare what equality does not."""
    if dataclasses.is_dataclass(value):
        return (type(value), [types_of(getattr(value, field.name)) for field in dataclasses.fields(value)])
    if isinstance(value, Mapping):
        return {key: types_of(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return (type(value), [types_of(inner) for inner in value])
    return type(value)


@given(event=ANY_EVENT)
def test_what_is_clear_is_read_without_a_key(event: events.BrainEvent) -> None:
    row = stored(a_fact(event), Keys())
    clear = codec.peek(row)
    for field in dataclasses.fields(event):
        if field.name != "content":
            assert getattr(clear.data, field.name) == getattr(event, field.name)
    assert (clear.event_id, clear.at_ms, clear.end_version) == ("e1", META.at_ms, 9)
    assert (clear.sealed is None) == (not hasattr(event, "content"))


# --- the stored form ------------------------------------------------------------------------------------------


def test_the_stored_form_is_json_with_only_its_text_sealed() -> None:
    row = stored(a_fact(MESSAGE), Keys())
    state = json.loads(row.state)
    sealed = base64.b64decode(state.pop("sealed"))
    assert state == {
        "event_id": "e1",
        "command_id": "c1",
        "causation_id": "x1",
        "correlation_id": "r1",
        "origin": "user",
        "at_ms": 1_750_000_000_000,
        "end_version": 9,
        "schema": 1,
        "key_id": "conversation",
        "data": {
            "message_id": "m1",
            "conversation_ref": "c_1",
            "session_id": None,
            "channel": "chat",
            "speak": False,
            "note_versions": [3, 4],
        },
    }
    plain = AESGCM(b"c" * 32).decrypt(sealed[:12], sealed[12:], f"{USER}\nMessageReceived\n7".encode())
    assert json.loads(plain)["text"] == "Call John, sécrètement"
    for canary in (b"John", "sécrètement".encode(), b"n1", b"main"):
        assert canary not in row.state


def test_without_a_named_key_the_users_own_seals() -> None:
    keys = Keys()
    row = stored(a_fact(MESSAGE, meta=dataclasses.replace(META, key_id=None)), keys)
    assert codec.peek(row).key_id == "user"
    assert codec.open(row, keys).event == MESSAGE


def test_an_event_without_content_names_no_key() -> None:
    row = stored(a_fact(SessionOpened(session_id="s")), Keys())
    state = json.loads(row.state)
    assert (state["key_id"], state["sealed"]) == (None, None)


# --- destroyed and missing keys -------------------------------------------------------------------------------


def test_only_a_destroyed_key_redacts_and_the_clear_part_stays() -> None:
    keys = Keys()
    row = stored(a_fact(MESSAGE), keys)
    keys.destroy("conversation")
    assert codec.open(row, keys).event == dataclasses.replace(MESSAGE, content=REDACTED)


def test_nothing_is_sealed_under_a_destroyed_key() -> None:
    keys = Keys()
    gone = dataclasses.replace(META, key_id="gone")
    with pytest.raises(ValueError, match="destroyed"):
        codec.seal(a_fact(MESSAGE, meta=gone), USER, keys)
    redacted = a_fact(dataclasses.replace(MESSAGE, content=REDACTED), meta=gone)
    assert codec.open(stored(redacted, keys), keys) == redacted


def test_an_unknown_key_stops_the_reader() -> None:
    keys = Keys()
    row = rewritten(stored(a_fact(MESSAGE), keys), key_id="other")
    with pytest.raises(UnknownKey) as raised:
        codec.open(row, keys)
    assert (raised.value.user_id, raised.value.key_id) == (USER, "other")


# --- tampering ------------------------------------------------------------------------------------------------


def damaged_seal(row: StoredEvent) -> str:
    sealed = bytearray(base64.b64decode(json.loads(row.state)["sealed"]))
    sealed[20] ^= 1
    return base64.b64encode(sealed).decode()


@pytest.mark.parametrize(
    "tamper",
    [
        lambda row: rewritten(row, sealed=damaged_seal(row)),
        lambda row: rewritten(row, sealed=base64.b64encode(b"short").decode()),
        lambda row: rewritten(row, sealed=None),
        lambda row: rewritten(row, key_id=None),
        lambda row: rewritten(row, key_id="user"),
        lambda row: rewritten(row, schema=2),
        lambda row: rewritten(row, schema=0),
        lambda row: rewritten(row, data={}),
        lambda row: rewritten(row, data={**json.loads(row.state)["data"], "channel": "smoke"}),
        lambda row: rewritten(row, at_ms="noon"),
        lambda row: dataclasses.replace(row, version=8),
        lambda row: dataclasses.replace(row, user_id="08/other"),
        lambda row: dataclasses.replace(row, name="MessageSent"),
        lambda row: dataclasses.replace(row, name="ReplyRequested"),
        lambda row: dataclasses.replace(row, state=b"not json"),
        lambda row: dataclasses.replace(row, state=b""),
    ],
)
def test_whatever_is_not_as_we_wrote_it_stops_the_reader(tamper: Any) -> None:
    keys = Keys()
    with pytest.raises(CorruptEvent) as raised:
        codec.open(tamper(stored(a_fact(MESSAGE), keys)), keys)
    assert "John" not in str(raised.value)


def test_content_of_another_shape_is_not_quoted_in_the_error() -> None:
    keys = Keys()
    row = stored(a_fact(TaskCreated(task_id="t", created_from=None, content=Task(title="Call"))), keys)
    sealed = codec.seal_entry(b'{"text":"John"}', f"{USER}\nTaskCreated\n7", "user", keys)
    with pytest.raises(CorruptEvent, match="another shape") as raised:
        codec.open(rewritten(row, key_id="user", sealed=base64.b64encode(sealed).decode()), keys)
    assert "John" not in str(raised.value)


# --- old schemas ----------------------------------------------------------------------------------------------


def test_an_old_schema_is_brought_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys()
    event = TaskCreated(task_id="t", created_from="m", content=Task(title="Call"))
    row = stored(a_fact(event), keys)
    data = {"id": "t", "from": "m"}
    content = json.dumps({"name": "Call"}).encode()
    sealed = codec.seal_entry(content, f"{USER}\nTaskCreated\n7", "user", keys)
    old = rewritten(row, schema=1, data=data, key_id="user", sealed=base64.b64encode(sealed).decode())

    newest = EventType(cls=TaskCreated, aggregate="task", schema=3)
    monkeypatch.setitem(codec._KINDS, "TaskCreated", codec._Kind("TaskCreated", newest))
    with pytest.raises(CorruptEvent, match="no upcaster"):
        codec.peek(old)
    monkeypatch.setitem(
        codec.UPCASTERS,
        ("TaskCreated", 1),
        Upcaster(
            data=lambda old: {"task_id": old["id"], "from": old["from"]}, content=lambda old: {"head": old["name"]}
        ),
    )
    monkeypatch.setitem(
        codec.UPCASTERS,
        ("TaskCreated", 2),
        Upcaster(data=lambda old: {"task_id": old["task_id"], "created_from": old["from"]}),
    )
    assert codec.peek(old).data.created_from == "m"
    with pytest.raises(CorruptEvent, match="another shape"):
        codec.open(old, keys)
    step = Upcaster(
        data=codec.UPCASTERS["TaskCreated", 2].data, content=lambda old: {"title": old["head"], "status": "open"}
    )
    monkeypatch.setitem(codec.UPCASTERS, ("TaskCreated", 2), step)
    assert codec.open(old, keys).event == event
    assert json.loads(stored(a_fact(event), keys).state)["schema"] == 3


# --- entries and refs -----------------------------------------------------------------------------------------


def test_an_entry_opens_in_its_own_place_only() -> None:
    keys = Keys()
    sealed = codec.seal_entry(b"token", "reply\n1\n5", "user", keys)
    assert codec.open_entry(sealed, b"reply\n1\n5", "user", keys) == b"token"
    assert sealed != codec.seal_entry(b"token", "reply\n1\n5", "user", keys)
    for place, key_id in (("reply\n1\n6", "user"), ("reply\n1\n5", "conversation")):
        with pytest.raises(CorruptEvent):
            codec.open_entry(sealed, place, key_id, keys)
    keys.destroy("user")
    assert codec.open_entry(sealed, "reply\n1\n5", "user", keys) is REDACTED
    with pytest.raises(ValueError, match="destroyed"):
        codec.seal_entry(b"token", "", "user", keys)


def test_a_ref_stands_for_one_text_of_one_kind_of_one_user() -> None:
    keys, others = Keys(), Keys()
    others.reference_key = b"o" * 32
    work = codec.ref("conversation", "work", keys)
    assert work == codec.ref("conversation", "work", keys)
    assert work[:2] == "c_"
    assert len(work) == 34
    different = {
        work,
        codec.ref("conversation", "Work", keys),
        codec.ref("note", "work", keys),
        codec.ref("conversation", "work", others),
    }
    assert len(different) == 4
