"""Development tokens, signed with the key that the data dir keeps. They exist in auth mode `dev` only."""

from __future__ import annotations

import jwt

from domain.ports import Clock
from infra.settings import Settings, SettingsError


def make_token(settings: Settings, clock: Clock, user_sub: str, lifetime_seconds: int | None = None) -> str:
    """A token that the API of these settings accepts. Raises `SettingsError` outside of development."""
    if settings.auth_mode != "dev":
        raise SettingsError("MICROCOS_AUTH_MODE is not dev: tokens come from the issuer.")
    if not settings.auth_dev_secret:
        raise SettingsError(f"{settings.data_dir / 'keys'} holds no development key: start `microcos dev` first.")
    issued_at = clock.now_ms() // 1000
    lifetime = lifetime_seconds or settings.auth_lifetime_max_seconds
    claims: dict[str, str | int] = {"sub": user_sub, "iat": issued_at, "exp": issued_at + lifetime}
    if settings.auth_issuer:
        claims["iss"] = settings.auth_issuer[0]
    if settings.auth_audience:
        claims["aud"] = settings.auth_audience[0]
    return jwt.encode(claims, settings.auth_dev_secret, algorithm="HS256")
