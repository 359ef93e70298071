"""Adds comparisons of two ideas."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparison",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("first_id", sa.String(), nullable=False),
        sa.Column("first_version", sa.Integer(), nullable=False),
        sa.Column("second_id", sa.String(), nullable=False),
        sa.Column("second_version", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.ForeignKeyConstraint(["first_id"], ["idea.id"]),
        sa.ForeignKeyConstraint(["second_id"], ["idea.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_comparison_board", "comparison", ["board_id", "by", "created_at"])
    op.create_index(op.f("ix_comparison_run_id"), "comparison", ["run_id"])


def downgrade() -> None:
    op.drop_table("comparison")
