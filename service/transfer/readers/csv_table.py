"""Reads CSV: Ideapool's own export exactly, and any other table with a header.

Columns are recognised by the names that other programs use, or chosen by the caller.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from service.errors import InvalidFile, InvalidInput
from service.messages import Text
from service.schemas.imports import NO_COLUMN, BoardDraft, Draft, LeftOut, ParsedFile
from service.transfer.readers.drafting import Faults
from service.transfer.text_escaping import (
    COLUMNS,
    COLUMNS_WITH_AUTHOR,
    KEY,
    split_tags,
    unescape_formula,
)

# Field -> its names in other programs.
_NAMES = {
    "id": ("id",),
    "board": (
        *("board", "board_name", "project", "project_name", "projects"),
        *("list", "list_name", "category"),
    ),
    "title": (
        *("title", "name", "idea", "summary", "subject", "headline"),
        *("card_name", "card_title", "task_name", "task", "issue_name", "item_name", "item"),
    ),
    "body": (
        *("body", "text", "description", "notes", "note", "details", "content"),
        *("card_description", "task_description", "issue_description"),
    ),
    "status": ("status", "state"),
    "star": ("star", "starred", "favourite", "favorite"),
    "tags": ("tags", "tag", "labels", "label", "keywords", "card_labels"),
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
}
_NONE: Mapping[str, str] = MappingProxyType({})
_YES = {"true", "yes", "1", "x", "★", "*"}
_NO = {"", "false", "no", "0"}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _Table:
    """`columns` maps fields to column indexes, `tags` are the indexes of columns with tags. Ids are
    kept unchanged if `is_own` is true.
    """

    columns: dict[str, int]
    tags: tuple[int, ...]
    width: int
    is_own: bool


def has_header(text: str) -> bool:
    """Whether the first row names several columns, one of them a title."""
    try:
        line, header = next(_rows(text), (1, []))
        return len(header) > 1 and _table(line, header).width > 1
    except InvalidFile:
        return False


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a table's columns, and which of them each field is taken from."""

    names: list[str]
    taken: dict[str, str]
    is_own: bool


def header_of(text: str, chosen: Mapping[str, str] = _NONE) -> Header:
    """Raises: InvalidFile, InvalidInput."""
    _, cells = next(_rows(text), (1, []))
    columns = _columns(cells, chosen)
    names = [cell.strip() for cell in cells]
    taken = {field: names[place] for field, place in columns.items()}
    return Header(names, taken, is_own=_is_own(_plain(cells)))


