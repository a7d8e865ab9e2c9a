"""The read models: which build of each view is live, and the first, empty build of all of them.

A view's tables are made by projections/sql.py from the view itself, here and at each rebuild: they hold nothing that
the log does not, and their shape is the code's to change. A later step that brings a new view makes its first build
where there is none: in a new database this step, which makes all that the code has, has made it.
"""

from __future__ import annotations

from alembic import op

from projections.sql import build_name, drop_tables, first_build, hide
from projections.views import VIEWS

revision = "0002"
down_revision = "0001"
branch_labels: str | None = None
depends_on: str | None = None

STATEMENTS = (
    # `loaded_until` and `loaded_user`: how far a bulk load has come; it reads user by user, up to that position.
    """CREATE TABLE view_builds (
    view text NOT NULL,
    build int NOT NULL,
    version int NOT NULL,
    status text NOT NULL CHECK (status IN ('live', 'building', 'retired')),
    loaded_until bigint NOT NULL DEFAULT 0,
    loaded_user text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (view, build)
)""",
    "CREATE UNIQUE INDEX view_builds_one_live_idx ON view_builds (view) WHERE status = 'live'",
    "CREATE UNIQUE INDEX view_builds_one_building_idx ON view_builds (view) WHERE status = 'building'",
    # How far the live builds have read the log.
    """CREATE VIEW view_positions AS
SELECT b.view, b.build, b.version, t.notification_id AS position, l.generation
FROM view_builds b
JOIN log0_tracking t ON t.application_name = b.view || '_b' || b.build
JOIN logs l ON l.log = 0
WHERE b.status = 'live'""",
    # What an answer from a view is marked with: its source, and the last event of the user's that it has seen.
    """CREATE FUNCTION view_mark(of_view text, of_user text)
RETURNS TABLE (source text, version bigint, topic text, state bytea)
LANGUAGE sql STABLE
AS $$
    SELECT p.generation || '/' || p.build, e.originator_version, e.topic, e.state
    FROM view_positions p LEFT JOIN LATERAL (
        SELECT originator_version, topic, state FROM log0_events
        WHERE originator_id = of_user AND notification_id <= p.position
        ORDER BY originator_version DESC LIMIT 1
    ) e ON true
    WHERE p.view = of_view
$$""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.get_bind().exec_driver_sql(statement)
    for view in VIEWS.values():
        for statement in first_build(view):
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    for name, build in connection.exec_driver_sql("SELECT view, build FROM view_builds").all():
        view = VIEWS[name]
        for statement in (*hide(view), *drop_tables(view, build)):
            connection.exec_driver_sql(statement.as_string())
        tracked = (build_name(view, build),)
        connection.exec_driver_sql("DELETE FROM log0_tracking WHERE application_name = %s", tracked)
    for text in ("DROP FUNCTION view_mark", "DROP VIEW view_positions", "DROP TABLE view_builds"):
        connection.exec_driver_sql(text)
