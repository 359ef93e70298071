"""Writing rounds: ideas that are hidden until a round ends, and boards on which people write first."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "writing_round",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("named_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name="fk_writing_round_board"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_writing_round_person"),
        sa.PrimaryKeyConstraint("id", name="pk_writing_round"),
    )
    op.create_index("ix_writing_round_board_id", "writing_round", ["board_id"])
    op.create_index("ix_writing_round_open", "writing_round", ["ended_at", "ends_at"])
    # Not in a batch, which would make the table anew although others refer to it.
    op.execute("ALTER TABLE idea ADD COLUMN round_id VARCHAR REFERENCES writing_round (id)")
    op.create_index("ix_idea_round_id", "idea", ["round_id"])
    op.add_column(
        "board",
        sa.Column("people_first", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("board", "people_first")
    op.drop_index("ix_idea_round_id", "idea")
    op.drop_column("idea", "round_id")
    op.drop_table("writing_round")
