"""Every setting: one frozen `Settings`, read once from `MICROCOS_…` variables and checked as a whole.

Nothing else may read the environment. What is settable is data here: default, unit, one line of help; the command
`microcos settings` and docs/settings.md are made from it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

PREFIX = "MICROCOS_"
MASTER_KEY_BYTES = 32


class SettingsError(Exception):
    """One or more settings make no sense; the message has one line for each, with the variable's name."""


def setting(
    default: object, unit: str, text: str, *, low: float | None = None, high: float | None = None, secret: bool = False
) -> Any:
    """A field of `Settings`: `low` and `high` bound a number, a secret is never printed."""
    metadata = {"unit": unit, "help": text, "low": low, "high": high, "secret": secret}
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    # --- where things are
    data_dir: Path = setting(  # noqa: RUF009 (a Path is as immutable as the other defaults)
        Path(".microcos"), "path", "Keys, files and the embedded servers' data."
    )
    database_url: str = setting("", "URL", "Postgres; `dev` starts its own when unset.", secret=True)
    nats_url: str = setting("", "URL", "NATS; `dev` starts its own when unset.", secret=True)
    host: str = setting("127.0.0.1", "address", "Where the API listens; loopback only while auth mode is dev.")
    port: int = setting(8000, "port", "Where the API listens; 0 takes any free one.", low=0, high=65535)
    metrics_port: int = setting(
        0,
        "port",
        "Where worker, relay and projections serve /metrics on loopback, each of `dev` a port further on; 0 = not.",
        low=0,
        high=65535,
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "name", "Least level that is logged: debug, info, warning or error."
    )

    # --- keys and callers
    master_key: str = setting("", "base64", "32 bytes that wrap every data key; `dev` makes its own.", secret=True)
    service_token: str = setting("", "text", "What /complete-llm's callers send; unset = it is off.", secret=True)
    cors_origins: tuple[str, ...] = setting((), "list", "Origins that browsers may call from, by comma.")
    auth_mode: Literal["dev", "static", "jwks"] = setting("dev", "name", "How tokens are checked: dev, static or jwks.")
    auth_dev_secret: str = setting("", "text", "HS256 key of mode dev; made at first start when unset.", secret=True)
    auth_pem: str = setting("", "PEM", "Public key of mode static: PEM text, or a file's path.")
    auth_jwks_url: tuple[str, ...] = setting((), "list", "Key sets of mode jwks, one for each issuer, by comma.")
    auth_issuer: tuple[str, ...] = setting((), "list", "Issuers that are accepted, by comma; unset = any in dev.")
    auth_audience: tuple[str, ...] = setting((), "list", "Audiences of which a token must name one, by comma.")
    auth_lifetime_max_seconds: int = setting(86_400, "seconds", "Longest lifetime of a token, exp - iat.", low=1)
    auth_client_id: str = setting("", "text", "The web client's id at the first issuer; unset = it asks for a token.")
    auth_scope: str = setting("openid profile", "text", "What the web client asks that issuer for.")
    auth_login_origins: tuple[str, ...] = setting((), "list", "Origins that log-in needs beside that issuer.")

    # --- language model
    llm_provider: Literal["offline", "openai", "workers_ai"] = setting(
        "offline", "name", "Who answers: offline, openai or workers_ai."
    )
    llm_base_url: str = setting("", "URL", "As OpenAI SDKs take it, with /v1.")
    llm_api_key: str = setting("", "text", "Sent as a bearer token to the model.", secret=True)
    llm_model: str = setting("", "name", "Model to ask for; unset = the provider's usual one.")
    llm_attempts: int = setting(3, "count", "Tries of one model call, the first included.", low=1, high=10)
    llm_timeout_seconds: float = setting(15.0, "seconds", "Longest silence between two chunks.", low=0.05)
    llm_deadline_seconds: float = setting(120.0, "seconds", "Longest time for one whole answer.", low=0.1)
    llm_context_tokens: int = setting(0, "tokens", "The model's context window; 0 = what the provider knows.", low=0)
    llm_max_tokens: int = setting(1_024, "tokens", "Longest answer that is asked for.", low=1, high=100_000)
    cf_account_id: str = setting("", "text", "Workers AI: account.")
    cf_api_token: str = setting("", "text", "Workers AI: token.", secret=True)
    cf_gateway: str = setting("", "name", "Workers AI: AI Gateway to go through; unset = none.")

    # --- limits for one user; 0 = none
    limit_messages_per_minute: int = setting(60, "count", "Messages in any 60 s; 0 = no limit.", low=0, high=1_000)
    limit_tokens_per_day: int = setting(100_000, "tokens", "Model tokens a UTC day; 0 = no limit.", low=0)
    limit_flight_searches_per_day: int = setting(10, "count", "Flight searches a UTC day; 0 = no limit.", low=0)
    limit_streams_per_user: int = setting(100, "count", "Open streams at once; 0 = no limit.", low=0)

    # --- tools and speech
    flights_mcp: str = setting(
        "embedded", "target", "Flights: `embedded` (our own timetable), `stdio:NAME={token} command …` or a URL."
    )
    flights_mcp_token: str = setting(
        "",
        "text",
        "Sent to the flights server as a bearer token; over stdio it takes the place of `{token}`.",
        secret=True,
    )
    flights_mcp_pin: str = setting(
        "", "hex", "SHA-256 of the flights tool's description and schemas; unset = what a process sees first."
    )
    flights_timeout_seconds: float = setting(20.0, "seconds", "Longest time for one search for flights.", low=0.05)
    calendar_mcp: str = setting(
        "", "target", "Google Calendar to keep in step with: `stdio:NAME=value command …` or a URL; unset = none."
    )
    calendar_sync_minutes: float = setting(15.0, "minutes", "Between two looks at that calendar.", low=0.01)
    calendar_user: str = setting(
        "me", "text", "Whose calendar that is: the `sub` of a user of the first issuer; `me` is the user of `dev`."
    )
    stt_provider: Literal["none", "local", "openai", "workers_ai"] = setting(
        "none", "name", "Speech to text: none, local (needs the extra `voice`), openai or workers_ai."
    )
    stt_model: str = setting("", "name", "Speech to text: model, for local a folder; unset = the provider's usual one.")
    tts_provider: Literal["none", "local", "openai", "workers_ai"] = setting(
        "none", "name", "Text to speech: none, local (needs the extra `voice`), openai or workers_ai."
    )
    tts_model: str = setting("", "name", "Text to speech: model, for local a file; unset = the provider's usual one.")
    tts_voice: str = setting("", "name", "Text to speech: voice; unset = the provider's usual one.")
    speech_base_url: str = setting("", "URL", "Provider openai of both: as OpenAI SDKs take it, with /v1.")
    speech_api_key: str = setting("", "text", "Provider openai of both: sent as a bearer token.", secret=True)
    speech_deadline_seconds: float = setting(300.0, "seconds", "Longest time for one transcript or reading.", low=0.1)

    # --- development clock
    now: str = setting("", "ISO 8601", 'Development only: where the clock of users\' "today" starts.')
    now_started_ms: int = setting(0, "Unix ms", "When that clock was started; `dev` sets it for its processes.", low=0)

    # --- write side
    lease_seconds: float = setting(3.0, "seconds", "How long a worker owns a reply without renewing.", low=0.2)
    lease_renew_seconds: float = setting(1.0, "seconds", "Between two renewals; at most half of the lease.", low=0.05)
    work_poll_seconds: float = setting(1.0, "seconds", "Between two looks of a worker at waiting replies.", low=0.01)
    schedule_poll_seconds: float = setting(1.0, "seconds", "Between two looks at what comes due.", low=0.01)
    worker_concurrency: int = setting(64, "count", "Replies that one worker writes at once.", low=1, high=10_000)
    worker_owner: str = setting("", "name", "This worker's name in leases; unset = a random one.")
    segment_seconds: float = setting(0.5, "seconds", "Between two writes of the text so far.", low=0.01)
    segment_retention_seconds: int = setting(3_600, "seconds", "How long segments are kept once written.", low=60)
    snapshot_events: int = setting(100, "count", "Events between two snapshots of a stream.", low=1)
    cached_users: int = setting(10_000, "count", "Folded states that a process keeps in memory.", low=1)
    idempotency_wait_seconds: float = setting(2.0, "seconds", "Wait for the same command before 409.", low=0)

    # --- read side and bus
    log_poll_seconds: float = setting(1.0, "seconds", "Between two looks at the log, with or without NOTIFY.", low=0.01)
    projection_page: int = setting(5_000, "count", "Most positions in one projection transaction.", low=1)
    min_version_wait_seconds: float = setting(2.0, "seconds", "Wait for a view before 503 view_behind.", low=0)
    leader_lease_seconds: float = setting(3.0, "seconds", "How long relay or projections lead unrenewed.", low=0.2)
    leader_renew_seconds: float = setting(1.0, "seconds", "Between two renewals of a leader.", low=0.05)
    relay_window: int = setting(256, "count", "Events published and not yet acknowledged.", low=1)
    event_retention_seconds: int = setting(604_800, "seconds", "How long NATS keeps domain events.", low=60)
    token_retention_seconds: int = setting(900, "seconds", "How long NATS keeps tokens.", low=60)
    nats_connect_timeout_seconds: float = setting(2.0, "seconds", "One try to reach NATS.", low=0.1)
    nats_ping_seconds: float = setting(1.0, "seconds", "Between pings that notice a frozen NATS.", low=0.1)

    # --- HTTP
    stream_ping_seconds: float = setting(
        10.0, "seconds", "Between two comments on a stream, and two beats of its session.", low=0.05
    )
    stream_queue_frames: int = setting(1_000, "count", "Frames a slow client may be behind before it is closed.", low=8)
    ticket_seconds: int = setting(30, "seconds", "Lifetime of a stream ticket.", low=1)
    drain_seconds: float = setting(5.0, "seconds", "How long a role finishes its work after SIGTERM.", low=0)
    body_timeout_seconds: float = setting(10.0, "seconds", "Longest time for a request's body to arrive.", low=0.1)

    # --- Postgres
    database_pool_size: int = setting(8, "count", "Connections that one process keeps.", low=1, high=1_000)
    # By default every answer about an absent store is out within 2 s.
    database_wait_seconds: float = setting(1.8, "seconds", "Wait for an answer of Postgres before 503.", low=0.05)
    database_connect_timeout_seconds: int = setting(5, "seconds", "One try to reach Postgres.", low=1)
    database_statement_timeout_seconds: float = setting(10.0, "seconds", "Longest statement.", low=0.1)
    database_lock_timeout_seconds: float = setting(2.0, "seconds", "Longest wait for a lock.", low=0.05)
    database_idle_timeout_seconds: float = setting(10.0, "seconds", "Longest idle time in a transaction.", low=0.1)

    def __post_init__(self) -> None:
        problems = [*_out_of_range(self), *_contradictions(self)]
        if problems:
            raise SettingsError("\n".join(problems))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """From the variables alone. Raises `SettingsError`."""
        return cls(**_parse(environment_values(environ)))

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """From the variables and, where they are silent, what `dev` left in the data dir. Raises `SettingsError`."""
        given = environment_values(environ)
        data_dir = Path(given.get("data_dir", default_of("data_dir")))
        return cls(**_parse({**data_dir_values(data_dir), **given}))

    def as_environment(self) -> dict[str, str]:
        """The variables that make these settings again: what a parent hands to its children."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in defaults}
        return {PREFIX + n.upper(): _text_of(v) for n, v in values.items() if v != defaults[n]}

    def master_key_bytes(self) -> bytes:
        if not self.master_key:
            raise SettingsError(f"{PREFIX}MASTER_KEY is not set and {self.data_dir / 'keys'} holds none.")
        return base64.b64decode(self.master_key, validate=True)

    def now_start_ms(self) -> int | None:
        """Unix milliseconds of `now`, or None when it is unset."""
        return _iso_ms(self.now) if self.now else None

    def ascii_key(self, name: str) -> str:
        """The key in setting `name`, which goes into an HTTP header. Raises `SettingsError`."""
        key: str = getattr(self, name)
        if not key.isascii():
            raise SettingsError(f"{PREFIX}{name.upper()}: a key is made of ASCII characters.")
        return key

    def auth_pem_text(self) -> str:
        """The PEM text itself, read from the file where `auth_pem` names one."""
        if not self.auth_pem or "-----BEGIN" in self.auth_pem:
            return self.auth_pem.replace("\\n", "\n")
        try:
            return Path(self.auth_pem).read_text()
        except OSError as error:
            raise SettingsError(f"{PREFIX}AUTH_PEM: {self.auth_pem}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{PREFIX}AUTH_PEM: {self.auth_pem}: is no PEM text.") from error


def environment_values(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The set variables by field name; an empty one counts as unset."""
    source = os.environ if environ is None else environ
    names = {PREFIX + f.name.upper(): f.name for f in dataclasses.fields(Settings)}
    return {names[variable]: value for variable, value in source.items() if value and variable in names}


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """Variables with our prefix that name no setting: most often a typing mistake."""
    source = os.environ if environ is None else environ
    names = {PREFIX + f.name.upper() for f in dataclasses.fields(Settings)}
    return sorted(v for v in source if v.startswith(PREFIX) and v not in names)


