"""What a board learns from decisions about suggestions: when they were made, and what it predicted.

`likeness` is what the prediction starts from.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("board", sa.Column("learns", sa.Boolean(), server_default="1", nullable=False))
    op.add_column("board", sa.Column("taste_since", sa.DateTime(), nullable=True))
    for column in ("likeness", "fit"):
        op.add_column("suggestion", sa.Column(column, sa.Float(), nullable=True))
    op.add_column("suggestion", sa.Column("decided_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    for column in ("decided_at", "fit", "likeness"):
        op.drop_column("suggestion", column)
    for column in ("taste_since", "learns"):
        op.drop_column("board", column)
