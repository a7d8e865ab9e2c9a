"""Recordings that are not taken: each is refused at once, and leaves nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.events import VoiceJobStarted
from infra.audio_store import AudioStore
from tests.support.api_world import ApiWorld
from tests.support.fake_speech import spoken
from tests.support.sounds import noise, wav
from tests.support.voice_routes import job_of, upload
from tests.support.voices import form
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio

BAD_SOUNDS: list[tuple[str, bytes | None, int, str]] = [
    ("nothing at all", b"", 400, "empty_audio"),
    ("no file", None, 400, "file_missing"),
    ("an executable", b"\x7fELF" + bytes(100), 415, "unsupported_audio"),
    ("a page", b"<!doctype html><script>alert(1)</script>", 415, "unsupported_audio"),
    ("an archive", b"PK\x03\x04" + bytes(100), 415, "unsupported_audio"),
    ("a picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_audio"),
    ("a header that claims 4 GB", wav(noise(0.1))[:4] + b"\xff" * 4 + wav(noise(0.1))[8:], 400, "malformed_audio"),
    ("eleven minutes", wav(bytes(2 * 8_000 * 661), rate=8_000), 400, "audio_too_long"),
    ("one byte too many", bytes(26_214_401), 413, "audio_too_large"),
]


@pytest.mark.parametrize(
    ("sound", "status", "code"), [case[1:] for case in BAD_SOUNDS], ids=[case[0] for case in BAD_SOUNDS]
)
async def test_what_is_no_audio_is_refused_and_leaves_nothing(
    world: ApiWorld, store: AudioStore, sound: bytes | None, status: int, code: str
) -> None:
    user, before = world.user(), set(store.job_ids())
    answer = await upload(user, sound)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(store.job_ids()) <= before
    assert await user.head() == 0


GOOD, KIND = form(spoken("Hello"))
BAD_BODIES: list[tuple[str, bytes, str, int]] = [
    ("no boundary", GOOD, "multipart/form-data", 400),
    ("another boundary", GOOD, "multipart/form-data; boundary=other", 400),
    ("cut off", GOOD[:-20], KIND, 400),
    ("3,000 parts", form(None, **{f"p{n}": "x" for n in range(3_000)})[0], KIND, 400),
    ("a part that nobody knows", form(spoken("Hello"), colour="red")[0], KIND, 400),
    ("a long field", form(spoken("Hello"), language="e" * 2_000)[0], KIND, 400),
    ("a bad language", form(spoken("Hello"), language="not a language")[0], KIND, 400),
    ("a bad flag", form(spoken("Hello"), speak="maybe")[0], KIND, 400),
    ("two files", form(spoken("Hello"))[0][: -len(b"--bOuNdArY--\r\n")] + GOOD, KIND, 400),
    ("another user", form(spoken("Hello"), userId="somebody-else")[0], KIND, 403),
    ("an unknown session", form(spoken("Hello"), sessionId="s_x")[0], KIND, 404),
    ("raw audio", spoken("Hello"), "audio/mpeg", 415),
]


@pytest.mark.parametrize(
    ("body", "kind", "status"), [case[1:] for case in BAD_BODIES], ids=[case[0] for case in BAD_BODIES]
)
async def test_a_body_that_makes_no_sense_is_refused_and_leaves_nothing(
    world: ApiWorld, store: AudioStore, body: bytes, kind: str, status: int
) -> None:
    user, before = world.user(), set(store.job_ids())
    answer = await user.send("POST", "/voice-upload", content=body, content_type=kind)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(store.job_ids()) <= before


@pytest.mark.parametrize("name", ["../../etc/x", "a\0b", "n" * 3_000, "C:\\x.mp3"])
async def test_a_files_name_means_nothing(world: ApiWorld, store: AudioStore, name: str) -> None:
    user = world.user()
    body, kind = form(spoken("Hello"), name=name)
    answer = await user.send("POST", "/voice-upload", content=body, content_type=kind)
    assert (await job_of(user, answer))["status"] == "completed"


async def test_an_upload_that_is_cut_off_leaves_no_file(world: ApiWorld, store: AudioStore) -> None:
    user, before = world.user(), set(store.job_ids())
    body, kind = form(spoken("Hello"))
    _, writer = await asyncio.open_connection("127.0.0.1", world.servers[0].port)
    head = f"POST /api/v1/voice-upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.token}\r\n"
    writer.write(f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:-30])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    # What comes behind it on another connection is taken: the place of the cut one is free again.
    for _ in range(3):
        assert (await job_of(user, await upload(user, spoken("Hello"))))["status"] == "completed"
    await eventually_true(lambda: asyncio.to_thread(lambda: set(store.job_ids()) <= before), "all files to be gone")
    assert sum(isinstance(fact.event, VoiceJobStarted) for fact in await user.facts()) == 3


BAD_ADDRESSES = [
    *("http://127.0.0.1/a.mp3", "https://127.0.0.1/a.mp3", "https://[::1]/a.mp3", "https://[::ffff:10.0.0.1]/a.mp3"),
    *("https://169.254.169.254/latest/meta-data", "https://10.1.2.3/", "file:///etc/passwd", "ftp://files.example/a"),
    *("https://user:pass@files.example/a.mp3", "https://2130706433/", "https://0177.0.0.1/", "https://0x7f.1/"),
    *("https://files.example:22/a.mp3", "https://localhost/a.mp3", "https://x.internal/", "", "nonsense", "https://"),
]


@pytest.mark.parametrize("url", BAD_ADDRESSES)
async def test_an_address_that_is_not_of_the_internet_is_refused_at_once(world: ApiWorld, url: str) -> None:
    user = world.user()
    answer = await user.post("/voice-upload", {"url": url})
    assert answer.status_code == 400
    assert answer.json()["code"] in ("bad_url", "forbidden_address")
    assert await user.head() == 0


@pytest.mark.parametrize(
    "body", [{}, {"url": 7}, {"url": "https://files.example/a", "file": "x"}, {"url": "https://" + "x" * 3_000}]
)
async def test_json_that_makes_no_sense_is_refused(world: ApiWorld, body: dict[str, Any]) -> None:
    assert (await world.user().post("/voice-upload", body)).status_code == 400
