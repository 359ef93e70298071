"""Exports everything in the database, and imports it again."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlmodel import Session, and_, col, or_, select

from service.actor import ACTOR, KeyScope, Role
from service.errors import InvalidInput, NotFound, RoleNeeded, ScopeNeeded
from service.messages import Text
from service.schemas.archive import Archive, RubricRow
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.schemas.identity import now
from service.schemas.imports import Imported
from service.store.access import require
from service.store.archive_checks import (
    check_ancestors,
    check_references,
    check_unique,
    check_versions,
    named_people,
    row_key,
)
from service.store.archive_files import add_contents, file_steps, taken_in, with_content
from service.store.archive_rows import Row, forget_missing
from service.store.archive_steps import archive_steps, rescoring_steps
from service.store.archive_trash import TrashedRows
from service.store.attachment_tables import Attachment
from service.store.authors import authors_of_ideas
from service.store.batches import Batches, Unwatched, Watch
from service.store.database import Database
from service.store.hidden_ideas import nameless_ideas
from service.store.limits import Limits
from service.store.lost_parents import connect_lost
from service.store.public_ideas import as_public
from service.store.row_insertion import TABLES, known_keys, places_of
from service.store.tables import (
    Board,
    Comparison,
    Evaluation,
    Idea,
    IdeaTag,
    IdeaVersion,
    Rubric,
    Run,
    Suggestion,
)
from service.store.team_tables import Comment, IdeaLike, Person
from service.store.trash_restoration import restoration_steps

_TEXTS = {"name": "title", "title": "title", "goal": "body", "body": "body", "text": "body"}
_NOT_EXPORTED = {
    "people": {"external_name", "seen_at", "removed_at"},
    "boards": {"deleted_at"},
    "ideas": {
        "number",
        "title_key",
        "scored_version",
        "lost_parent_id",
        "round_id",
        "deleted_at",
    },
    "runs": {"replica_id", "stop_requested_at"},
    "versions": {"id"},
    "rubrics": {"deleted_at"},
    "likes": {"liker"},
    "comments": {"deleted_at"},
    "attachments": {"deleted_at"},
}


class ArchiveStore:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def whole(self, board_id: str | None = None) -> Row:
        """Exports one board or all boards in the form of `Archive`, without deleted rows.

        A run is exported with its idea, or with its board if it has no idea. References to rows
        that are not in the archive become null.
        """
        with self._database.read() as session:
            _check_board(session, board_id)
            tags = _tags(session)
            sections = {
                name: [_exported(name, row, tags) for row in session.exec(selection)]
                for name, selection in _selections(board_id).items()
            }
            _count_places(sections["ideas"])
            _hide_authors(sections, nameless_ideas(session))
            sections["people"] = _people(session, sections)
            add_contents(session, sections["attachments"])
        forget_missing(sections)
        return {"format": "ideapool", "version": 4, "exported_at": now(), **sections}

    def readable(self, board_id: str | None = None) -> list[tuple[BoardPublic, list[IdeaPublic]]]:
        """Returns the boards, oldest first, with their ideas in the order they were added."""
        with self._database.read() as session:
            _check_board(session, board_id)
            boards = session.exec(_boards(Board, board_id).order_by(col(Board.created_at)))
            found: dict[str, tuple[BoardPublic, list[IdeaPublic]]] = {
                board.id: (BoardPublic.model_validate(board, from_attributes=True), [])
                for board in boards
            }
            tags, ideas = _tags(session), session.exec(_ideas(Idea, board_id)).all()
            names = authors_of_ideas(session, ideas)
            for idea in ideas:
                row = as_public(idea, tags.get(idea.number, []), author=names.get(idea.id))
                found[idea.board_id][1].append(row)
            return list(found.values())

    def add(
        self,
        archive: Archive,
        *,
        restore: bool = False,
        dry_run: bool = False,
        watch: Watch | None = None,
    ) -> Imported:
        """Adds everything in the archive that is new.

        Rows with a known id are left unchanged, or restored from the trash with `restore`.

        An existing idea keeps its own versions. An unfinished run is marked as interrupted,
        because no process here works on it.

        Raises:
            InvalidInput: with a JSON Pointer to a text that is too long, a repeated id, a reference
                to a missing row, a version newer than its idea's, or an idea that is its own
                ancestor. Nothing is stored then.
            ScopeNeeded: it names people, in whose name a key of that scope writes nothing.
            RoleNeeded: it names others, in whose name only owners write.
            Stopped: `watch` stopped it.
            Conflict, StorageUnavailable: as `Batches.write` says.
        """
        require(Role.EDITOR)
        _check_names(named_people(archive))
        self._check_texts(archive)
        check_unique(archive)
        check_ancestors(archive.ideas)
        check_versions(archive)
        with self._database.read() as session:
            plan = _ArchivePlan(session, self._limits, archive, restore=restore)
        plan.result.dry_run = dry_run
        if not dry_run:
            self._carry_out(plan, watch or Unwatched())
        return plan.result

    def _carry_out(self, plan: "_ArchivePlan", watch: Watch) -> None:
        files = taken_in(plan.new["attachments"])
        restored = plan.restored.ideas
        batches = Batches(self._database, watch, len(plan.new["ideas"]) + len(restored))
        batches.write(archive_steps(plan.new, plan.places))
        connect_lost(self._database, batches)
        batches.write(rescoring_steps(plan.evaluated))
        batches.write(file_steps(files))
        batches.write(restoration_steps(plan.restored.boards, restored))

    def _check_texts(self, archive: Archive) -> None:
        for name in TABLES.keys() - {"attachments"}:
            for place, row in enumerate(getattr(archive, name)):
                for field, kind in _TEXTS.items():
                    try:
                        self._limits.check(**{kind: getattr(row, field, None)})
                    except InvalidInput as error:
                        pointer = f"/{name}/{place}/{field}"
                        raise InvalidInput(
                            Text("%(pointer)s: %(detail)s", pointer=pointer, detail=error.detail),
                            pointer=pointer,
                        ) from error


def _check_names(people: Collection[str]) -> None:
    actor = ACTOR.get()
    if people and actor.scope < KeyScope.ADMIN:
        raise ScopeNeeded(
            Text(
                "The file says who wrote, voted, liked or commented. To import it needs a key with the "
                "scope “admin”. Yours lets through less."
            )
        )
    if actor.role is not Role.OWNER and any(one != actor.person_id for one in people):
        raise RoleNeeded(
            Text(
                "The file says what others wrote, voted, liked or commented. Only an owner imports it."
            )
        )


class _ArchivePlan:
    """What is new in an archive, and what of it is to be restored."""

    def __init__(
        self, session: Session, limits: Limits, archive: Archive, *, restore: bool
    ) -> None:
        known = {name: known_keys(session, name) for name in TABLES}
        check_references(archive, known)
        trashed = TrashedRows(session, archive)
        self.result = Imported()
        self.restored = trashed.chosen(restore=restore)
        self.new: dict[str, Sequence[Any]] = {}
        for name in TABLES:
            rows = getattr(archive, name)
            new = [row for row in rows if row_key(name, row) not in known[name]]
            if name == "attachments":
                new = with_content(session, limits, new, self.result)
            if name == "rubrics":
                new = _shown_once(new, known["boards"])
            self.new[name] = new
            setattr(self.result.added, name, len(new))
            setattr(self.result.already_there, name, len(rows) - len(new))
        trashed.describe(session, self.result, known["ideas"], restore=restore)
        self.places = places_of(session, self.new["ideas"])
        # Also of those that are there: an earlier import may have been stopped before it came to this.
        self.evaluated = list(dict.fromkeys(row.idea_id for row in archive.evaluations))


def _shown_once(rubrics: list[RubricRow], boards: set[str]) -> list[RubricRow]:
    """A board that is there already goes on showing the scores that it shows."""
    decided = set(boards)
    rows = []
    for row in rubrics:
        is_shown = row.is_shown and row.board_id not in decided
        rows.append(row.model_copy(update={"is_shown": is_shown}))
        if is_shown:
            decided.add(row.board_id)
    return rows


def _check_board(session: Session, board_id: str | None) -> None:
    if board_id is not None and session.exec(_boards(Board.id, board_id)).first() is None:
        raise NotFound(Text("There is no board %(board_id)s.", board_id=board_id))


def _boards(columns: Any, board_id: str | None) -> Any:
    statement = select(columns).where(col(Board.deleted_at).is_(None))
    return statement if board_id is None else statement.where(Board.id == board_id)


def _ideas(columns: Any, board_id: str | None) -> Any:
    return (
        select(columns)
        .where(col(Idea.deleted_at).is_(None), col(Idea.board_id).in_(_boards(Board.id, board_id)))
        .order_by(col(Idea.number))
    )


def _runs(columns: Any, board_id: str | None) -> Any:
    of_board: Any = col(Run.board_id).in_(_boards(Board.id, board_id))
    if board_id is None:
        of_board = or_(of_board, col(Run.board_id).is_(None))
    of_idea = col(Run.idea_id).in_(_ideas(Idea.id, board_id))
    return select(columns).where(or_(of_idea, and_(col(Run.idea_id).is_(None), of_board)))


def _selections(board_id: str | None) -> dict[str, Any]:
    ideas, runs = _ideas(Idea.id, board_id), _runs(Run.id, board_id)
    return {
        "boards": _boards(Board, board_id).order_by(col(Board.created_at), col(Board.id)),
        "ideas": _ideas(Idea, board_id),
        "versions": select(IdeaVersion)
        .where(col(IdeaVersion.idea_id).in_(ideas))
        .order_by(col(IdeaVersion.id)),
        "runs": _runs(Run, board_id).order_by(col(Run.created_at), col(Run.id)),
        "suggestions": select(Suggestion)
        .where(col(Suggestion.run_id).in_(runs))
        .order_by(col(Suggestion.run_id), col(Suggestion.position), col(Suggestion.id)),
        "rubrics": select(Rubric)
        .where(
            col(Rubric.board_id).in_(_boards(Board.id, board_id)), col(Rubric.deleted_at).is_(None)
        )
        .order_by(col(Rubric.created_at), col(Rubric.id)),
        "evaluations": select(Evaluation)
        .where(col(Evaluation.idea_id).in_(ideas), col(Evaluation.run_id).in_(runs))
        .order_by(col(Evaluation.created_at), col(Evaluation.id)),
        "comparisons": select(Comparison)
        .where(
            col(Comparison.board_id).in_(_boards(Board.id, board_id)),
            col(Comparison.first_id).in_(ideas),
            col(Comparison.second_id).in_(ideas),
        )
        .order_by(col(Comparison.created_at), col(Comparison.id)),
        "likes": select(IdeaLike)
        .where(col(IdeaLike.idea_id).in_(ideas))
        .order_by(col(IdeaLike.created_at), col(IdeaLike.idea_id), col(IdeaLike.liker)),
        "comments": select(Comment)
        .where(col(Comment.idea_id).in_(ideas), col(Comment.deleted_at).is_(None))
        .order_by(col(Comment.created_at), col(Comment.id)),
        "attachments": select(Attachment)
        .where(col(Attachment.idea_id).in_(ideas), col(Attachment.deleted_at).is_(None))
        .order_by(col(Attachment.created_at), col(Attachment.id)),
    }


def _people(session: Session, sections: dict[str, list[Row]]) -> list[Row]:
    """The people who made something that is exported."""
    made = {row["person_id"] for rows in sections.values() for row in rows if row.get("person_id")}
    people = session.exec(select(Person).order_by(col(Person.created_at), col(Person.id)))
    return [_exported("people", one, {}) for one in people if one.id in made]


def _tags(session: Session) -> dict[int | None, list[str]]:
    tags: dict[int | None, list[str]] = {}
    for row in session.exec(select(IdeaTag).order_by(col(IdeaTag.name))):
        tags.setdefault(row.idea_number, []).append(row.name)
    return tags


def _exported(name: str, row: Any, tags: dict[int | None, list[str]]) -> Row:
    fields: Row = row.model_dump(exclude=_NOT_EXPORTED.get(name))
    return fields | {"tags": tags.get(row.number, [])} if name == "ideas" else fields


def _count_places(ideas: list[Row]) -> None:
    """Counts the ideas of each board from the last to the first, in place."""
    counts: dict[str, int] = {}
    # They are in the order of their numbers, which decides between equal places.
    for row in sorted(ideas, key=lambda row: row["place"]):
        counts[row["board_id"]] = counts.get(row["board_id"], 0) + 1
        row["place"] = counts[row["board_id"]]


def _hide_authors(sections: dict[str, list[Row]], nameless: set[str]) -> None:
    """Removes who wrote these ideas, in place."""
    for name, key in (("ideas", "id"), ("versions", "idea_id")):
        for row in sections[name]:
            if row[key] in nameless:
                row["person_id"] = None
