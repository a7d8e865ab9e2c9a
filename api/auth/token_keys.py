"""Keys that may verify tokens, each bound to the one algorithm that its type is for.

The algorithm never comes from a token. Must not fetch anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import Algorithm, ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

RSA_BITS_MIN: Final = 2048

_HS256 = HMACAlgorithm(HMACAlgorithm.SHA256)
_RS256 = RSAAlgorithm(RSAAlgorithm.SHA256)
_ES256 = ECAlgorithm(ECAlgorithm.SHA256, SECP256R1)
_EDDSA = OKPAlgorithm()
_JWK_READERS: dict[tuple[str, str | None], Algorithm] = {
    ("RSA", None): _RS256,
    ("EC", "P-256"): _ES256,
    ("OKP", "Ed25519"): _EDDSA,
}


class UnusableKey(ValueError):
    """A key that must not verify tokens here; the text says why and never holds key material."""


@dataclass(frozen=True, slots=True)
class Key:
    """`algorithm` is the JWA name that a token's header must carry for this key to be tried."""

    algorithm: str
    implementation: Algorithm
    material: Any

    def verifies(self, message: bytes, signature: bytes) -> bool:
        return bool(self.implementation.verify(message, self.material, signature))


def secret_key(secret: str) -> Key:
    """HS256, for development only: whoever can verify can also sign."""
    if not secret:
        raise UnusableKey("MICROCOS_AUTH_DEV_SECRET is empty.")
    return Key("HS256", _HS256, secret.encode())


def pem_key(pem: str) -> Key:
    """A public key or a certificate in PEM. RSA gives RS256, P-256 ES256, Ed25519 EdDSA."""
    data = pem.encode()
    try:
        if b"BEGIN CERTIFICATE" in data:
            return _public_key(load_pem_x509_certificate(data).public_key())
        return _public_key(load_pem_public_key(data))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if isinstance(error, UnusableKey):
            raise
        raise UnusableKey("MICROCOS_AUTH_PEM is not a public key or a certificate in PEM.") from None


def jwk_key(jwk: Mapping[str, object]) -> Key:
    """A public key of a key set; symmetric ones, those for encryption and unknown types are unusable."""
    if jwk.get("use", "sig") != "sig":
        raise UnusableKey("The key is not for signatures.")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKey("The key is not for verifying.")
    kind, curve = jwk.get("kty"), jwk.get("crv")
    reader = _JWK_READERS.get((str(kind), None if curve is None else str(curve)))
    if reader is None:
        raise UnusableKey("The key is of a type that is not accepted.")
    try:
        key = _public_key(reader.from_jwk(dict(jwk)))
    except (PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        if isinstance(error, UnusableKey):
            raise
        raise UnusableKey("The key can't be read.") from None
    if jwk.get("alg", key.algorithm) != key.algorithm:
        raise UnusableKey("The key is for an algorithm that is not accepted.")
    return key


def _public_key(material: object) -> Key:
    if isinstance(material, RSAPublicKey):
        if material.key_size < RSA_BITS_MIN:
            raise UnusableKey(f"RSA keys need {RSA_BITS_MIN} bits.")
        return Key("RS256", _RS256, material)
    if isinstance(material, EllipticCurvePublicKey) and isinstance(material.curve, SECP256R1):
        return Key("ES256", _ES256, material)
    if isinstance(material, Ed25519PublicKey):
        return Key("EdDSA", _EDDSA, material)
    raise UnusableKey("Only public RSA, P-256 and Ed25519 keys are accepted.")
