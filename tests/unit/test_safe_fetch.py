"""Fetching what a user points at: from the public internet and from nowhere else, however the address is dressed up.

The server is on loopback, so `Network` lets its addresses pass for public; what is public is tested on its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from infra.safe_fetch import Address, Fetched, FetchError, SafeFetch, is_public
from tests.support.tls_server import TlsServer, answer, tls_server

pytestmark = pytest.mark.anyio

HOST = "files.example.com"
OTHER = "cdn.example.org"
LOOPBACK = "127.0.0.1"
NOBODY = "127.0.0.2"  # where nobody listens
INSIDE = "10.1.2.3"
SOUND = b"sound" * 1_000


class Network:
    """Who is where, as a resolver tells it: each name's answers, one after the other; the last one stays."""

    def __init__(self) -> None:
        self.names: dict[str, list[Sequence[str]]] = {HOST: [[LOOPBACK]], OTHER: [[LOOPBACK]]}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.names.get(host, [[]])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise OSError("unknown name")
        return found

    def allowed(self, address: Address) -> bool:
        return str(address) in (LOOPBACK, NOBODY) or is_public(address)

    def fetch_from(self, server: TlsServer, **options: float) -> SafeFetch:
        return SafeFetch(
            resolve=self.resolve,
            allowed=self.allowed,
            ports=frozenset({443, server.port}),
            ssl_context=server.client_context,
            **options,
        )


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TlsServer]:
    async with tls_server(tmp_path, HOST, OTHER) as running:
        running.answers["/a"] = answer(200, SOUND, content_type="audio/ogg; codecs=opus")
        yield running


async def refusal(fetch: SafeFetch, url: str, **options: int) -> str:
    with pytest.raises(FetchError) as caught:
        await asyncio.wait_for(fetch.fetch(url, **options), 30)
    assert caught.value.detail.endswith(".")
    assert INSIDE not in caught.value.detail
    return caught.value.code


# --- what may be fetched


async def test_a_public_file_is_fetched_by_its_name_over_the_address_that_was_checked(
    server: TlsServer, network: Network
) -> None:
    fetched = await network.fetch_from(server).fetch(f"https://{HOST}:{server.port}/a")
    assert fetched == Fetched(SOUND, "audio/ogg")
    assert network.asked == [HOST]
    [request] = server.requests
    assert f"host: {HOST}:{server.port}\r\n".encode() in request.lower()
    assert b"cookie" not in request.lower()
    assert b"authorization" not in request.lower()


async def test_a_certificate_for_another_name_is_not_accepted(server: TlsServer, network: Network) -> None:
    network.names["evil.example.net"] = [[LOOPBACK]]
    assert await refusal(network.fetch_from(server), f"https://evil.example.net:{server.port}/a") == "unreachable"
    assert server.requests == []


async def test_a_query_is_kept_and_a_fragment_is_not_sent(server: TlsServer, network: Network) -> None:
    server.answers["/a?X-Signature=a%2Fb&x="] = server.answers["/a"]
    url = f"https://{HOST}:{server.port}/a?X-Signature=a%2Fb&x=#secret"
    assert (await network.fetch_from(server).fetch(url)).data == SOUND
    assert b"secret" not in server.requests[0]


async def test_the_next_address_of_a_host_is_tried_when_the_first_does_not_answer(
    server: TlsServer, network: Network
) -> None:
    network.names[HOST] = [[NOBODY, LOOPBACK]]
    fetch = network.fetch_from(server)
    assert (await fetch.fetch(f"https://{HOST}:{server.port}/a")).data == SOUND
    network.names[HOST] = [[NOBODY]]
    assert await refusal(fetch, f"https://{HOST}:{server.port}/a") == "unreachable"


async def test_redirects_are_followed_three_times_and_no_more(server: TlsServer, network: Network) -> None:
    here, there = f"https://{HOST}:{server.port}", f"https://{OTHER}:{server.port}"
    server.answers["/1"] = answer(301, location=f"{there}/2")
    server.answers["/2"] = answer(307, location="/3")
    server.answers["/3"] = answer(303, location=f"{here}/a")
    server.answers["/0"] = answer(302, location="1")
    fetch = network.fetch_from(server)
    assert (await fetch.fetch(f"{here}/1")).data == SOUND
    assert network.asked == [HOST, OTHER, OTHER, HOST]
    assert await refusal(fetch, f"{here}/0") == "too_many_redirects"


