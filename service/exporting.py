"""Boards as Markdown to read and as CSV for spreadsheets; pure, and not meant to be read back."""

import csv
import io
from collections.abc import Iterable, Sequence

from service.shapes import BoardPublic, IdeaPublic

BoardWithIdeas = tuple[BoardPublic, Sequence[IdeaPublic]]
COLUMNS = (
    *("id", "board", "title", "body", "status", "star"),
    *("tags", "score", "created_at", "updated_at"),
)
# A spreadsheet runs a cell that begins so (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def markdown(boards: Iterable[BoardWithIdeas]) -> str:
    parts: list[str] = []
    for board, ideas in boards:
        parts += [f"# {board.name}", board.goal]
        for idea in ideas:
            parts += [f"## {idea.title}", _facts(idea), idea.body]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(idea: IdeaPublic) -> str:
    facts = [f"Status: {idea.status}{', starred' if idea.star else ''}"]
    if idea.tags:
        facts.append(f"Tags: {', '.join(idea.tags)}")
    if idea.score is not None:
        facts.append(f"Score: {idea.score:.1f}")
    return " · ".join(facts)


def spreadsheet(boards: Iterable[BoardWithIdeas]) -> str:
    """CSV by RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for board, ideas in boards:
        writer.writerows([_harmless(cell) for cell in _cells(board, idea)] for idea in ideas)
    return text.getvalue()


def _cells(board: BoardPublic, idea: IdeaPublic) -> tuple[str, ...]:
    return (
        idea.id,
        board.name,
        idea.title,
        idea.body,
        idea.status,
        "true" if idea.star else "false",
        ", ".join(idea.tags),
        "" if idea.score is None else f"{idea.score:.1f}",
        idea.created_at.isoformat(),
        idea.updated_at.isoformat(),
    )


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
