"""Writes boards, rankings and evaluations as Markdown for people and as CSV for spreadsheets.

It is pure. `readers` reads exported boards back.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from service.schemas.evaluation import TablePublic, TableRow
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.schemas.ranking import RankingPublic, StandingPublic
from service.transfer.text_escaping import (
    COLUMNS,
    COLUMNS_WITH_AUTHOR,
    board_mark,
    escape_formula,
    escape_marks,
    idea_mark,
    join_tags,
)

BoardWithIdeas = tuple[BoardPublic, Sequence[IdeaPublic]]
RANKING_COLUMNS = (
    *("rank", "title", "score", "low", "high", "comparisons"),
    *("strength", "standard_error", "idea_id"),
)


def markdown(boards: Iterable[BoardWithIdeas]) -> str:
    parts: list[str] = []
    for board, ideas in boards:
        parts += [f"# {board.name}", board_mark(board.id), escape_marks(board.goal)]
        for idea in ideas:
            parts += [f"## {idea.title}", _facts(idea), escape_marks(idea.body)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(idea: IdeaPublic) -> str:
    facts = [f"Status: {idea.status}{', starred' if idea.star else ''}"]
    if idea.tags:
        facts.append(f"Tags: {join_tags(idea.tags)}")
    if idea.score is not None:
        facts.append(f"Score: {idea.score:.1f}")
    if idea.author is not None:
        facts.append(f"By: {join_tags([idea.author.name])}")
    return f"{' · '.join(facts)} {idea_mark(idea.id)}"


def spreadsheet(boards: Iterable[BoardWithIdeas]) -> str:
    """Returns the ideas as CSV (RFC 4180), with a column of authors if there are any."""
    found = [(board, idea) for board, ideas in boards for idea in ideas]
    # A row has as many cells as there are columns; the author is the last.
    columns = COLUMNS_WITH_AUTHOR if any(idea.author for _, idea in found) else COLUMNS
    rows = (_cells(board, idea)[: len(columns)] for board, idea in found)
    return _csv(columns, ([escape_formula(cell) for cell in row] for row in rows))


def ranking_markdown(name: str, ranking: RankingPublic) -> str:
    """Returns a table of the ranked ideas, and below it the ideas that were never compared."""
    ranked = [one for one in ranking.ideas if one.rank is not None]
    others = [one for one in ranking.ideas if one.rank is None]
    judge = "people" if ranking.by == "people" else "the model"
    parts = [f"# {name}: ranked by {judge}", f"Comparisons: {ranking.comparisons}"]
    if ranked:
        head = (
            "| Rank | Idea | Score | Likely between | Comparisons |",
            "|---:|---|---:|---|---:|",
        )
        parts.append("\n".join((*head, *(_table_row(one) for one in ranked))))
    if others:
        parts.append("Not compared yet:")
        parts.append("\n".join(f"- {one.title}" for one in others))
    return "\n\n".join(parts) + "\n"


def _table_row(one: StandingPublic) -> str:
    title = one.title.replace("\\", "\\\\").replace("|", "\\|")
    likely = f"{one.low:.0f}–{one.high:.0f}"
    return f"| {one.rank} | {title} | {one.score:.0f} | {likely} | {one.comparisons} |"


def ranking_spreadsheet(ranking: RankingPublic) -> str:
    """Returns CSV (RFC 4180). Only texts are escaped, so negative numbers stay numbers."""
    return _csv(RANKING_COLUMNS, (_ranking_cells(one) for one in ranking.ideas))


def _ranking_cells(one: StandingPublic) -> list[str]:
    fields = one.model_dump()
    cells = ["" if fields[name] is None else str(fields[name]) for name in RANKING_COLUMNS]
    texts = ("title", "idea_id")
    return [
        escape_formula(cell) if name in texts else cell
        for name, cell in zip(RANKING_COLUMNS, cells, strict=True)
    ]


def table_spreadsheet(table: TablePublic) -> str:
    """Returns CSV (RFC 4180) with a column for each criterion's score and one for its spread."""
    names = [one.name for one in table.criteria]
    columns = ["rank", "title", "overall"]
    columns += [column for name in names for column in (name, f"{name} ±")]
    columns += ["stale", "evaluated_at", "idea_id"]
    rows = (_table_cells(row, names) for row in table.ideas)
    return _csv([escape_formula(column) for column in columns], rows)


def _table_cells(row: TableRow, names: Sequence[str]) -> list[str]:
    numbers = [number for name in names for number in (row.scores[name], row.spread[name])]
    return [
        _number(row.rank),
        escape_formula(row.title),
        *(_number(number) for number in (row.overall, *numbers)),
        "true" if row.is_stale else "false",
        "" if row.evaluated_at is None else row.evaluated_at.isoformat(),
        escape_formula(row.idea_id),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else str(value)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _cells(board: BoardPublic, idea: IdeaPublic) -> tuple[str, ...]:
    return (
        idea.id,
        board.name,
        idea.title,
        idea.body,
        idea.status,
        "true" if idea.star else "false",
        join_tags(idea.tags),
        "" if idea.score is None else f"{idea.score:.1f}",
        idea.created_at.isoformat(),
        idea.updated_at.isoformat(),
        "" if idea.author is None else idea.author.name,
    )
