"""Webhooks with what they have to send, and links that show a board to whoever has them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shared_link",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name="fk_shared_link_board"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_shared_link_person"),
        sa.PrimaryKeyConstraint("id", name="pk_shared_link"),
    )
    op.create_index("ix_shared_link_board_id", "shared_link", ["board_id"])
    op.create_index("ix_shared_link_sha256", "shared_link", ["sha256"], unique=True)
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("off_reason", sa.String(), nullable=False),
        sa.Column("failing_since", sa.DateTime(), nullable=True),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name="fk_webhook_board"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_webhook_person"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
    )
    op.create_index("ix_webhook_board_id", "webhook", ["board_id"])
    op.create_table(
        "webhook_cursor",
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="fk_webhook_cursor_webhook"),
        sa.PrimaryKeyConstraint("webhook_id", "board_id", name="pk_webhook_cursor"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("activity_number", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_text", sa.String(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("tried_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="fk_webhook_delivery_webhook"),
        sa.PrimaryKeyConstraint("number", name="pk_webhook_delivery"),
        sa.UniqueConstraint("webhook_id", "activity_number", name="uq_webhook_delivery_activity"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_delivery_id", "webhook_delivery", ["id"], unique=True)
    op.create_index("ix_webhook_delivery_subject_id", "webhook_delivery", ["subject_id"])
    op.create_index("ix_webhook_delivery_created_at", "webhook_delivery", ["created_at"])
    op.create_index(
        "ix_webhook_delivery_lane",
        "webhook_delivery",
        ["status", "webhook_id", "board_id", "number"],
    )
    op.create_index("ix_webhook_delivery_webhook", "webhook_delivery", ["webhook_id", "number"])


def downgrade() -> None:
    for table in ("webhook_delivery", "webhook_cursor", "webhook", "shared_link"):
        op.drop_table(table)
