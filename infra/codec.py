"""Facts to stored events and back. Owns the JSON of the log, the sealing of text, and the reading of old schemas.

A stored `state` is UTF-8 JSON in clear but for `sealed`: nonce(12) | AES-256-GCM of the content's JSON, base64, with
`user_id\\nname\\nversion` as associated data, so that no text can be moved to another user, kind or place. Only a key
that was destroyed on purpose gives `REDACTED`; whatever else cannot be opened raises `CorruptEvent`, and the reader
stops. Does no I/O: keys come in opened (infra/keys/keyring.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from operator import attrgetter
from typing import Any, Protocol, cast, get_args, get_type_hints

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.event_types import EVENT_NAMES, EVENTS, EventType
from domain.events import Fact, Meta
from domain.ports import NewEvent, StoredEvent
from domain.values import REDACTED, Json, Origin, Redacted

NONCE_BYTES = 12
TAG_BYTES = 16
REF_HEX_DIGITS = 32  # 128 bits: no two ids of one user meet


class CorruptEvent(Exception):
    """Something stored is not what we wrote: an unknown name or schema, bad JSON, a failed tag. Stop reading."""


class UnknownKey(CorruptEvent):
    """No such key among those that were loaded: load the user's keys again, once."""

    def __init__(self, user_id: str, key_id: str) -> None:
        super().__init__(f"user {user_id} has no key {key_id}")
        self.user_id = user_id
        self.key_id = key_id


