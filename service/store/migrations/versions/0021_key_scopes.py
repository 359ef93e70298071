"""What a key lets through. Those that exist let through all that their person may do, as before."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    scope = sa.Column("scope", sa.String(), nullable=False, server_default="admin")
    op.add_column("api_key", scope)


def downgrade() -> None:
    op.drop_column("api_key", "scope")
