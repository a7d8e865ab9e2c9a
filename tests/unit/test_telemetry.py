"""Logs are JSON lines without a word of a user; metrics are made once."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra import telemetry
from infra.settings import Settings, SettingsError

CANARY = 'call John about the merger\r\n{"level": "forged"}'
log = telemetry.get_logger("tests.telemetry")


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.configure_logging(Settings(log_level="debug"), "test")
    yield
    telemetry.configure_logging(Settings(), "unset")
    root.handlers[:], root.level = handlers, level


def lines_of(captured: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    output = captured.readouterr()
    assert output.out == "", "stdout belongs to the commands"
    return [json.loads(line) for line in output.err.splitlines()]


def test_a_line_names_its_role_module_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    with telemetry.log_context(request_id="r-1", command_id="c-1", user_id="07/u", conversation_id="holiday"):
        log.info("command accepted", version=3)
    log.info("after")
    inside, after = lines_of(capsys)
    assert inside["event"] == "command accepted"
    assert inside["level"] == "info"
    assert (inside["role"], inside["module"], inside["version"]) == ("test", "tests.telemetry", 3)
    assert (inside["request_id"], inside["command_id"]) == ("r-1", "c-1")
    assert inside["user"] == telemetry.hashed("07/u")
    assert "holiday" not in json.dumps(inside), "a client chose that id; it can be a word"
    assert after.keys() == {"event", "level", "timestamp", "role", "module"}


def test_a_field_that_is_not_listed_is_dropped_and_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("message accepted", text=CANARY, bytes=12)
    (line,) = lines_of(capsys)
    assert "John" not in json.dumps(line)
    assert line["dropped_fields"] == ["text"]
    assert line["bytes"] == 12


def test_a_listed_field_holds_no_object_and_no_long_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("odd", reason="x" * 10_000, outcome={"text": CANARY})
    (line,) = lines_of(capsys)
    assert len(str(line["reason"])) == telemetry.TEXT_CHARACTERS_MAX
    assert line["outcome"] == "dict"


def test_an_exception_is_its_type_and_its_places(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        log.exception("failed")
    (line,) = lines_of(capsys)
    assert line["error"] == "builtins.ValueError"
    assert "test_telemetry.py" in str(line["stack"])
    assert "John" not in json.dumps(line)


def test_another_library_cannot_bring_text_in(capsys: pytest.CaptureFixture[str]) -> None:
    # As `eventsourcing.postgres` does when it is imported.
    for name in ("psycopg", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    telemetry.configure_logging(Settings(log_level="debug"), "test")
    logging.getLogger("some.library").warning("cannot read %s", CANARY)
    logging.getLogger("psycopg.pool").warning("connection %s failed", "pool-1")
    unread, read = lines_of(capsys)
    assert unread["event"] == "cannot read %s"
    assert read["event"] == "connection pool-1 failed"


def test_line_breaks_stay_inside_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("odd", reason=CANARY)
    (line,) = lines_of(capsys)
    assert line["level"] == "info"


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging(Settings(log_level="warning"), "test")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines_of(capsys)] == ["loud"]


def test_a_metric_is_made_once_and_shown() -> None:
    for _ in range(2):
        telemetry.counter("test_things_total", "Things.", ["outcome"]).labels("good").inc()
    telemetry.histogram("test_wait_seconds", "Waits.", buckets=[0.1, 1]).observe(0.5)
    telemetry.gauge("test_lag", "Lag.").set(7)
    text = telemetry.render_metrics().decode()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["test_things_total", "good"] == 2
    assert samples["test_wait_seconds_bucket", "1.0"] == 1
    assert samples["test_lag",] == 7


def test_two_kinds_of_metric_cannot_share_a_name() -> None:
    telemetry.counter("test_clash_total", "A counter.")
    with pytest.raises(AssertionError, match="another kind"):
        telemetry.gauge("test_clash_total", "A gauge.")


def test_a_port_for_metrics_that_is_taken_is_told_by_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"MICROCOS_METRICS_PORT: {port}"):
            telemetry.serve_metrics(Settings(metrics_port=port))
