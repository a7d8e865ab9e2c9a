"""The web client: files that were built from web/ and are shipped with this package, and how a browser may log in.

Owns what a page may load and run (its policy) and for how long a file is kept. Every address of the client is one that
is named here, so that it can hide no route of the API.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, asgi, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from api.http.answers import NOT_MODIFIED, BytesAnswer
from api.http.request import single_headers
from api.schemas.answers import AuthConfigOut
from api.services import NO_STORE, services_of
from domain.errors import NotFound
from infra.settings import Settings

PAGES = ("/", "/login")
FOLDER = files("api").joinpath("web_dist")
MEDIA_TYPES = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
# The build puts a hash of its content into the name of each of these.
IMMUTABLE = b"public, max-age=31536000, immutable"
PERMISSIONS = b"microphone=(self), camera=(), geolocation=(), payment=(), usb=()"
_ASSET_NAME = re.compile(r"[A-Za-z0-9_.-]+-[A-Za-z0-9_-]{8}\.(css|js|svg)")
_NOT_WANTED = re.compile(rb"q=0(?:\.0*)?")

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _File:
    media_type: bytes
    data: bytes
    packed: bytes

    def answer(self, scope: Any, *headers: tuple[bytes, bytes]) -> BytesAnswer:
        """The file, packed for whoever takes it packed."""
        sent: Headers = [(b"vary", b"accept-encoding"), *headers]
        packed = _takes_gzip(scope)
        if packed:
            sent.append((b"content-encoding", b"gzip"))
        return BytesAnswer(self.packed if packed else self.data, headers=sent, media_type=self.media_type)


class _Manifest(msgspec.Struct):
    """What web/scripts/finish.ts writes beside the files."""

    inlineScripts: list[str]


class WebClient:
    """The built files, in memory: there are few, and they change with the package only."""

    def __init__(self, folder: Traversable = FOLDER, *, login_origins: Sequence[str] = ()) -> None:
        """Raises `FileNotFoundError` where the package was made without them."""
        manifest = msgspec.json.decode(folder.joinpath("manifest.json").read_bytes(), type=_Manifest)
        self._page = _file(b"text/html; charset=utf-8", folder.joinpath("index.html").read_bytes())
        self._etag = b'"%s"' % sha256(self._page.data).hexdigest()[:32].encode()
        self._policy = policy(manifest.inlineScripts, login_origins).encode()
        self._assets = {
            path.name: _file(MEDIA_TYPES[path.name.rpartition(".")[2]], path.read_bytes())
            for path in folder.joinpath("assets").iterdir()
            if _ASSET_NAME.fullmatch(path.name)
        }

    def routes(self) -> list[ControllerRouterHandler]:
        @get("/assets/{name:str}", include_in_schema=False, sync_to_thread=False)
        def get_asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
            return self.asset(name, request.scope)

        # Raw ASGI: an issuer may send any query to the page that its user comes back to.
        @asgi(list(PAGES), copy_scope=False)
        async def get_page(scope: Scope, receive: Receive, send: Send) -> None:
            await self.page(scope).send(scope, receive, send)

        return [get_page, get_asset]

    def asset(self, name: str, scope: Any) -> BytesAnswer:
        found = self._assets.get(name)
        if found is None:
            raise NotFound("There is no such file. Load the page again.", code="asset_unknown")
        return found.answer(scope, (b"cache-control", IMMUTABLE))

    def page(self, scope: Any) -> BytesAnswer:
        headers: Headers = [
            (b"cache-control", b"no-cache"),
            (b"etag", self._etag),
            (b"content-security-policy", self._policy),
            (b"permissions-policy", PERMISSIONS),
        ]
        given, _ = single_headers(scope["headers"])
        if self._etag in given.get(b"if-none-match", b""):
            return BytesAnswer(b"", status_code=NOT_MODIFIED, headers=headers)
        return self._page.answer(scope, *headers)


def policy(inline_scripts: Sequence[str], login_origins: Sequence[str]) -> str:
    """What the page may do: run its own scripts and those inline ones, talk to this server and to its log-in."""
    scripts = " ".join(f"'{found}'" for found in inline_scripts)
    others = "".join(f" {origin}" for origin in login_origins)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {scripts}",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            f"connect-src 'self'{others}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def login_origins(settings: Settings) -> tuple[str, ...]:
    """Where the page has to ask for a token, besides here."""
    if not settings.auth_client_id:
        return ()
    parts = [urlsplit(url) for url in (*settings.auth_issuer[:1], *settings.auth_login_origins)]
    return tuple(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))


@get("/auth/config", operation_id="getAuthConfig", opt={"answer": AuthConfigOut}, tags=["auth"], sync_to_thread=False)
def auth_config(request: Request[Any, Any, Any]) -> Response[bytes]:
    """How a browser logs in here: by a development link, at an OpenID Connect issuer, or with a token it has."""
    settings = services_of(request).settings
    oidc = None
    if settings.auth_client_id:
        audience = next(iter(settings.auth_audience), None)
        oidc = {
            "issuer": settings.auth_issuer[0],
            "clientId": settings.auth_client_id,
            "scope": settings.auth_scope,
            "audience": None if audience == settings.auth_client_id else audience,
        }
    mode = "oidc" if oidc else "dev" if settings.auth_mode == "dev" else "token"
    body = msgspec.json.encode({"mode": mode, "oidc": oidc})
    return Response(body, media_type="application/json", headers=dict(NO_STORE))


def _file(media_type: bytes, data: bytes) -> _File:
    return _File(media_type, data, gzip.compress(data, 9, mtime=0))


def _takes_gzip(scope: Any) -> bool:
    given, _ = single_headers(scope["headers"])
    for coding in given.get(b"accept-encoding", b"").split(b","):
        name, _, weight = coding.partition(b";")
        if name.strip().lower() == b"gzip":
            return _NOT_WANTED.fullmatch(weight.strip()) is None
    return False
