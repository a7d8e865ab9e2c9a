"""`microcos dev` as a user starts it: every role for real, each killed, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Running, none_left_with, python

READY_SECONDS = 30.0
BACK_SECONDS = 5.0
STOP_SECONDS = 10.0
SLOWNESS = 10.0  # of a busy machine; the promises are for an idle one
ANSWER_SECONDS = 60.0
# A view may take its time too, as long as an answer may.
PATIENT = {"MICROCOS_MIN_VERSION_WAIT_SECONDS": "50"}

pytestmark = pytest.mark.timeout(900)

ROLES = ("api", "relay", "projections", "worker-1", "worker-2")


class Home:
    def __init__(self, data_dir: Path) -> None:
        arguments = ("dev", "--port", "0", "--data-dir", str(data_dir), "--workers", "2")
        self.data_dir = data_dir
        self.dev = Running(python("-m", "cli.main", *arguments), environment=PATIENT)
        self.pids: dict[str, int] = {}
        waiting = {"nats", "postgres", *ROLES}
        while waiting:
            found = self.expect(r"^(\S+) +\| ready \(pid (\d+)", READY_SECONDS)
            self.pids[found[1]] = int(found[2])
            waiting.discard(found[1])
        self.url = self.expect(r"^url +\| (\S+)", READY_SECONDS)[1]
        self.token = self.expect(r"^token +\| (\S+)", READY_SECONDS)[1]
        self.code = self.expect(r"^log in +\| \S+/login#code=(\S+)", READY_SECONDS)[1]

    def expect(self, pattern: str, seconds: float) -> re.Match[str]:
        return self.dev.expect(pattern, seconds=seconds * SLOWNESS)

    def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(self.url + path, headers=headers, timeout=ANSWER_SECONDS)

    def until_ok(self) -> None:
        """Until nothing is wrong with any part. One that has just come up may still be on its way to the bus."""
        deadline = time.monotonic() + READY_SECONDS * SLOWNESS
        while (found := self.get("/health/ready").json()).get("status") != "ok":
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def stop(self) -> None:
        self.dev.signal(signal.SIGTERM)
        assert self.dev.wait(seconds=STOP_SECONDS * SLOWNESS) == 0
        assert none_left_with(str(self.data_dir))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dev")


@pytest.fixture(scope="module")
def home(data_dir: Path) -> Iterator[Home]:
    home = Home(data_dir)
    yield home
    home.dev.close()


def test_it_serves_who_has_its_token(home: Home) -> None:
    home.until_ok()
    assert home.get("/api/v1/state").status_code == 200
    assert httpx.get(home.url + "/api/v1/state", timeout=ANSWER_SECONDS).status_code == 401


def test_the_log_in_link_is_good_once(home: Home) -> None:
    with httpx.Client(base_url=home.url, timeout=ANSWER_SECONDS) as client:
        first = client.post("/auth/dev", json={"code": home.code})
        assert first.is_success
        state = client.get("/api/v1/state", headers={"Authorization": f"Bearer {first.json()['token']}"})
        assert state.json()["userId"] == home.get("/api/v1/state").json()["userId"]
        assert client.post("/auth/dev", json={"code": home.code}).status_code in (400, 401, 403, 404, 410)


def test_every_child_comes_back_after_a_kill(home: Home) -> None:
    for name, pid in home.pids.items():
        os.kill(pid, signal.SIGKILL)
        found = home.expect(rf"^{name} +\| ready \(pid (\d+)", BACK_SECONDS)
        assert int(found[1]) != pid
        home.pids[name] = int(found[1])
    assert home.get("/api/v1/state").status_code == 200


def test_state_survives_a_stop_and_the_loss_of_the_bus(home: Home, data_dir: Path) -> None:
    task = {"action": "create", "task": {"title": "water the plants"}}
    headers = {"Authorization": f"Bearer {home.token}", "Idempotency-Key": "plants"}
    made = httpx.post(home.url + "/api/v1/tasks", json=task, headers=headers, timeout=ANSWER_SECONDS)
    assert made.status_code == 201
    home.stop()
    shutil.rmtree(data_dir / "nats" / "jetstream")
    again = Home(data_dir)
    try:
        answer = again.get(f"/api/v1/state?min_version={made.json()['version']}")
        assert [task["title"] for task in answer.json()["tasks"]] == ["water the plants"]
    finally:
        again.stop()
        again.dev.close()
