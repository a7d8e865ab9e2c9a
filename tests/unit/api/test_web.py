"""The shipped web client: as its sources are, kept by browsers for as long as it may be, able to run nothing else."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Response, get

from api.auth.authenticator import Authenticator, TrustedIssuer
from api.auth.jwks import FixedKey
from api.auth.token_keys import secret_key
from api.auth.tokens import ClaimRules
from api.http.edge import Edge, litestar_options
from api.web import FOLDER, WebClient, login_origins, policy
from infra.clock import ManualClock
from infra.ids import SeededIds
from infra.settings import Settings, SettingsError
from tests.support.asgi_client import Reply, send_request

ROOT = Path(__file__).parent.parent.parent.parent
WEB = ROOT / "web"
# What web/scripts/finish.ts counts as a source.
SOURCES = ("package.json", "package-lock.json", "vite.config.ts", "scripts/*", "src/**/*.*")
SCRIPT_GZIP_BYTES_MAX = 230_000


@get("/api/v1/state")
async def state() -> Response[bytes]:
    return Response(b"{}")


async def ask(target: str, method: str = "GET", **headers: str) -> Reply:
    clock = ManualClock()
    by = Authenticator([TrustedIssuer(FixedKey(secret_key("x")), ClaimRules())], clock)
    app = Litestar([state, *WebClient().routes()], openapi_config=None, **litestar_options())
    listed = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return await send_request(Edge(app, by, clock=clock, new_id=SeededIds()), method, target, headers=listed)


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FOLDER.joinpath("manifest.json").read_text())
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_shipped_files_were_built_from_these_sources() -> None:
    found = {path.relative_to(WEB).as_posix(): digest(path) for pattern in SOURCES for path in WEB.glob(pattern)}
    assert manifest()["sources"] == found, "web/ has changed: run `make web`"


def test_the_shipped_files_are_those_that_were_built() -> None:
    folder = Path(str(FOLDER))
    found = {path.relative_to(folder).as_posix(): digest(path) for path in folder.rglob("*") if path.is_file()}
    del found["manifest.json"]
    assert found == manifest()["files"]


def test_the_script_of_the_page_is_small() -> None:
    scripts = [path.read_bytes() for path in FOLDER.joinpath("assets").iterdir() if path.name.endswith(".js")]
    assert 0 < sum(len(gzip.compress(script, 9)) for script in scripts) <= SCRIPT_GZIP_BYTES_MAX


def test_no_boundary_of_the_shell_is_left_for_later() -> None:
    """React takes over what stands inside one after the rest, and may by then find another page there (error 418)."""
    page = FOLDER.joinpath("index.html").read_text()
    assert '<div class="shell">' in page
    assert "<!--$" not in page


def test_no_address_of_a_registry_stands_in_the_lock() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


@pytest.mark.parametrize("target", ["/", "/login", "/login?code=1&state=2&whatever=an-issuer-sends"])
async def test_the_page_is_revalidated_and_runs_only_its_own_scripts(target: str) -> None:
    reply = await ask(target)
    assert (reply.status, reply.header("content-type")) == (200, "text/html; charset=utf-8")
    assert reply.header("cache-control") == "no-cache"
    rules = reply.header("content-security-policy") or ""
    assert "default-src 'none'" in rules
    assert "unsafe" not in rules
    inline = re.findall(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", reply.body, re.DOTALL)
    assert len(inline) == rules.count("'sha256-") > 0
    again = await ask(target, if_none_match=reply.header("etag") or "")
    assert (again.status, again.body) == (304, b"")


async def test_the_page_names_only_files_that_are_there() -> None:
    page = (await ask("/")).body
    named = set(re.findall(rb'"(/assets/[^"]+)"', page))
    assert named
    for path in named:
        assert (await ask(path.decode())).status == 200


async def test_files_are_kept_for_a_year_and_sent_packed_to_whoever_takes_it() -> None:
    name = next(path.name for path in FOLDER.joinpath("assets").iterdir() if path.name.endswith(".js"))
    plain = await ask(f"/assets/{name}", accept_encoding="gzip;q=0, br")
    packed = await ask(f"/assets/{name}", accept_encoding="br, GZIP;q=0.5")
    assert plain.header("cache-control") == "public, max-age=31536000, immutable"
    assert plain.header("content-type") == "text/javascript; charset=utf-8"
    assert (plain.header("content-encoding"), packed.header("content-encoding")) == (None, "gzip")
    assert plain.header("vary") == packed.header("vary") == "accept-encoding"
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.parametrize("path", ["/assets/none-12345678.js", "/assets/manifest.json", "/assets/", "/index.html"])
async def test_nothing_else_is_to_be_had(path: str) -> None:
    reply = await ask(path)
    assert (reply.status, reply.header("content-type")) == (404, "application/problem+json")


@pytest.mark.parametrize(("path", "status"), [("/api/v1/state", 401), ("/api", 401), ("/metrics", 404), ("/any", 404)])
async def test_the_page_hides_no_other_address(path: str, status: int) -> None:
    assert (await ask(path)).status == status


async def test_the_page_can_only_be_read() -> None:
    refused = await ask("/", "POST")
    assert (refused.status, refused.header("allow")) == (405, "GET, HEAD, OPTIONS")
    head = await ask("/", "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_a_page_may_talk_to_the_issuer_that_logs_in_and_to_nobody_else() -> None:
    assert login_origins(Settings()) == ()
    settings = Settings(
        auth_mode="jwks",
        auth_jwks_url=("https://id.example/keys", "https://other.example/keys"),
        auth_issuer=("https://id.example/realm", "https://other.example"),
        auth_client_id="web",
        auth_login_origins=("https://token.example/",),
    )
    assert login_origins(settings) == ("https://id.example", "https://token.example")
    assert "connect-src 'self' https://id.example https://token.example;" in policy([], login_origins(settings))


def test_a_client_id_without_an_issuer_is_refused() -> None:
    with pytest.raises(SettingsError, match="AUTH_CLIENT_ID"):
        Settings(auth_client_id="web")
