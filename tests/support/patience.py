"""Settings for tests that are not about their own timeouts."""

from __future__ import annotations

from typing import Any

# A machine that stood still for a moment is no store that is away, no worker that died, no bus that fell silent.
PATIENCE: dict[str, Any] = {
    "database_wait_seconds": 30.0,
    "database_connect_timeout_seconds": 30,
    "database_statement_timeout_seconds": 60.0,
    "database_lock_timeout_seconds": 30.0,
    "database_idle_timeout_seconds": 60.0,
    "idempotency_wait_seconds": 30.0,
    "lease_seconds": 60.0,
    "min_version_wait_seconds": 30.0,
    "nats_connect_timeout_seconds": 30.0,
    "nats_ping_seconds": 30.0,
    "ticket_seconds": 300,
}