# --- what may not


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not an address",
        "http://files.example.com/a",
        "file:///etc/passwd",
        "ftp://files.example.com/a",
        "gopher://files.example.com/a",
        "data:audio/wav;base64,AAAA",
        "//files.example.com/a",
        "https://",
        "https:///a",
        "https://user:secret@files.example.com/a",
        "https://user@files.example.com/a",
        "https://:@files.example.com/a",
        "https://@files.example.com/a",
        "https://files.example.com\\@127.0.0.1/a",
        "https:files.example.com",
        "https:/files.example.com/a",
        "https://files.example.com:22/a",
        "https://files.example.com:80/a",
        "https://files.example.com:0/a",
        "https://files.example.com:99999/a",
        "https://localhost/a",
        "https://LOCALHOST./a",
        "https://db.localhost/a",
        "https://metadata.google.internal/a",
        "https://printer.local/a",
        "https://2130706433/a",
        "https://0x7f000001/a",
        "https://0177.0.0.1/a",
        "https://127.1/a",
        "https://127.0.0.1.:22/a",
        "https://0x7f.1/a",
        "https://[fe80::1%25eth0]/a",
        "https://files.example.com/a\r\nHost: x",
        "https://files.example.com/\0",
        "https://ｆiles.example.com/a",
        "https://files.example.com/" + "a" * 2_100,
    ],
)
async def test_what_is_no_such_address_is_refused_before_anybody_is_asked(url: str, network: Network) -> None:
    fetch = SafeFetch(resolve=network.resolve)
    with pytest.raises(FetchError) as caught:
        fetch.check(url)
    assert caught.value.code == "bad_url"
    assert await refusal(fetch, url) == "bad_url"
    assert network.asked == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[fd00::1]", "[::]", "0.0.0.0"]
)
async def test_a_private_address_itself_is_forbidden_before_anybody_is_asked(host: str, network: Network) -> None:
    fetch = SafeFetch(resolve=network.resolve)
    with pytest.raises(FetchError) as caught:
        fetch.check(f"https://{host}/a")
    assert caught.value.code == "forbidden_address"
    assert network.asked == []


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "224.0.1.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1"),
        *(
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ),
        "2606:4700::1111%1",
    ],
)
def test_an_address_that_not_everybody_can_reach_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "found", [[INSIDE], [LOOPBACK, INSIDE], ["::ffff:10.1.2.3"], ["fe80::1%2"], ["64:ff9b::a01:203"]]
)
async def test_a_name_that_leads_inside_is_forbidden_and_nothing_is_connected(
    server: TlsServer, network: Network, found: list[str]
) -> None:
    network.names[HOST] = [found]
    assert await refusal(network.fetch_from(server), f"https://{HOST}:{server.port}/a") == "forbidden_address"
    assert server.connections == 0


async def test_a_name_is_resolved_once_so_a_second_answer_changes_nothing(server: TlsServer, network: Network) -> None:
    network.names[HOST] = [[LOOPBACK], [INSIDE]]
    assert (await network.fetch_from(server).fetch(f"https://{HOST}:{server.port}/a")).data == SOUND
    assert network.asked == [HOST]
    assert await refusal(network.fetch_from(server), f"https://{HOST}:{server.port}/a") == "forbidden_address"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        (f"https://{INSIDE}/a", "forbidden_address"),
        ("https://[::1]/a", "forbidden_address"),
        ("https://inside.example.com/a", "forbidden_address"),
        ("http://files.example.com/a", "bad_url"),
        ("file:///etc/passwd", "bad_url"),
        ("https://user:secret@files.example.com/a", "bad_url"),
        ("https://files.example.com:22/a", "bad_url"),
        ("//2130706433/a", "bad_url"),
        ("https://" + "a" * 3_000, "bad_url"),
    ],
)
async def test_a_redirect_is_judged_like_the_first_address(
    server: TlsServer, network: Network, location: str, code: str
) -> None:
    network.names["inside.example.com"] = [[INSIDE]]
    server.answers["/r"] = answer(302, location=location)
    assert await refusal(network.fetch_from(server), f"https://{HOST}:{server.port}/r") == code
    assert server.connections == 1


async def test_a_redirect_to_nowhere_goes_round_and_ends(server: TlsServer, network: Network) -> None:
    server.answers["/r"] = answer(302)
    assert await refusal(network.fetch_from(server), f"https://{HOST}:{server.port}/r") == "too_many_redirects"
    assert server.connections == 4


# --- what the answer may be


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answer(404, content_type="audio/wav"), "bad_status"),
        (answer(500), "bad_status"),
        (answer(206, b"x", content_type="audio/wav"), "bad_status"),
        (answer(200, b"x"), "not_audio"),
        (answer(200, b"x", content_type="text/html"), "not_audio"),
        (answer(200, b"x", content_type="application/json; x=audio/wav"), "not_audio"),
        (answer(200, b"x", content_type="audio/wav", content_encoding="gzip"), "not_audio"),
        (answer(200, b"x" * 101, content_type="audio/wav"), "too_large"),
        (answer(200, b"", content_type="audio/wav", content_length="1000000000000"), "too_large"),
        (answer(200, b"x", content_type="audio/wav", content_length="50"), "unreachable"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "unreachable"),
        (b"", "unreachable"),
    ],
)
async def test_an_answer_that_is_not_a_small_audio_file_is_refused(
    server: TlsServer, network: Network, reply: bytes, code: str
) -> None:
    server.answers["/b"] = reply
    url = f"https://{HOST}:{server.port}/b"
    assert await refusal(network.fetch_from(server), url, bytes_max=100) == code


async def test_a_file_of_exactly_the_bound_is_taken(server: TlsServer, network: Network) -> None:
    fetch = network.fetch_from(server)
    url = f"https://{HOST}:{server.port}/a"
    assert len((await fetch.fetch(url, bytes_max=len(SOUND))).data) == len(SOUND)
    assert await refusal(fetch, url, bytes_max=len(SOUND) - 1) == "too_large"


@pytest.mark.parametrize("options", [{"deadline_seconds": 0.3}, {"silence_seconds": 0.3}])
@pytest.mark.parametrize("reply", [b"", answer(200, b"x", content_type="audio/wav")])
async def test_an_answer_that_never_ends_is_left(
    server: TlsServer, network: Network, reply: bytes, options: dict[str, float]
) -> None:
    server.answers["/slow"] = reply
    server.hangs.add("/slow")
    assert await refusal(network.fetch_from(server, **options), f"https://{HOST}:{server.port}/slow") == "timeout"


async def test_a_name_that_nobody_knows_is_unreachable(network: Network) -> None:
    fetch = SafeFetch(resolve=network.resolve)
    assert await refusal(fetch, "https://unknown.example.com/a") == "unreachable"
