"""Likes of ideas, and comments on them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idea_like",
        sa.Column("idea_id", sa.String(), nullable=False),
        sa.Column("liker", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.id"], name="fk_idea_like_idea"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_idea_like_person"),
        sa.PrimaryKeyConstraint("idea_id", "liker", name="pk_idea_like"),
    )
    op.create_index("ix_idea_like_person_id", "idea_like", ["person_id"])
    op.create_table(
        "comment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("idea_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("edited_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.id"], name="fk_comment_idea"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_comment_person"),
        sa.PrimaryKeyConstraint("id", name="pk_comment"),
    )
    op.create_index("ix_comment_idea", "comment", ["idea_id", "created_at", "id"])
    op.create_index("ix_comment_person_id", "comment", ["person_id"])
    op.create_index("ix_comment_deleted_at", "comment", ["deleted_at"])


def downgrade() -> None:
    op.drop_table("comment")
    op.drop_table("idea_like")
