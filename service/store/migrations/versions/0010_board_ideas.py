"""Ideas of other boards as suggestions, found by the vectors of the topics they were written for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "topic_vector",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("encoder", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_topic_vector"),
    )
    with op.batch_alter_table("suggestion") as suggestion:
        suggestion.add_column(sa.Column("copied_from", sa.String(), nullable=True))
        suggestion.create_foreign_key("fk_suggestion_copied_from", "idea", ["copied_from"], ["id"])
    op.create_index("ix_suggestion_copied_from", "suggestion", ["copied_from"])


def downgrade() -> None:
    op.drop_index("ix_suggestion_copied_from", "suggestion")
    with op.batch_alter_table("suggestion") as suggestion:
        suggestion.drop_constraint("fk_suggestion_copied_from", type_="foreignkey")
        suggestion.drop_column("copied_from")
    op.drop_table("topic_vector")
