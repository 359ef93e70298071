"""Several servers on one database: whose a run is, and what they tell each other."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("replica_id", sa.String(), nullable=True))
    op.add_column("run", sa.Column("stop_requested_at", sa.DateTime(), nullable=True))
    op.create_table(
        "replica",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("schema_revision", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.Column("lease_until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replica"),
    )
    op.create_index("ix_replica_lease_until", "replica", ["lease_until"])
    op.create_table(
        "run_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_events_run", "run_events", ["run_id", "id"])
    op.create_index("ix_run_events_created_at", "run_events", ["created_at"])
    op.create_table(
        "presence",
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("replica_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("board_id", "person_id", "replica_id", name="pk_presence"),
    )
    op.create_table(
        "pending_upload",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_pending_upload"),
    )
    op.create_index("ix_pending_upload_created_at", "pending_upload", ["created_at"])


def downgrade() -> None:
    for table in ("pending_upload", "presence", "run_events", "replica"):
        op.drop_table(table)
    op.drop_column("run", "stop_requested_at")
    op.drop_column("run", "replica_id")
