"""Where a suggestion comes from: from the model, as all of them so far, or from the idea bank."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in a batch, which would make the table anew although others refer to it.
    origin = sa.Column("origin", sa.String(), nullable=False, server_default="model")
    op.add_column("suggestion", origin)
    op.add_column("suggestion", sa.Column("written_for", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("suggestion", "written_for")
    op.drop_column("suggestion", "origin")
