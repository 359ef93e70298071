"""People, what they may do, who made what, and what happened on each board."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_AUTHORED = ("idea", "idea_version", "run", "comparison", "api_key")


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("external_name", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("removed_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_index("ix_person_external_name", "person", ["external_name"], unique=True)
    op.create_table(
        "membership",
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_membership_person"),
        sa.PrimaryKeyConstraint("person_id", "board_id", name="pk_membership"),
    )
    op.create_table(
        "activity",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_activity"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activity_board", "activity", ["board_id", "number"])
    op.create_index("ix_activity_created_at", "activity", ["created_at"])
    for table in _AUTHORED:
        # Not in a batch, which would make the table anew although others refer to it.
        op.execute(f"ALTER TABLE {table} ADD COLUMN person_id VARCHAR REFERENCES person (id)")
        op.create_index(f"ix_{table}_person_id", table, ["person_id"])


def downgrade() -> None:
    for table in reversed(_AUTHORED):
        op.drop_index(f"ix_{table}_person_id", table)
        op.drop_column(table, "person_id")
    op.drop_table("activity")
    op.drop_table("membership")
    op.drop_table("person")