def process_environment() -> dict[str, str]:
    """This process's variables without ours: the rest of what a child process needs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def data_dir_values(data_dir: Path) -> dict[str, str]:
    """What a `dev` that runs, or ran, on this data dir lets other commands of the same machine know.

    Raises `SettingsError` for what cannot be read.
    """
    values: dict[str, str] = {}
    for name in ("master_key", "auth_dev_secret"):
        if (key := _text_in(data_dir / "keys" / name)) is not None:
            values[name] = key.strip()
    running = data_dir / "run" / "dev.json"
    if (addresses := _text_in(running)) is not None:
        try:
            values.update(json.loads(addresses))
        except ValueError:
            raise SettingsError(f"{running} is damaged: remove it, and start `microcos dev` again.") from None
    return values


def _text_in(path: Path) -> str | None:
    """The text of a file, None where there is none. Raises `SettingsError` for one that is not for us to read."""
    try:
        return path.read_text() if path.is_file() else None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}.") from error


def default_of(name: str) -> Any:
    return next(f.default for f in dataclasses.fields(Settings) if f.name == name)


def _parse(given: Mapping[str, str]) -> dict[str, Any]:
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in given.items():
        try:
            values[name] = _value_of(hints[name], text.strip())
        except ValueError as error:
            problems.append(f"{PREFIX}{name.upper()}: {error}")
    if problems:
        raise SettingsError("\n".join(problems))
    return values


def _value_of(kind: Any, text: str) -> Any:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"must be one of {', '.join(get_args(kind))}.")
        return text
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            raise ValueError("must be a whole number." if kind is int else "must be a number.") from None
        if kind is float and not math.isfinite(number):
            raise ValueError("must be a finite number.")
        return number
    return kind(text)


def _text_of(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _out_of_range(settings: Settings) -> list[str]:
    problems = []
    for item in dataclasses.fields(settings):
        low, high = item.metadata["low"], item.metadata["high"]
        value = getattr(settings, item.name)
        if low is not None and not value >= low:
            problems.append(f"{PREFIX}{item.name.upper()}: must be at least {low}.")
        if high is not None and not value <= high:
            problems.append(f"{PREFIX}{item.name.upper()}: must be at most {high}.")
    return problems


def _contradictions(settings: Settings) -> list[str]:
    problems = []
    if settings.auth_mode == "dev" and not is_loopback(settings.host):
        problems.append(f"{PREFIX}HOST: must be loopback while {PREFIX}AUTH_MODE is dev; anyone could make a token.")
    if settings.auth_mode == "static" and not settings.auth_pem:
        problems.append(f"{PREFIX}AUTH_PEM: needed by {PREFIX}AUTH_MODE=static.")
    if settings.auth_mode == "jwks" and not settings.auth_jwks_url:
        problems.append(f"{PREFIX}AUTH_JWKS_URL: needed by {PREFIX}AUTH_MODE=jwks.")
    if settings.auth_mode == "jwks" and len(settings.auth_jwks_url) != len(settings.auth_issuer):
        problems.append(f"{PREFIX}AUTH_ISSUER: needs one issuer for each of {PREFIX}AUTH_JWKS_URL, in their order.")
    if settings.auth_client_id and (settings.auth_mode == "dev" or not settings.auth_issuer):
        problems.append(f"{PREFIX}AUTH_CLIENT_ID: needs {PREFIX}AUTH_ISSUER, and another {PREFIX}AUTH_MODE than dev.")
    if settings.master_key and not _is_key(settings.master_key):
        problems.append(f"{PREFIX}MASTER_KEY: must be {MASTER_KEY_BYTES} bytes in base64.")
    if settings.lease_renew_seconds * 2 > settings.lease_seconds:
        problems.append(f"{PREFIX}LEASE_RENEW_SECONDS: must be at most half of {PREFIX}LEASE_SECONDS.")
    if settings.leader_renew_seconds * 2 > settings.leader_lease_seconds:
        problems.append(f"{PREFIX}LEADER_RENEW_SECONDS: must be at most half of {PREFIX}LEADER_LEASE_SECONDS.")
    problems += _contradictions_of_flights(settings)
    if settings.calendar_mcp and not settings.calendar_mcp.startswith(("stdio:", "http://", "https://")):
        problems.append(f"{PREFIX}CALENDAR_MCP: must be `stdio:command …` or a URL of http or https.")
    if settings.now and settings.auth_mode != "dev":
        problems.append(f"{PREFIX}NOW: for development only, with {PREFIX}AUTH_MODE=dev.")
    if settings.now and _iso_ms(settings.now) is None:
        problems.append(f"{PREFIX}NOW: must be ISO 8601, such as 2025-11-19T10:00:00Z.")
    return problems


def _contradictions_of_flights(settings: Settings) -> list[str]:
    target = settings.flights_mcp
    try:
        url = urlsplit(target)
    except ValueError:
        return [f"{PREFIX}FLIGHTS_MCP: is no URL."]
    if target not in ("", "embedded") and not target.startswith("stdio:") and url.scheme not in ("http", "https"):
        return [f"{PREFIX}FLIGHTS_MCP: must be `embedded`, `stdio:command …` or a URL of http or https."]
    if settings.flights_mcp_token and url.scheme == "http" and not is_loopback(url.hostname or ""):
        return [f"{PREFIX}FLIGHTS_MCP_TOKEN: a token is sent over https only, or within this machine."]
    if settings.flights_mcp_token and not settings.flights_mcp_token.isascii():
        return [f"{PREFIX}FLIGHTS_MCP_TOKEN: a token is made of ASCII characters."]
    return []


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == MASTER_KEY_BYTES
    except binascii.Error:
        return False


def _iso_ms(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # A time without an offset is taken as UTC, so that it means the same on every machine.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)
