"""The event log, and what changes in one transaction with it. Views come in later steps.

The three tables `log0_…`, their type and their function are the eventsourcing library's, word for word (a test
compares the catalogs), for an application named log0 with text ids. Its function is never called: it takes no lock,
so a reader of the log would miss events.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

AUTOVACUUM = """WITH (
    autovacuum_enabled = true,
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
)"""

LIBRARY = (
    f"""CREATE TABLE log0_events (
    originator_id text NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigserial,
    PRIMARY KEY (originator_id, originator_version)
) {AUTOVACUUM}""",
    "CREATE TYPE stored_event_text AS (originator_id text, originator_version bigint, topic text, state bytea)",
    "CREATE UNIQUE INDEX log0_events_notification_id_idx ON log0_events (notification_id ASC)",
    "CREATE OR REPLACE FUNCTION es_insert_events_text(events stored_event_text[]) RETURNS SETOF bigint "
    "LANGUAGE plpgsql AS $BODY$BEGIN    SET LOCAL lock_timeout = '0s';    NOTIFY log0_events;    RETURN QUERY"
    "    INSERT INTO log0_events AS t (    originator_id, originator_version, topic, state)"
    "    SELECT originator_id, originator_version, topic, state    FROM unnest(events)"
    "    RETURNING notification_id;END;$BODY$",
    f"""CREATE TABLE log0_snapshots (
    originator_id text NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    PRIMARY KEY (originator_id, originator_version)
) {AUTOVACUUM}""",
    f"""CREATE TABLE log0_tracking (
    application_name text,
    notification_id bigint,
    PRIMARY KEY (application_name)
) {AUTOVACUUM}""",
    # Without this row the library takes the table for one of its old layout and renames it.
    "INSERT INTO log0_tracking VALUES ('__migration__', 1)",
)

# Small and rewritten all the time: room on each page keeps their updates away from the indexes.
HOT = "WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)"

OURS = (
    # A position is (log, position); the generation changes when a log is restored from a copy.
    """CREATE TABLE logs (
    log int PRIMARY KEY,
    generation uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)""",
    "INSERT INTO logs (log, generation) VALUES (0, gen_random_uuid())",
    # Which log a logical shard lives in; the shard is the first two characters of a user's id.
    "CREATE TABLE shards (shard text PRIMARY KEY, log int NOT NULL REFERENCES logs (log))",
    "INSERT INTO shards SELECT lpad(n::text, 2, '0'), 0 FROM generate_series(0, 63) AS n",
    # `subject` is a keyed hash of issuer and sub; erasure removes it.
    """CREATE TABLE users (
    user_id text PRIMARY KEY,
    subject bytea UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz
)""",
    "CREATE INDEX users_erased_at_idx ON users (erased_at) WHERE erased_at IS NOT NULL",
    # A destroyed key stays as a tombstone: `wrapped` is gone, `destroyed_at` says that it was meant.
    """CREATE TABLE keys (
    key_id uuid PRIMARY KEY,
    user_id text NOT NULL REFERENCES users (user_id),
    scope text NOT NULL CHECK (scope IN ('user', 'conversation', 'note')),
    subject text NOT NULL,
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
)""",
    "CREATE INDEX keys_user_id_idx ON keys (user_id)",
    "CREATE UNIQUE INDEX keys_one_user_key_idx ON keys (user_id) WHERE scope = 'user'",
    "CREATE TABLE master_key (id int PRIMARY KEY CHECK (id = 1), check_value bytea NOT NULL)",
    # What was answered to a command, sealed, for as long as the stream lives.
    """CREATE TABLE commands (
    user_id text NOT NULL,
    command_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    status int NOT NULL,
    answer bytea NOT NULL,
    answer_key_id uuid,
    version bigint NOT NULL,
    PRIMARY KEY (user_id, command_id)
)""",
    # Sealed bytes do not compress; trying costs time.
    "ALTER TABLE commands ALTER COLUMN answer SET STORAGE EXTERNAL",
    # The user's next reply, and whose it is.
    f"""CREATE TABLE work (
    user_id text PRIMARY KEY,
    reply_id text NOT NULL,
    attempt int NOT NULL DEFAULT 0,
    owner text,
    lease_until timestamptz,
    wanted_at timestamptz NOT NULL
) {HOT}""",
    "CREATE INDEX work_wanted_at_idx ON work (wanted_at)",
    # The text so far of running replies, sealed.
    """CREATE TABLE segments (
    user_id text NOT NULL,
    reply_id text NOT NULL,
    attempt int NOT NULL,
    first_index int NOT NULL,
    last_index int NOT NULL,
    sealed bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, reply_id, attempt, first_index)
)""",
    "ALTER TABLE segments ALTER COLUMN sealed SET STORAGE EXTERNAL",
    "CREATE INDEX segments_written_at_idx ON segments (written_at)",
    # Which worker has a recording or a spoken answer in hand; `id` is that of its audio, and no user's.
    f"""CREATE TABLE speech_leases (
    id uuid PRIMARY KEY,
    attempt int NOT NULL,
    owner text NOT NULL,
    lease_until timestamptz NOT NULL
) {HOT}""",
    # Who leads a role; `epoch` grows with each change of leader.
    f"""CREATE TABLE leaders (
    role text NOT NULL,
    log int NOT NULL REFERENCES logs (log),
    owner text NOT NULL,
    epoch bigint NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (role, log)
) {HOT}""",
    # Presence stands beside the log: it is in no version and in no rebuild.
    f"""CREATE TABLE presence (
    user_id text NOT NULL,
    session_id text NOT NULL,
    last_seen timestamptz NOT NULL,
    active bool NOT NULL,
    PRIMARY KEY (user_id, session_id)
) {HOT}""",
    # `sealed_sub` is opened with the code itself.
    """CREATE TABLE login_codes (
    code_hash bytea PRIMARY KEY,
    sealed_sub bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
)""",
    # `principal` is the issuer and the sub, sealed under the user's key.
    """CREATE TABLE stream_tickets (
    ticket_hash bytea PRIMARY KEY,
    user_id text NOT NULL,
    principal bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
)""",
    "CREATE INDEX stream_tickets_user_id_idx ON stream_tickets (user_id)",
)

TABLES = [
    "stream_tickets",
    "login_codes",
    "presence",
    "leaders",
    "speech_leases",
    "segments",
    "work",
    "commands",
    "master_key",
    "keys",
    "users",
    "shards",
    "logs",
    "log0_tracking",
    "log0_snapshots",
    "log0_events",
]


def upgrade() -> None:
    for statement in (*LIBRARY, *OURS):
        op.get_bind().exec_driver_sql(statement)
    # Postgres parses it itself: the text holds colons and percent signs that mean nothing to SQLAlchemy.
    op.get_bind().exec_driver_sql(Path(__file__).with_name("0001_append.sql").read_text())


def downgrade() -> None:
    for function in ("log0_append", "log0_judge_work", "log0_change_work", "es_insert_events_text"):
        op.execute(f"DROP FUNCTION {function}")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP TYPE stored_event_text")
