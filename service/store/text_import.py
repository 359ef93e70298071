"""Imports the ideas of a text file, so that importing the same file twice adds nothing.

An idea without an id gets one that is computed from its board and its text. A board without an id
gets one from its name. The id stays the same when the idea or the board is edited later.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from sqlmodel import Session, col, select

from service.actor import Role
from service.errors import InvalidFile, InvalidInput, NotFound
from service.messages import Text
from service.schemas.archive import BoardRow, IdeaRow, VersionRow
from service.schemas.ideas import IdeaUpdate
from service.schemas.identity import now
from service.schemas.imports import (
    SHOWN_IDEAS,
    BoardDraft,
    Draft,
    Imported,
    ImportedIdea,
    ImportPolicy,
    ParsedFile,
    Reason,
)
from service.store.access import require
from service.store.archive_steps import NewRows, archive_steps
from service.store.batches import Batches, Unwatched, Watch
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.ideas import IdeaStore, found
from service.store.limits import Limits
from service.store.lost_parents import connect_lost
from service.store.row_insertion import TABLES, Places, places_of
from service.store.tables import Board, Idea, IdeaTag
from service.store.trash_restoration import restoration_steps

# It must never change: with another namespace, files imported before would be added again.
_NAMESPACE = UUID("5f0a3a2e-7c1b-4f5d-9a55-0d6b2c5e8f31")
SHOWN_FAULTS = 20


def stable_id(*parts: str) -> str:
    """Returns the same id for the same parts, always."""
    return str(uuid5(_NAMESPACE, "\n".join(parts)))


class TextImportStore:
    def __init__(self, database: Database, limits: Limits, ideas: IdeaStore) -> None:
        self._database = database
        self._limits = limits
        self._ideas = ideas

    def add(
        self,
        parsed: ParsedFile,
        policy: ImportPolicy,
        *,
        dry_run: bool = False,
        watch: Watch | None = None,
    ) -> Imported:
        """Adds everything in the file that is new.

        Existing ideas are matched by id, then by text on the same board. They are left unchanged
        unless `policy` says otherwise.

        Raises:
            InvalidFile: a text is too long. Nothing is stored then.
            NotFound: the board does not exist. Nothing is stored then.
            Stopped: `watch` stopped it.
            Conflict, StorageUnavailable: as `Batches.write` says.
        """
        self._check(parsed)
        with self._database.read() as session:
            plan = _ImportPlan(session, parsed, policy)
            plan.decide()
        plan.result.dry_run = dry_run
        plan.result.left_out = parsed.left_out[:SHOWN_IDEAS]
        if not dry_run:
            self._carry_out(plan, watch or Unwatched())
        return plan.result

    def _check(self, parsed: ParsedFile) -> None:
        faults = []
        texts = [(one.line, one.name, one.goal) for one in parsed.boards.values()]
        texts += [(one.line, one.title, one.body) for one in parsed.ideas]
        for line, title, body in texts:
            try:
                self._limits.check(title=title, body=body)
            except InvalidInput as error:
                faults.append((line, 1, error.detail))
        if faults:
            raise InvalidFile(faults[:SHOWN_FAULTS])

    def _carry_out(self, plan: "_ImportPlan", watch: Watch) -> None:
        changed = {idea_id for idea_id, _ in plan.updates} | plan.restored_ideas.keys()
        batches = Batches(self._database, watch, len(plan.new_ideas) + len(changed))
        batches.write(archive_steps(plan.new_rows(), plan.places))
        connect_lost(self._database, batches)
        batches.write(restoration_steps(plan.restored_boards, plan.restored_ideas))
        batches.write(
            partial(self._change, idea_id=idea_id, shape=shape, plan=plan)
            for idea_id, shape in plan.updates
        )

    def _change(
        self, session: Session, idea_id: str, shape: IdeaUpdate, plan: "_ImportPlan"
    ) -> int:
        # Somebody may have deleted it, or a board that it is to move to, since the file was read.
        with suppress(NotFound):
            idea = found(session, idea_id)
            self._ideas.update_in(session, idea, shape, origin="import", run_id=None)
        # Those that were restored are counted already.
        return int(idea_id not in plan.restored_ideas)


@dataclass(frozen=True, slots=True)
class _StoredIdea:
    id: str
    board_id: str
    title: str
    body: str
    status: str
    star: bool
    number: int | None
    is_deleted: bool


@dataclass(slots=True)
class _TargetBoard:
    """A board that gets ideas; `texts` maps (title, body) to the id of an idea on it."""

    id: str
    name: str
    texts: dict[tuple[str, str], str] = field(default_factory=dict)


class _ImportPlan:
    """Decides what the import does with each idea of a file."""

    def __init__(self, session: Session, parsed: ParsedFile, policy: ImportPolicy) -> None:
        self.result = Imported()
        self.new_boards: list[BoardRow] = []
        self.new_ideas: list[IdeaRow] = []
        self.new_versions: list[VersionRow] = []
        self.updates: list[tuple[str, IdeaUpdate]] = []
        self.restored_boards: list[str] = []
        self.restored_ideas: dict[str, str] = {}
        self.places: Places = {}
        self._session = session
        self._parsed = parsed
        self._policy = policy
        self._moment = now()
        self._boards = {board.id: board for board in session.exec(select(Board))}
        self._targets: dict[str | None, _TargetBoard] = {}
        self._known = self._known_ideas()
        # Some belong to ideas that whoever imports may not see.
        all_ids = select(Idea.id).execution_options(**ALL_OF_THEM)
        self._unseen = set(session.exec(all_ids)) - self._known.keys()
        self._seen: set[str] = set()
        self._ids: list[str] = []

    def decide(self) -> None:
        for board in self._parsed.boards:
            self._target(board)
        for draft in self._parsed.ideas:
            self._place(draft)
        self.places = places_of(self._session, self.new_ideas)

    def new_rows(self) -> NewRows:
        """The new rows by their sections in an archive."""
        new = dict.fromkeys(TABLES, ())
        return new | {
            "boards": self.new_boards,
            "ideas": self.new_ideas,
            "versions": self.new_versions,
        }

    def _place(self, draft: Draft) -> None:
        target = self._target(draft.board)
        text = (draft.title, draft.body)
        is_own = draft.id is not None and draft.id not in self._unseen
        idea_id = draft.id if is_own and draft.id else stable_id(target.id, *text)
        reason: Reason = ""
        known = self._known.get(idea_id)
        if idea_id in self._seen:
            reason = "twice"
        elif known is not None:
            reason = "deleted" if self._is_deleted(known) else "there"
        elif draft.id is None and text in target.texts:
            idea_id, reason = target.texts[text], "same-text"
            known = self._known[idea_id]
            reason = "twice" if idea_id in self._seen else reason
        self._ids.append(idea_id)
        self._seen.add(idea_id)
        if not reason:
            self._add(draft, idea_id, target)
        elif self._policy.restore and known is not None and reason == "deleted":
            self._restore(draft, known, target)
        elif self._policy.update and known is not None and reason in ("there", "same-text"):
            self._change(draft, known, target, reason)
        else:
            self._report(
                ImportedIdea(action="skip", reason=reason, **_shown(draft, idea_id, target))
            )

    def _add(self, draft: Draft, idea_id: str, target: _TargetBoard) -> None:
        created = draft.created_at or self._moment
        row = IdeaRow(
            id=idea_id,
            board_id=target.id,
            title=draft.title,
            body=draft.body,
            status=draft.status or "draft",
            star=bool(draft.star),
            tags=draft.tags or [],
            parent_id=None if draft.parent is None else self._ids[draft.parent],
            origin="import",
            version=1,
            revision=1,
            score=None,
            created_at=created,
            updated_at=draft.updated_at or created,
        )
        fields = row.model_dump(include={"title", "body", "origin", "created_at"})
        self.new_ideas.append(row)
        self.new_versions.append(VersionRow(idea_id=idea_id, number=1, run_id=None, **fields))
        self.result.added.versions += 1
        self._report(ImportedIdea(action="add", **_shown(draft, idea_id, target)))

    def _restore(self, draft: Draft, known: _StoredIdea, target: _TargetBoard) -> None:
        self.restored_ideas[known.id] = target.id
        changes = self._changes(draft, known, target) if self._policy.update else []
        shown = _shown(draft, known.id, target)
        self._report(ImportedIdea(action="restore", changes=changes, **shown))

    def _change(
        self, draft: Draft, known: _StoredIdea, target: _TargetBoard, reason: Reason
    ) -> None:
        changes, shown = self._changes(draft, known, target), _shown(draft, known.id, target)
        if changes:
            self._report(ImportedIdea(action="change", changes=changes, **shown))
        else:
            self._report(ImportedIdea(action="skip", reason=reason, **shown))

    def _changes(self, draft: Draft, known: _StoredIdea, target: _TargetBoard) -> list[str]:
        """Plans the update of an idea; returns the names of the fields that change."""
        wanted: dict[str, Any] = {"title": draft.title, "body": draft.body}
        wanted |= {"status": draft.status, "star": draft.star, "tags": draft.tags}
        wanted["board_id"] = None if draft.board is None else target.id
        present = {name: getattr(known, name) for name in wanted if name != "tags"}
        if draft.tags is not None:
            present["tags"] = self._tags(known)
            wanted["tags"] = sorted(draft.tags)
        changes = {
            name: value
            for name, value in wanted.items()
            if value is not None and value != present.get(name)
        }
        if changes:
            self.updates.append((known.id, IdeaUpdate(**changes)))
        return ["board" if name == "board_id" else name for name in changes]

    def _report(self, idea: ImportedIdea) -> None:
        counts = {
            "add": self.result.added,
            "change": self.result.changed,
            "restore": self.result.restored,
            "skip": self.result.already_there,
        }[idea.action]
        counts.ideas += 1
        self.result.in_trash += idea.reason == "deleted"
        if len(self.result.ideas) < SHOWN_IDEAS:
            self.result.ideas.append(idea)

    def _target(self, key: str | None) -> _TargetBoard:
        if key not in self._targets:
            board = self._chosen_board() if key is None else self._board(self._parsed.boards[key])
            require(Role.EDITOR, board.id)
            self._targets[key] = self._with_texts(board)
        return self._targets[key]

    def _chosen_board(self) -> Board | BoardRow:
        there = [board for board in self._boards.values() if board.deleted_at is None]
        if (chosen := self._policy.board_id) is not None:
            there = [board for board in there if board.id == chosen]
        if not there:
            raise NotFound(Text("There is no board %(board_id)s.", board_id=chosen))
        return min(there, key=lambda board: board.created_at)

    def _board(self, draft: BoardDraft) -> Board | BoardRow:
        """Finds the board by id, then by name; otherwise plans to restore or to create it."""
        there = [board for board in self._boards.values() if board.deleted_at is None]
        by_name = [board for board in there if board.name.casefold() == draft.name.casefold()]
        by_id = [board for board in there if board.id == draft.id]
        if by_id or by_name:
            self.result.already_there.boards += 1
            return by_id[0] if by_id else min(by_name, key=lambda board: board.created_at)
        new_id, tries = draft.id or stable_id("board", draft.name), 1
        if self._policy.restore and new_id in self._boards:
            self.result.restored.boards += 1
            self.restored_boards.append(new_id)
            return self._boards[new_id]
        taken = self._boards.keys() | {row.id for row in self.new_boards}
        while new_id in taken:
            # The id belongs to a deleted board, which keeps its ideas.
            new_id, tries = stable_id("board", draft.name, str(tries)), tries + 1
        row = BoardRow(
            id=new_id,
            name=draft.name,
            goal=draft.goal,
            created_at=self._moment,
            updated_at=self._moment,
        )
        self.new_boards.append(row)
        self.result.added.boards += 1
        return row

    def _with_texts(self, board: Board | BoardRow) -> _TargetBoard:
        texts = {
            (idea.title, idea.body): idea.id
            for idea in self._known.values()
            if idea.board_id == board.id and not idea.is_deleted
        }
        return _TargetBoard(board.id, board.name, texts)

    def _known_ideas(self) -> dict[str, _StoredIdea]:
        rows = self._session.exec(
            select(  # type: ignore[call-overload]
                *(Idea.id, Idea.board_id, Idea.title, Idea.body),
                *(Idea.status, Idea.star, Idea.number, col(Idea.deleted_at).is_not(None)),
            )
        )
        return {row[0]: _StoredIdea(*row) for row in rows}

    def _is_deleted(self, known: _StoredIdea) -> bool:
        return known.is_deleted or self._boards[known.board_id].deleted_at is not None

    def _tags(self, known: _StoredIdea) -> list[str]:
        names = select(IdeaTag.name).where(IdeaTag.idea_number == known.number)
        return sorted(self._session.exec(names))


def _shown(draft: Draft, idea_id: str, target: _TargetBoard) -> dict[str, Any]:
    return {"id": idea_id, "title": draft.title, "board": target.name, "line": draft.line}
