"""Failed replies that an operator has seen and wants to leave as they are: `microcos dlq drop`."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "CREATE TABLE dead_letters_dropped (user_id text NOT NULL, reply_id text NOT NULL,"
        " dropped_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (user_id, reply_id))"
    )


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE dead_letters_dropped")