def read_csv(text: str, chosen: Mapping[str, str] = _NONE) -> ParsedFile:
    """`chosen` names the columns of fields; the others are found by what they are called."""
    rows = _rows(text)
    line, header = next(rows, (1, []))
    table = _table(line, header, chosen)
    parsed, faults = ParsedFile(), Faults()
    _report_ignored_columns(parsed, line, header, table)
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > table.width:
            what = Text(
                "This row has %(cells)s cells, but the header has %(columns)s.",
                cells=len(cells),
                columns=table.width,
            )
            faults.add(line, table.width + 1, what)
            continue
        parsed.ideas.append(_Row(table, line, cells, faults).draft(parsed))
    faults.check()
    return parsed


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yields each row with the line on which it begins."""
    # A cell may be as large as the file, which has a limit of its own.
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    line = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            what = Text("This row is not valid CSV: %(why)s.", why=str(error))
            raise InvalidFile([(line, 1, what)]) from error
        if row is None:
            return
        if row:
            yield line, row
        line = reader.line_num + 1


def _delimiter(text: str) -> str:
    # Only the first row is looked at, and without a group that repeats: it takes memory for each
    # character of a cell.
    text = text.lstrip("\r\n")
    pieces = re.finditer(r'"[^"]*+"|\n', text)
    end = next((piece.start() for piece in pieces if piece.group() == "\n"), len(text))
    first = re.sub(r'"[^"]*+"', "", text[:end])
    return max(",;\t", key=first.count)


def _table(line: int, header: Sequence[str], chosen: Mapping[str, str] = _NONE) -> _Table:
    columns = _columns(header, chosen)
    if "title" not in columns:
        shown = ", ".join(name.strip()[:40] for name in header[:10]) or "–"
        what = Text(
            "No column is called title, name, idea or summary. The first row has: %(found)s. Choose "
            "the title column, or import the file as plain text.",
            found=shown,
        )
        raise InvalidFile([(line, 1, what)])
    names = _plain(header)
    first = columns.get("tags")
    # Some programs repeat the column for each further tag.
    tags = tuple(
        place for place, name in enumerate(names) if first is not None and name == names[first]
    )
    return _Table(columns, tags, len(header), is_own=_is_own(names))


def _is_own(names: Sequence[str]) -> bool:
    return tuple(names) in (COLUMNS, COLUMNS_WITH_AUTHOR)


def _columns(header: Sequence[str], chosen: Mapping[str, str]) -> dict[str, int]:
    names = _plain(header)
    columns = {
        field: _place_of(field, name, header) for field, name in chosen.items() if name != NO_COLUMN
    }
    taken = set(columns.values())
    for field, called in _NAMES.items():
        found = [names.index(name) for name in called if name in names]
        if found and field not in chosen and found[0] not in taken:
            columns[field] = found[0]
    return columns


def _place_of(field: str, name: str, header: Sequence[str]) -> int:
    names, wanted = _plain(header), _plain([name])[0]
    if wanted not in names:
        shown = ", ".join(one.strip()[:40] for one in header[:10]) or "–"
        raise InvalidInput(
            Text(
                "The file has no column “%(name)s”. It has: %(found)s.",
                name=name[:40],
                found=shown,
            ),
            pointer=f"/{field}_column",
        )
    return names.index(wanted)


def _plain(header: Sequence[str]) -> list[str]:
    return [re.sub(r"[\s-]+", "_", name.strip().casefold()) for name in header]


def _report_ignored_columns(
    parsed: ParsedFile, line: int, header: Sequence[str], table: _Table
) -> None:
    used = {*table.columns.values(), *table.tags}
    ignored = [name.strip()[:80] for place, name in enumerate(header) if place not in used]
    if ignored and not table.is_own:
        parsed.left_out.append(
            LeftOut(line=line, text=Text("Ignored columns: %(names)s", names=", ".join(ignored)))
        )


class _Row:
    def __init__(self, table: _Table, line: int, cells: Sequence[str], faults: Faults) -> None:
        self._table = table
        self._line = line
        self._cells = cells
        self._faults = faults

    def draft(self, parsed: ParsedFile) -> Draft:
        faults, line = self._faults, self._line
        board = self._board(parsed)
        tags, status = self._tags(), self._cell("status")
        return Draft(
            line,
            faults.title(self._cell("title") or "", *self._place("title")),
            faults.body(self._cell("body") or "", *self._place("body")),
            id=self._id(),
            board=board,
            status=faults.status(status, *self._place("status")) if status else None,
            star=self._star(),
            tags=None if tags is None else faults.tags(tags, *self._place("tags")),
            created_at=self._moment("created_at"),
            updated_at=self._moment("updated_at"),
        )

    def _place(self, field: str) -> tuple[int, int]:
        return self._line, self._table.columns.get(field, 0) + 1

    def _cell(self, field: str) -> str | None:
        place = self._table.columns.get(field)
        return (
            None
            if place is None or place >= len(self._cells)
            else unescape_formula(self._cells[place])
        )

    def _tags(self) -> list[str] | None:
        if not self._table.tags:
            return None
        cells = [self._cells[place] for place in self._table.tags if place < len(self._cells)]
        names = [name for cell in cells for name in split_tags(unescape_formula(cell))]
        return list(dict.fromkeys(names))

    def _board(self, parsed: ParsedFile) -> str | None:
        cell = self._cell("board")
        if not cell or not cell.strip():
            return None
        name = self._faults.title(cell, *self._place("board"))
        parsed.boards.setdefault(name, BoardDraft(self._line, name))
        return name

    def _id(self) -> str | None:
        """Returns the id. From other programs only UUIDs count, because every tracker has a 17."""
        cell = (self._cell("id") or "").strip()
        if self._table.is_own and cell:
            if not re.fullmatch(KEY, cell):
                what = Text("An id has at most 64 letters, digits, - and _.")
                self._faults.add(*self._place("id"), what)
            return cell
        return cell if _UUID.fullmatch(cell) else None

    def _star(self) -> bool | None:
        cell = self._cell("star")
        if cell is None:
            return None
        word = cell.strip().casefold()
        if word not in _YES | _NO:
            what = Text("“%(word)s” is neither true nor false.", word=word[:20])
            self._faults.add(*self._place("star"), what)
        return word in _YES

    def _moment(self, field: str) -> Any:
        cell = (self._cell(field) or "").strip()
        if not cell:
            return None
        try:
            moment = datetime.fromisoformat(cell)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            what = Text(
                "“%(word)s” is not a valid time. Write it as 2026-01-31T12:00:00+00:00.",
                word=cell[:40],
            )
            self._faults.add(*self._place(field), what)
            return None
