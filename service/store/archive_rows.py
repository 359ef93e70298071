"""Adapts rows for export and import: missing references, unfinished runs, fields older files lack."""

from typing import Any

from service.errors import record
from service.messages import Text
from service.schemas.archive import EvaluationRow, LikeRow
from service.schemas.archive_runs import RunRow
from service.schemas.evaluation import CriterionShape
from service.schemas.fields import UNFINISHED
from service.schemas.identity import now
from service.schemas.run_kinds import RECORDED_KINDS
from service.store.archive_checks import REFERENCES

Row = dict[str, Any]


def forget_missing(sections: dict[str, list[Row]]) -> None:
    """Sets references to rows that are not exported to null, in place."""
    ids = {name: {row.get("id") for row in rows} for name, rows in sections.items()}
    for name, references in REFERENCES.items():
        for row in sections[name]:
            for field, target in references.items():
                if row[field] not in ids[target]:
                    row[field] = None
    for run in sections["runs"]:
        if RECORDED_KINDS[run["kind"]].takes_ideas_one_by_one:
            _forget_ideas(run, ids["ideas"])


def _forget_ideas(run: Row, ideas: set[Any]) -> None:
    """Removes from a run over a board the ideas that are not in the archive."""
    wanted = [one for one in run["request"].pop("idea_ids", []) if one in ideas]
    if wanted:
        run["request"] = run["request"] | {"idea_ids": wanted}
    if run["result"] and "failed" in run["result"]:
        failed = [one for one in run["result"]["failed"] if one["idea_id"] in ideas]
        run["result"] = run["result"] | {"failed": failed}


def values_of(row: Any) -> Row:
    if isinstance(row, RunRow):
        return _with_end(row)
    if isinstance(row, EvaluationRow):
        return row.model_dump() | _scoring_details(row)
    if isinstance(row, LikeRow):
        return row.model_dump() | {"liker": row.person_id or ""}
    return dict(row.model_dump())


def _scoring_details(row: EvaluationRow) -> Row:
    """Fills in what older files lack, as far as it is certain."""
    criteria = row.criteria or [CriterionShape(name=name) for name in row.scores]
    # For mixed scoring the file does not say which criteria are calibrated, so none is called so.
    digits = [] if row.method == "head" else list(row.scores)
    return {
        "criteria": [one.model_dump() for one in criteria],
        "spread": row.spread or dict.fromkeys(row.scores),
        "uncalibrated": digits if row.uncalibrated is None else row.uncalibrated,
    }


def _with_end(run: RunRow) -> Row:
    if run.status not in UNFINISHED:
        return run.model_dump()
    detail = Text("This run had not finished when it was exported. Start it again.")
    error = record({"type": "interrupted", "detail": detail})
    return run.model_dump() | {"status": "interrupted", "finished_at": now(), "error": error}
