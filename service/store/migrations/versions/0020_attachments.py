"""Files on ideas."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("idea_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("alt", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.id"], name="fk_attachment_idea"),
        sa.PrimaryKeyConstraint("id", name="pk_attachment"),
    )
    op.create_index("ix_attachment_idea", "attachment", ["idea_id", "created_at", "id"])
    op.create_index("ix_attachment_deleted_at", "attachment", ["deleted_at"])
    op.create_table(
        "attachment_part",
        sa.Column("attachment_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"], ["attachment.id"], name="fk_attachment_part_attachment"
        ),
        sa.PrimaryKeyConstraint("attachment_id", "number", name="pk_attachment_part"),
    )


def downgrade() -> None:
    op.drop_table("attachment_part")
    op.drop_table("attachment")
