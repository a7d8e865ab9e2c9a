"""Chunks of a running reply to bytes and back: what the token stream and the segments hold.

`version(1) | key id(16) | attempt(4) | first index(4) | nonce | AES-GCM of a MessagePack array`. What stands in clear
says which key opens it and at which place; `user\\nreply\\nattempt\\nfirst_index` is its associated data. No I/O.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from uuid import UUID

import msgspec

from domain.frames import TokenChunk
from domain.values import REDACTED, Json
from infra import codec

VERSION = 1
_HEAD = struct.Struct(">B16sII")
_encode = msgspec.msgpack.Encoder().encode


class _Body(msgspec.Struct, array_like=True, gc=False):
    last_index: int
    offset: int
    seen_version: int
    text: str
    action: dict[str, Json] | None = None
    progress: dict[str, str] | None = None


_decode = msgspec.msgpack.Decoder(_Body).decode


def encode_chunk(user_id: str, reply_id: str, chunk: TokenChunk, key_id: str, keys: codec.OpenedKeys) -> bytes:
    """Seal one chunk under the conversation's key. Raises `ValueError` when that key was destroyed."""
    action = None if chunk.action is None else dict(chunk.action)
    progress = None if chunk.progress is None else dict(chunk.progress)
    body = _encode(_Body(chunk.last_index, chunk.offset, chunk.seen_version, chunk.text, action, progress))
    place = f"{user_id}\n{reply_id}\n{chunk.attempt}\n{chunk.first_index}"
    head = _HEAD.pack(VERSION, bytes.fromhex(key_id.replace("-", "")), chunk.attempt, chunk.first_index)
    return head + codec.seal_entry(body, place, key_id, keys)


def decode_chunk(user_id: str, reply_id: str, data: bytes, keys: codec.OpenedKeys) -> TokenChunk | None:
    """What `encode_chunk` sealed; None once its conversation was deleted for good.

    Raises `infra.codec.UnknownKey` (load the keys again, once) or another `CorruptEvent`.
    """
    if len(data) < _HEAD.size or data[0] != VERSION:
        raise codec.CorruptEvent(f"a token chunk of {reply_id} is not of version {VERSION}")
    _, key, attempt, first_index = _HEAD.unpack_from(data)
    place = f"{user_id}\n{reply_id}\n{attempt}\n{first_index}"
    opened = codec.open_entry(data[_HEAD.size :], place, _key_id(key), keys)
    if opened is REDACTED:
        return None
    try:
        body = _decode(opened)
    except msgspec.DecodeError:
        # The decoder's own message could quote the text.
        raise codec.CorruptEvent(f"a token chunk of {reply_id} has another shape") from None
    return TokenChunk(
        attempt=attempt,
        first_index=first_index,
        last_index=body.last_index,
        offset=body.offset,
        seen_version=body.seen_version,
        text=body.text,
        action=body.action,
        progress=body.progress,
    )


@lru_cache(1_024)
def _key_id(key: bytes) -> str:
    """A reply's chunks all name one key."""
    return str(UUID(bytes=key))
