"""Prepares the trash: deleted ideas can be searched, and ideas can be deleted for good."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Without these indexes SQLite reads the whole table for each deleted row, to check foreign keys.
FOREIGN_KEYS = {
    "ix_comparison_first_id": ("comparison", "first_id"),
    "ix_comparison_second_id": ("comparison", "second_id"),
    "ix_idea_version_run_id": ("idea_version", "run_id"),
    "ix_suggestion_idea_id": ("suggestion", "idea_id"),
    "ix_suggestion_redrawn_in": ("suggestion", "redrawn_in"),
    "ix_suggestion_similar_to": ("suggestion", "similar_to"),
}
# Few ideas have these, so only those are indexed.
SPARSE = {"ix_idea_deleted_at": "deleted_at", "ix_idea_lost_parent_id": "lost_parent_id"}


def upgrade() -> None:
    op.add_column("idea", sa.Column("lost_parent_id", sa.String(), nullable=True))
    for name, (table, column) in FOREIGN_KEYS.items():
        op.create_index(name, table, [column])
    for name, column in SPARSE.items():
        is_set = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "idea", [column], sqlite_where=is_set, postgresql_where=is_set)
    if op.get_context().dialect.name == "postgresql":
        # There was none yet that could have ideas.
        return
    op.execute(
        "INSERT OR REPLACE INTO idea_search(rowid, title, body, tags) "
        "SELECT number, title, body, coalesce((SELECT group_concat(name, ' ') FROM idea_tag "
        "WHERE idea_number = idea.number), '') FROM idea WHERE deleted_at IS NOT NULL"
    )


def downgrade() -> None:
    op.execute(
        "DELETE FROM idea_search WHERE rowid IN "
        "(SELECT number FROM idea WHERE deleted_at IS NOT NULL)"
    )
    for name in SPARSE:
        op.drop_index(name, "idea")
    for name, (table, _) in FOREIGN_KEYS.items():
        op.drop_index(name, table)
    op.drop_column("idea", "lost_parent_id")
