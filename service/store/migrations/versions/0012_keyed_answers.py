"""Answers to requests that came with an `Idempotency-Key`."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keyed_answer",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_keyed_answer"),
    )
    op.create_index("ix_keyed_answer_created_at", "keyed_answer", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_keyed_answer_created_at", "keyed_answer")
    op.drop_table("keyed_answer")