class OpenedKeys(Protocol):
    """The keys of one user as the codec needs them; `infra.keys.keyring.UserKeys` is one."""

    @property
    def user_key_id(self) -> str: ...

    @property
    def reference_key(self) -> bytes: ...

    def cipher(self, key_id: str) -> AESGCM | None:
        """None when the key was destroyed. Raises `UnknownKey`."""
        ...

    def nonce(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Upcaster:
    """From one schema version to the next, each part as plain JSON objects; the parts are never seen together."""

    data: Callable[[dict[str, Json]], dict[str, Json]] = lambda data: data
    content: Callable[[dict[str, Json]], dict[str, Json]] = lambda content: content


# (event name, schema version that it reads) → how to make the next one of it.
UPCASTERS: dict[tuple[str, int], Upcaster] = {}


class Clear(msgspec.Struct, frozen=True, gc=False):
    """What can be read without a key: `data` has the event's own fields, `sealed` its content's ciphertext."""

    event_id: str
    command_id: str
    causation_id: str
    correlation_id: str
    origin: Origin
    at_ms: int
    end_version: int
    schema: int
    data: Any
    key_id: str | None = None
    sealed: bytes | None = None

    def meta(self) -> Meta:
        return Meta(
            event_id=self.event_id,
            command_id=self.command_id,
            causation_id=self.causation_id,
            correlation_id=self.correlation_id,
            origin=self.origin,
            at_ms=self.at_ms,
            end_version=self.end_version,
            key_id=self.key_id,
        )


class _Kind:
    """How one kind of event is encoded and decoded, worked out once at import."""

    __slots__ = ("clear_type", "content", "content_type", "data", "decoder", "event", "name", "values")

    def __init__(self, name: str, event: EventType) -> None:
        hints = get_type_hints(event.cls)
        content = [part for part in get_args(hints.pop("content", None)) if part is not Redacted]
        self.name = name
        self.event = event
        self.clear_type = _clear_struct(event, hints)
        self.values = _values_of(self.clear_type.__struct_fields__)
        self.data = msgspec.json.Decoder(self.clear_type)
        envelope = msgspec.defstruct(f"{name}Envelope", [("data", self.clear_type)], bases=(Clear,), frozen=True)
        self.decoder: msgspec.json.Decoder[Clear] = msgspec.json.Decoder(envelope)
        self.content_type: Any = content[0] if content else None
        self.content = msgspec.json.Decoder(self.content_type) if content else None


def _clear_struct(event: EventType, hints: Mapping[str, Any]) -> type[msgspec.Struct]:
    """The event's own fields; those that have a default come last, so that values can be passed by position."""
    required: list[Any] = []
    optional: list[Any] = []
    for f in fields(event.cls):
        if f.name == "content":
            continue
        if f.default is not MISSING:
            optional.append((f.name, hints[f.name], msgspec.field(default=f.default)))
        elif f.default_factory is not MISSING:
            optional.append((f.name, hints[f.name], msgspec.field(default_factory=f.default_factory)))
        else:
            required.append((f.name, hints[f.name]))
    return msgspec.defstruct(f"{event.cls.__name__}Clear", required + optional, frozen=True)


def _values_of(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    if not names:
        return lambda event: ()
    if len(names) == 1:
        read = attrgetter(names[0])
        return lambda event: (read(event),)
    return cast(Callable[[object], tuple[Any, ...]], attrgetter(*names))


_KINDS: dict[str, _Kind] = {name: _Kind(name, event) for name, event in EVENTS.items()}
_ENCODER = msgspec.json.Encoder()


def seal(fact: Fact, user_id: str, keys: OpenedKeys) -> NewEvent:
    """Encode one fact, its content under the key that `meta.key_id` names, or else the user's.

    Raises `UnknownKey`, or `ValueError` when that key was destroyed and the content is not `REDACTED`.
    """
    event, meta = fact.event, fact.meta
    kind = _KINDS[EVENT_NAMES[type(event)]]
    key_id: str | None = None
    sealed: bytes | None = None
    if kind.content is not None:
        key_id = meta.key_id or keys.user_key_id
        content = event.content  # type: ignore[union-attr]
        if content is not REDACTED:
            sealed = _encrypt(_ENCODER.encode(content), _place(user_id, kind.name, fact.version), key_id, keys)
    clear = Clear(
        event_id=meta.event_id,
        command_id=meta.command_id,
        causation_id=meta.causation_id,
        correlation_id=meta.correlation_id,
        origin=meta.origin,
        at_ms=meta.at_ms,
        end_version=meta.end_version,
        schema=kind.event.schema,
        data=kind.clear_type(*kind.values(event)),
        key_id=key_id,
        sealed=sealed,
    )
    return NewEvent(kind.name, _ENCODER.encode(clear))


def open(stored: StoredEvent, keys: OpenedKeys) -> Fact:
    """Decode one stored event. Raises `CorruptEvent`, of which `UnknownKey` is worth one more try."""
    clear = peek(stored)
    kind = _KINDS[stored.name]
    given = msgspec.structs.asdict(clear.data)
    if kind.content is not None:
        given["content"] = _open_content(kind, stored, clear, keys)
    return Fact(version=stored.version, event=kind.event.cls(**given), meta=clear.meta())


def peek(stored: StoredEvent) -> Clear:
    """Decode what is clear, `data` with the event's own fields as attributes. Raises `CorruptEvent`."""
    kind = _kind(stored.name)
    try:
        clear = kind.decoder.decode(stored.state)
    except msgspec.DecodeError:
        return _peek_old(kind, stored)
    if clear.schema != kind.event.schema:
        return _peek_old(kind, stored)
    return clear


def seal_entry(data: bytes, aad: str | bytes, key_id: str, keys: OpenedKeys) -> bytes:
    """Seal bytes that are no event: token entries, segments, answers, snapshots. `aad` names their one place."""
    return _encrypt(data, _as_bytes(aad), key_id, keys)


def open_entry(sealed: bytes, aad: str | bytes, key_id: str, keys: OpenedKeys) -> bytes | Redacted:
    """What `seal_entry` sealed, or `REDACTED`. Raises `CorruptEvent`."""
    return _decrypt(sealed, _as_bytes(aad), key_id, keys)


def ref(kind: str, text: str, keys: OpenedKeys) -> str:
    """The keyed hash that stands for what a client chose: `ref("conversation", "main", keys)` is `c_` and 32 hex."""
    digest = hmac.digest(keys.reference_key, f"{kind}\n{text}".encode(), "sha256")
    return f"{kind[0]}_{digest.hex()[:REF_HEX_DIGITS]}"


def _kind(name: str) -> _Kind:
    kind = _KINDS.get(name)
    if kind is None:
        raise CorruptEvent(f"unknown event name {name!r}: this code is older than the log")
    return kind


def _peek_old(kind: _Kind, stored: StoredEvent) -> Clear:
    """The slow path: an older schema, or bytes that nobody here wrote."""
    where = f"{stored.name} at {stored.user_id} version {stored.version}"
    try:
        clear = msgspec.json.decode(stored.state, type=Clear)
        data = clear.data
        for upcaster in _upcasters(kind, clear.schema):
            data = upcaster.data(data)
        return msgspec.structs.replace(clear, data=msgspec.convert(data, kind.clear_type))
    except msgspec.DecodeError as error:
        raise CorruptEvent(f"{where} cannot be decoded: {error}") from None


def _upcasters(kind: _Kind, schema: int) -> list[Upcaster]:
    if schema > kind.event.schema:
        raise CorruptEvent(f"{kind.name} has schema {schema}: this code, at {kind.event.schema}, is older than the log")
    try:
        return [UPCASTERS[kind.name, step] for step in range(schema, kind.event.schema)]
    except KeyError as error:
        raise CorruptEvent(f"no upcaster for {error.args[0]}") from None


def _open_content(kind: _Kind, stored: StoredEvent, clear: Clear, keys: OpenedKeys) -> Any:
    user_id, version = stored.user_id, stored.version
    if clear.key_id is None:
        raise CorruptEvent(f"{kind.name} at {user_id} version {version} names no key")
    if clear.sealed is None:
        # It was written when its key was gone already; otherwise somebody cut the text out.
        if keys.cipher(clear.key_id) is None:
            return REDACTED
        raise CorruptEvent(f"{kind.name} at {user_id} version {version} has lost its sealed part")
    plain = _decrypt(clear.sealed, _place(user_id, kind.name, version), clear.key_id, keys)
    if plain is REDACTED:
        return REDACTED
    assert kind.content is not None
    try:
        if clear.schema == kind.event.schema:
            return kind.content.decode(plain)
        content = msgspec.json.decode(plain)
        for upcaster in _upcasters(kind, clear.schema):
            content = upcaster.content(content)
        return msgspec.convert(content, kind.content_type)
    except msgspec.DecodeError:
        # The decoder's own message could quote the text.
        raise CorruptEvent(f"content of {kind.name} at {user_id} version {version} has another shape") from None


def _as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _place(user_id: str, name: str, version: int) -> bytes:
    return f"{user_id}\n{name}\n{version}".encode()


def _encrypt(plain: bytes, aad: bytes, key_id: str, keys: OpenedKeys) -> bytes:
    cipher = keys.cipher(key_id)
    if cipher is None:
        raise ValueError(f"key {key_id} was destroyed: nothing can be sealed under it")
    nonce = keys.nonce()
    return nonce + cipher.encrypt(nonce, plain, aad)


def _decrypt(sealed: bytes, aad: bytes, key_id: str, keys: OpenedKeys) -> bytes | Redacted:
    cipher = keys.cipher(key_id)
    if cipher is None:
        return REDACTED
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise CorruptEvent(f"sealed part under key {key_id} is cut short")
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except InvalidTag:
        place = aad.decode().replace("\n", " ")
        raise CorruptEvent(f"sealed part of {place} does not open with key {key_id}") from None
