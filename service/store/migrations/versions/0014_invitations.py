"""Invitation links, and when people, keys and sessions were last used."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_invitation_person"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
    )
    op.create_index("ix_invitation_sha256", "invitation", ["sha256"], unique=True)
    op.add_column("person", sa.Column("seen_at", sa.DateTime(), nullable=True))
    op.add_column("api_key", sa.Column("used_at", sa.DateTime(), nullable=True))
    op.add_column("api_key", sa.Column("opened_with", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("api_key", "opened_with")
    op.drop_column("api_key", "used_at")
    op.drop_column("person", "seen_at")
    op.drop_table("invitation")
