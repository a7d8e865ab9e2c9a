"""Chunks of a running reply as bytes: sealed for one place, and gone with their key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.frames import TokenChunk
from infra.codec import CorruptEvent
from infra.tokens import decode_chunk, encode_chunk
from tests.support.histories import PlainKeys

KEY_ID = "5c0d1f2e-7a3b-4e4c-9d8f-0a1b2c3d4e5f"
USER, REPLY = "07/a-user", "m_1"


def chunk(**more: Any) -> TokenChunk:
    given: dict[str, Any] = {"attempt": 2, "first_index": 5, "last_index": 7, "offset": 12, "seen_version": 40}
    return TokenChunk(**{**given, **more})


@given(st.text(), st.none() | st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none()))
def test_a_chunk_comes_back_as_it_was(text: str, action: Any) -> None:
    keys = PlainKeys(USER)
    sealed = encode_chunk(USER, REPLY, chunk(text=text, action=action), KEY_ID, keys)
    assert decode_chunk(USER, REPLY, sealed, keys) == chunk(text=text, action=action)


def test_no_text_stands_in_clear() -> None:
    assert b"secret" not in encode_chunk(USER, REPLY, chunk(text="secret"), KEY_ID, PlainKeys(USER))


def test_with_its_conversation_deleted_a_chunk_is_gone() -> None:
    keys = PlainKeys(USER)
    sealed = encode_chunk(USER, REPLY, chunk(text="secret"), KEY_ID, keys)
    keys.destroy(KEY_ID)
    assert decode_chunk(USER, REPLY, sealed, keys) is None
    with pytest.raises(ValueError):
        encode_chunk(USER, REPLY, chunk(), KEY_ID, keys)


@pytest.mark.parametrize(
    ("user", "reply", "change"),
    [
        ("08/another", REPLY, lambda data: data),
        (USER, "m_2", lambda data: data),
        (USER, REPLY, lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:]),
        (USER, REPLY, lambda data: data[:24] + bytes([data[24] ^ 1]) + data[25:]),
        (USER, REPLY, lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        (USER, REPLY, lambda data: data[:30]),
        (USER, REPLY, lambda data: b"\x02" + data[1:]),
        (USER, REPLY, lambda data: b""),
    ],
)
def test_a_chunk_opens_at_its_own_place_only(user: str, reply: str, change: Any) -> None:
    keys = PlainKeys(USER)
    sealed = encode_chunk(USER, REPLY, chunk(text="hello"), KEY_ID, keys)
    with pytest.raises(CorruptEvent):
        decode_chunk(user, reply, change(sealed), keys)
