"""Adds the run that replaced a suggestion, and an index of a board's runs by age."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("suggestion") as suggestion:
        suggestion.add_column(sa.Column("redrawn_in", sa.String(), nullable=True))
        suggestion.create_foreign_key("fk_suggestion_redrawn_in", "run", ["redrawn_in"], ["id"])
    op.create_index("ix_run_board_new", "run", ["board_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_run_board_new", "run")
    with op.batch_alter_table("suggestion") as suggestion:
        suggestion.drop_constraint("fk_suggestion_redrawn_in", type_="foreignkey")
        suggestion.drop_column("redrawn_in")
