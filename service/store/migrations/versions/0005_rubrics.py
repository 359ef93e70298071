"""Adds rubrics, and the criteria, spread and uncalibrated criteria of evaluations."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine import Connection

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The wording that was asked with when no other was given.
DESCRIPTIONS = {
    "novelty": "how different the idea is from what already exists",
    "feasibility": "how well a small team could do it with ordinary means",
    "impact": "how much it would help those it is for",
    "clarity": "how well the note says what is done, for whom and how",
}


def upgrade() -> None:
    op.create_table(
        "rubric",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("board_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_rubric_board_id"), "rubric", ["board_id"])
    # By hand: Alembic adds a foreign key as a constraint of its own, which SQLite cannot.
    op.execute("ALTER TABLE evaluation ADD COLUMN rubric_id VARCHAR REFERENCES rubric (id)")
    for name, empty in (("criteria", "[]"), ("spread", "{}"), ("uncalibrated", "[]")):
        op.add_column(
            "evaluation", sa.Column(name, sa.JSON(), nullable=False, server_default=empty)
        )
    op.add_column("idea", sa.Column("scored_version", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE idea SET scored_version = (SELECT idea_version FROM evaluation "
        "WHERE evaluation.idea_id = idea.id ORDER BY created_at DESC LIMIT 1)"
    )
    _describe_evaluations(op.get_bind())


def _describe_evaluations(connection: Connection) -> None:
    """Reads criteria from the runs. Spread was not measured then, so it is empty."""
    if op.get_context().dialect.name == "postgresql":
        # There was none yet that could have evaluations.
        return
    rows = connection.exec_driver_sql(
        "SELECT evaluation.id, evaluation.scores, run.request, run.result "
        "FROM evaluation JOIN run ON run.id = evaluation.run_id"
    ).all()
    for row_id, scores, request, result in rows:
        names = list(json.loads(scores))
        given = (json.loads(request or "{}") or {}).get("criteria") or []
        scoring = (json.loads(result or "{}") or {}).get("scoring") or {}
        connection.exec_driver_sql(
            "UPDATE evaluation SET criteria = ?, spread = ?, uncalibrated = ? WHERE id = ?",
            (
                json.dumps([_criterion(name, given) for name in names]),
                json.dumps(dict.fromkeys(names)),
                json.dumps(scoring.get("uncalibrated", [])),
                row_id,
            ),
        )


def _criterion(name: str, given: list[Any]) -> dict[str, Any]:
    shape = next((one for one in given if isinstance(one, dict) and one["name"] == name), {})
    description = shape.get("description") or DESCRIPTIONS.get(name, "")
    return {"name": name, "description": description, "weight": 1.0}


def downgrade() -> None:
    for name in ("criteria", "spread", "uncalibrated", "rubric_id"):
        op.drop_column("evaluation", name)
    op.drop_column("idea", "scored_version")
    op.drop_table("rubric")
