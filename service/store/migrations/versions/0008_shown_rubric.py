"""Which rubric a board's cards show the scores of; before, each card showed the newest of any."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine import Connection

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DEFAULT_NAMES = {"novelty", "feasibility", "impact", "clarity"}


def upgrade() -> None:
    # Not in a batch, which would make the table anew although evaluations refer to it.
    op.add_column("rubric", sa.Column("is_shown", sa.Boolean(), nullable=False, server_default="0"))
    # The cards of most boards then go on showing what they showed.
    op.execute(
        "UPDATE rubric SET is_shown = true WHERE deleted_at IS NULL AND id = ("
        "SELECT evaluation.rubric_id FROM evaluation JOIN idea ON idea.id = evaluation.idea_id "
        "WHERE idea.board_id = rubric.board_id "
        "ORDER BY evaluation.created_at DESC, evaluation.id DESC LIMIT 1)"
    )
    _rescore(op.get_bind())


def _rescore(connection: Connection) -> None:
    """Every idea that was evaluated gets the newest score by its board's rubric, or none."""
    if op.get_context().dialect.name == "postgresql":
        # There was none yet that could have evaluations.
        return
    rows = connection.exec_driver_sql(
        "SELECT evaluation.idea_id, evaluation.idea_version, evaluation.overall, "
        "evaluation.scores, evaluation.rubric_id, rubric.id "
        "FROM evaluation JOIN idea ON idea.id = evaluation.idea_id "
        "LEFT JOIN rubric ON rubric.board_id = idea.board_id AND rubric.is_shown = 1 "
        "ORDER BY evaluation.created_at, evaluation.id"
    ).all()
    newest: dict[str, tuple[float | None, int | None]] = {}
    for idea_id, version, overall, scores, rubric_id, shown_id in rows:
        newest.setdefault(idea_id, (None, None))
        is_default = shown_id is None and set(json.loads(scores)) == DEFAULT_NAMES
        if rubric_id == shown_id and (shown_id is not None or is_default):
            newest[idea_id] = (overall, version)
    for idea_id, (score, version) in newest.items():
        connection.exec_driver_sql(
            "UPDATE idea SET score = ?, scored_version = ? WHERE id = ?", (score, version, idea_id)
        )


def downgrade() -> None:
    op.drop_column("rubric", "is_shown")
