"""The order that people give the ideas of a board."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("idea", sa.Column("place", sa.BigInteger(), server_default="0", nullable=False))
    # The newest first, with room between any two.
    op.execute("UPDATE idea SET place = number * 65536")
    op.create_index("ix_idea_board_place", "idea", ["board_id", "deleted_at", "place", "number"])


def downgrade() -> None:
    op.drop_index("ix_idea_board_place", "idea")
    op.drop_column("idea", "place")
