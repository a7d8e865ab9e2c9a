"""Settings are data: checked as a whole, listed in full, and never printed where they are secret."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from cli.settings import settings_page, settings_rows
from infra.keys.local import make_master_key
from infra.settings import PREFIX, Settings, SettingsError, unknown_variables

ROOT = Path(__file__).parent.parent.parent
FIELDS = dataclasses.fields(Settings)

# What others rely on by name, with the defaults that were promised.
PROMISED = {
    "DATA_DIR": ".microcos",
    "DATABASE_URL": "",
    "NATS_URL": "",
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "MASTER_KEY": "",
    "SERVICE_TOKEN": "",
    "CORS_ORIGINS": "",
    "AUTH_MODE": "dev",
    "AUTH_DEV_SECRET": "",
    "AUTH_PEM": "",
    "AUTH_JWKS_URL": "",
    "AUTH_ISSUER": "",
    "AUTH_AUDIENCE": "",
    "AUTH_LIFETIME_MAX_SECONDS": "86400",
    "LLM_PROVIDER": "offline",
    "LLM_BASE_URL": "",
    "LLM_API_KEY": "",
    "LLM_MODEL": "",
    "LLM_ATTEMPTS": "3",
    "LLM_TIMEOUT_SECONDS": "15.0",
    "LLM_DEADLINE_SECONDS": "120.0",
    "CF_ACCOUNT_ID": "",
    "CF_API_TOKEN": "",
    "CF_GATEWAY": "",
    "LIMIT_MESSAGES_PER_MINUTE": "60",
    "LIMIT_TOKENS_PER_DAY": "100000",
    "LIMIT_FLIGHT_SEARCHES_PER_DAY": "10",
    "LIMIT_STREAMS_PER_USER": "100",
    "FLIGHTS_MCP": "embedded",
    "CALENDAR_MCP": "",
    "STT_PROVIDER": "none",
    "TTS_PROVIDER": "none",
    "NOW": "",
}


def test_every_promised_setting_is_there_with_its_promised_default() -> None:
    defaults = {row["variable"].removeprefix(PREFIX): row["default"] for row in settings_rows(Settings())}
    assert PROMISED.items() <= defaults.items()


@pytest.mark.parametrize("item", FIELDS, ids=lambda item: item.name)
def test_every_setting_says_its_unit_and_what_it_does(item: dataclasses.Field[object]) -> None:
    assert item.metadata["unit"]
    assert item.metadata["help"].endswith(".")
    if item.metadata["unit"] == "seconds":
        assert item.name.endswith("_seconds"), "the unit belongs last in the name"


def test_the_page_in_the_docs_is_the_one_that_the_settings_make() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings_page(), "run `make docs`"


def test_the_command_lists_every_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MICROCOS_DATA_DIR", str(tmp_path))
    listed = CliRunner().invoke(main, ["settings", "--json"])
    assert listed.exit_code == 0
    assert set(json.loads(listed.stdout)) == {PREFIX + item.name.upper() for item in FIELDS}


def test_a_secret_is_printed_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MICROCOS_DATA_DIR", str(tmp_path))
    for item in FIELDS:
        if item.metadata["secret"]:
            value = make_master_key() if item.name == "master_key" else "canary-secret"
            monkeypatch.setenv(PREFIX + item.name.upper(), value)
    settings = Settings.load()
    for arguments in (["settings"], ["settings", "--json"]):
        printed = CliRunner().invoke(main, arguments).output
        assert "canary-secret" not in printed
        assert settings.master_key not in printed
        assert "(set)" in printed
    assert "canary-secret" not in repr(settings)
    assert settings.master_key not in repr(settings)


def test_all_wrong_values_are_told_at_once_by_their_variables() -> None:
    with pytest.raises(SettingsError) as failure:
        Settings.from_environment(
            {"MICROCOS_PORT": "many", "MICROCOS_AUTH_MODE": "none", "MICROCOS_LEASE_SECONDS": "nan"}
        )
    assert [line.split(":")[0] for line in str(failure.value).splitlines()] == [
        "MICROCOS_PORT",
        "MICROCOS_AUTH_MODE",
        "MICROCOS_LEASE_SECONDS",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"PORT": "65536"},
        {"PORT": "-1"},
        {"LEASE_SECONDS": "0"},
        {"LEASE_SECONDS": "inf"},
        {"LEASE_SECONDS": "1", "LEASE_RENEW_SECONDS": "0.9"},
        {"LIMIT_MESSAGES_PER_MINUTE": "-1"},
        {"LIMIT_MESSAGES_PER_MINUTE": "1001"},
        {"LIMIT_MESSAGES_PER_MINUTE": "9" * 400},
        {"LLM_PROVIDER": "gpt"},
        {"MASTER_KEY": "short"},
        {"MASTER_KEY": base64.b64encode(bytes(31)).decode()},
        {"HOST": "0.0.0.0"},
        {"HOST": "example.org"},
        {"AUTH_MODE": "static"},
        {"AUTH_MODE": "jwks"},
        {"AUTH_MODE": "jwks", "AUTH_JWKS_URL": "https://a/keys,https://b/keys", "AUTH_ISSUER": "https://a/"},
        {"NOW": "yesterday"},
        {"NOW": "2025-11-19T10:00:00Z", "AUTH_MODE": "static", "AUTH_PEM": "key.pem"},
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"{PREFIX}({'|'.join(wrong)})"):
        Settings.from_environment({PREFIX + name: value for name, value in wrong.items()})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_development_tokens_are_accepted_on_loopback(host: str) -> None:
    assert Settings.from_environment({"MICROCOS_HOST": host}).host == host


def test_any_host_will_do_where_tokens_come_from_an_issuer() -> None:
    given = {"MICROCOS_HOST": "0.0.0.0", "MICROCOS_AUTH_MODE": "jwks"}
    given |= {"MICROCOS_AUTH_JWKS_URL": "https://a/keys", "MICROCOS_AUTH_ISSUER": "https://a/"}
    assert Settings.from_environment(given).host == "0.0.0.0"


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_environment({"MICROCOS_PORT": ""}) == Settings()


def test_a_list_is_written_with_commas() -> None:
    settings = Settings.from_environment({"MICROCOS_CORS_ORIGINS": "https://a, https://b,"})
    assert settings.cors_origins == ("https://a", "https://b")


def test_a_misspelt_variable_is_noticed() -> None:
    assert unknown_variables({"MICROCOS_PROT": "1", "MICROCOS_PORT": "1", "PATH": "/"}) == ["MICROCOS_PROT"]


def test_what_a_child_gets_makes_the_same_settings_again() -> None:
    settings = Settings(
        data_dir=Path("/somewhere"),
        port=1234,
        cors_origins=("https://a", "https://b"),
        lease_seconds=2.5,
        master_key=make_master_key(),
        now="2025-11-19T10:00:00+01:00",
    )
    assert Settings.from_environment(settings.as_environment()) == settings


def test_a_variable_beats_what_dev_left_in_the_data_dir(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "keys" / "auth_dev_secret").write_text("kept\n")
    (tmp_path / "run" / "dev.json").write_text(json.dumps({"port": "4444", "nats_url": "nats://kept"}))
    settings = Settings.load({"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_PORT": "5555"})
    assert (settings.port, settings.nats_url, settings.auth_dev_secret) == (5555, "nats://kept", "kept")


def test_what_cannot_be_read_in_the_data_dir_is_told_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "dev.json").write_text("")
    with pytest.raises(SettingsError, match="damaged: remove it"):
        Settings.load({"MICROCOS_DATA_DIR": str(tmp_path)})


def test_a_time_without_an_offset_is_utc() -> None:
    assert Settings(now="1970-01-01T00:00:01").now_start_ms() == 1000
    assert Settings(now="1970-01-01T01:00:01+01:00").now_start_ms() == 1000
    assert Settings().now_start_ms() is None


def test_a_public_key_is_given_as_text_or_as_a_file(tmp_path: Path) -> None:
    text = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n"
    (tmp_path / "key.pem").write_text(text)
    assert Settings(auth_pem=str(tmp_path / "key.pem")).auth_pem_text() == text
    assert Settings(auth_pem=text.replace("\n", "\\n")).auth_pem_text() == text
    with pytest.raises(SettingsError, match="MICROCOS_AUTH_PEM"):
        Settings(auth_pem=str(tmp_path / "none.pem")).auth_pem_text()
    (tmp_path / "key.der").write_bytes(b"\x30\x82\xff")
    with pytest.raises(SettingsError, match="is no PEM text"):
        Settings(auth_pem=str(tmp_path / "key.der")).auth_pem_text()


def test_a_missing_master_key_is_said_when_it_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MICROCOS_MASTER_KEY"):
        Settings(data_dir=tmp_path).master_key_bytes()
    assert len(Settings(master_key=make_master_key()).master_key_bytes()) == 32
