"""Divides the new rows of an archive into steps, each of which leaves the database consistent.

An idea is new together with its versions, so they are of one step, and so are the runs that wrote these
versions and the ideas that these runs are about. Usually that is one idea.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from service.schemas.archive import BoardRow, IdeaRow, RubricRow, VersionRow
from service.schemas.archive_runs import RunRow
from service.store import batches
from service.store.archive_checks import row_key
from service.store.batches import Step, parts
from service.store.row_insertion import (
    Places,
    insert_ideas,
    insert_missing,
    insert_rows,
    known_keys,
)
from service.store.scores import rescore
from service.store.tables import Idea

# They hang on ideas, runs and boards, and nothing hangs on them.
_LAST = ("suggestions", "evaluations", "comparisons", "likes", "comments")
NewRows = Mapping[str, Sequence[Any]]


@dataclass(slots=True)
class _Group:
    ideas: list[IdeaRow] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)

    def __len__(self) -> int:
        return max(len(self.ideas), len(self.runs), len(self.versions))

    def add(self, other: "_Group") -> None:
        self.ideas += other.ideas
        self.runs += other.runs
        self.versions += other.versions

    def write(self, session: Session, places: Places) -> int:
        known = known_keys(session, "ideas", self.ideas)
        insert_ideas(session, [idea for idea in self.ideas if idea.id not in known], places)
        insert_missing(session, "runs", self.runs)
        insert_rows(session, "versions", [row for row in self.versions if row.idea_id not in known])
        return len(self.ideas)


def archive_steps(new: NewRows, places: Places) -> Iterator[Step]:
    """Returns steps for all sections but the files of ideas."""
    yield from _insertions("people", new["people"])
    yield from _board_steps(new["boards"], new["rubrics"])
    groups = _Groups(new)
    for group in groups.together():
        yield partial(group.write, places=places)
    yield from _insertions("runs", groups.other_runs)
    for name in _LAST:
        yield from _insertions(name, new[name])


def rescoring_steps(idea_ids: Sequence[str]) -> Iterator[Step]:
    return (partial(_rescore, idea_ids=part) for part in parts(idea_ids))


def _insertions(name: str, rows: Sequence[Any]) -> Iterator[Step]:
    return (partial(_insert, name=name, rows=part) for part in parts(rows))


def _insert(session: Session, name: str, rows: Sequence[Any]) -> int:
    insert_missing(session, name, rows)
    return 0


def _board_steps(boards: Sequence[BoardRow], rubrics: Sequence[RubricRow]) -> Iterator[Step]:
    """A board comes with its rubrics: later it would go on showing the scores that it shows by then."""
    own: dict[str, list[RubricRow]] = {board.id: [] for board in boards}
    others: list[RubricRow] = []
    for row in rubrics:
        own.get(row.board_id, others).append(row)
    for part in parts(boards):
        yield partial(
            _insert_boards, boards=part, rubrics=[row for board in part for row in own[board.id]]
        )
    yield from _insertions("rubrics", others)


def _insert_boards(
    session: Session, boards: Sequence[BoardRow], rubrics: Sequence[RubricRow]
) -> int:
    insert_missing(session, "boards", boards)
    insert_missing(session, "rubrics", rubrics)
    return 0


class _Groups:
    """What must be written together. `other_runs` are the runs that wrote none of the versions."""

    def __init__(self, new: NewRows) -> None:
        self._ideas: dict[str, IdeaRow] = {row.id: row for row in new["ideas"]}
        self._order = {idea_id: place for place, idea_id in enumerate(self._ideas)}
        self._version_order = {
            (row.idea_id, row.number): place for place, row in enumerate(new["versions"])
        }
        self._runs: dict[str, RunRow] = {row.id: row for row in new["runs"]}
        self._versions: dict[str, list[VersionRow]] = {}
        for row in new["versions"]:
            self._versions.setdefault(row_key("versions", row), []).append(row)
        written_by = {row.run_id for row in new["versions"]}
        self.other_runs = [row for row in new["runs"] if row.id not in written_by]

    def together(self) -> Iterator[_Group]:
        """Groups in the order of their first ideas, small ones together."""
        group = _Group()
        for idea_id in self._order:
            group.add(self._around(idea_id))
            if len(group) >= batches.ROWS:
                yield self._sorted(group)
                group = _Group()
        if len(group):
            yield self._sorted(group)

    def _around(self, idea_id: str) -> _Group:
        group, waiting = _Group(), [idea_id]
        while waiting:
            idea = self._ideas.pop(waiting.pop(), None)
            if idea is None:
                continue
            group.ideas.append(idea)
            versions = self._versions.get(idea.id, [])
            runs = [run for row in versions if (run := self._runs.pop(row.run_id or "", None))]
            group.versions += versions
            group.runs += runs
            waiting += [run.idea_id for run in runs if run.idea_id is not None]
        return group

    def _sorted(self, group: _Group) -> _Group:
        group.ideas.sort(key=lambda idea: self._order[idea.id])
        group.versions.sort(key=lambda row: self._version_order[row.idea_id, row.number])
        return group


def _rescore(session: Session, idea_ids: Sequence[str]) -> int:
    boards: dict[str, list[str]] = {}
    for board_id, idea_id in session.exec(
        select(Idea.board_id, Idea.id).where(col(Idea.id).in_(idea_ids))
    ):
        boards.setdefault(board_id, []).append(idea_id)
    for board_id, ids in boards.items():
        rescore(session, board_id, ids)
    return 0
