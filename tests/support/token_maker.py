"""Makes tokens of every kind, good and hostile, byte by byte: libraries refuse to write the bad ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def assemble(header: bytes, payload: bytes, signer: Any) -> bytes:
    signed = encode(header) + b"." + encode(payload)
    return signed + b"." + encode(signer(signed))


def hs256(secret: str | bytes) -> Any:
    key = secret.encode() if isinstance(secret, str) else secret
    return lambda signed: hmac.new(key, signed, hashlib.sha256).digest()


def signer_of(key: Private) -> Any:
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign

    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


ALGORITHMS = {"RS256": "rsa", "ES256": "ec", "EdDSA": "ed25519"}


def private_key(kind: str, number: int = 0) -> Private:
    """One key for each kind and number, for the whole run: making an RSA key takes a while."""
    return _private_key(kind, number)


@cache
def _private_key(kind: str, number: int) -> Private:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "rsa-short":
        return rsa.generate_private_key(public_exponent=65537, key_size=1024)
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ec-384":
        return ec.generate_private_key(ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate()


def public_pem(key: Private) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def make(algorithm: str, claims: dict[str, Any], *, header: dict[str, Any] | None = None, number: int = 0) -> bytes:
    """A token signed by `private_key(…, number)`; an entry None of `header` leaves it out."""
    fields = {"typ": "JWT", "alg": algorithm, **(header or {})}
    fields = {name: value for name, value in fields.items() if value is not None}
    signer = signer_of(private_key(ALGORITHMS[algorithm], number))
    return assemble(json.dumps(fields).encode(), json.dumps(claims).encode(), signer)


def jwk_of(key: Private, key_id: str | None = None, **extra: Any) -> dict[str, Any]:
    public = key.public_key()
    jwk: dict[str, Any] = {"use": "sig", **({"kid": key_id} if key_id is not None else {})}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        jwk |= {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        point, size = public.public_numbers(), public.key_size // 8
        jwk |= {"kty": "EC", "crv": f"P-{public.key_size}", "x": _number(point.x, size), "y": _number(point.y, size)}
    else:
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        jwk |= {"kty": "OKP", "crv": "Ed25519", "x": encode(raw).decode()}
    return jwk | extra


def _number(value: int, size: int | None = None) -> str:
    return encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big")).decode()
