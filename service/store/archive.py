"""Exports everything in the database, and imports it again."""

from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, SQLModel, and_, col, func, or_, select

from service.actor import ACTOR, KeyScope, Role
from service.errors import InvalidInput, NotFound, ScopeNeeded
from service.messages import Text
from service.schemas.archive import Archive, IdeaRow, RubricRow
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.schemas.identity import now
from service.schemas.imports import Imported
from service.store.access import require
from service.store.archive_checks import (
    check_ancestors,
    check_references,
    check_unique,
    check_versions,
    like_key,
    names_people,
    row_key,
)
from service.store.archive_files import add_contents, insert_files, with_content
from service.store.archive_rows import Row, forget_missing, values_of
from service.store.archive_trash import TrashedRows
from service.store.attachment_tables import Attachment
from service.store.authors import authors_of_ideas
from service.store.database import Database
from service.store.dialects import continue_numbers
from service.store.hidden_ideas import ALL_OF_THEM, nameless_ideas
from service.store.limits import Limits
from service.store.placing import places_for
from service.store.public_ideas import as_public
from service.store.purging import find_lost_parents
from service.store.scores import rescore
from service.store.search import index
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

# Section -> table, ordered so that the target of a reference comes before it.
_TABLES: dict[str, type[SQLModel]] = {
    "people": Person,
    "boards": Board,
    "ideas": Idea,
    "runs": Run,
    "versions": IdeaVersion,
    "suggestions": Suggestion,
    "rubrics": Rubric,
    "evaluations": Evaluation,
    "comparisons": Comparison,
    "likes": IdeaLike,
    "comments": Comment,
    "attachments": Attachment,
}
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

    def add(self, archive: Archive, *, restore: bool = False, dry_run: bool = False) -> Imported:
        """Adds everything in the archive that is new, or nothing.

        Rows with a known id are left unchanged, or restored from the trash with `restore`.

        An existing idea keeps its own versions. An unfinished run is marked as interrupted,
        because no process here works on it.

        Raises:
            InvalidInput: with a JSON Pointer to a text that is too long, a repeated id, a reference
                to a missing row, a version newer than its idea's, or an idea that is its own
                ancestor.
            ScopeNeeded: it names people, in whose name a key of that scope writes nothing.
        """
        require(Role.EDITOR)
        if names_people(archive) and ACTOR.get().scope < KeyScope.ADMIN:
            raise ScopeNeeded(
                Text(
                    "The file says who wrote, voted, liked or commented. To import it needs a key with the "
                    "scope “admin”. Yours lets through less."
                )
            )
        self._check_texts(archive)
        check_unique(archive)
        check_ancestors(archive.ideas)
        check_versions(archive)
        with self._database.write() as session:
            known = {name: _known(session, name) for name in _TABLES}
            check_references(archive, known)
            trashed = TrashedRows(session, archive)
            result = Imported(dry_run=dry_run)
            for name in _TABLES:
                rows = getattr(archive, name)
                new = [row for row in rows if row_key(name, row) not in known[name]]
                if name == "attachments":
                    new = with_content(session, self._limits, new, result)
                if name == "rubrics":
                    new = _shown_once(new, known["boards"])
                if not dry_run:
                    insert_rows(session, name, new)
                setattr(result.added, name, len(new))
                setattr(result.already_there, name, len(rows) - len(new))
            for board_id in {idea.board_id for idea in archive.ideas}:
                rescore(session, board_id)
            trashed.describe(result, known["ideas"], restore=restore)
            if restore and not dry_run:
                trashed.restore()
            return result

    def _check_texts(self, archive: Archive) -> None:
        for name in _TABLES.keys() - {"attachments"}:
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


def _known(session: Session, name: str) -> set[str]:
    if name == "likes":
        rows = session.exec(select(IdeaLike.idea_id, IdeaLike.liker))
        return {like_key(idea_id, liker) for idea_id, liker in rows}
    table: Any = Idea if name == "versions" else _TABLES[name]
    return set(session.exec(select(table.id).execution_options(**ALL_OF_THEM)))


def insert_rows(session: Session, name: str, rows: list[Any]) -> None:
    if not rows:
        return
    if name == "ideas":
        _insert_ideas(session, rows)
    elif name == "attachments":
        insert_files(session, rows)
    else:
        values = [values_of(row) for row in rows]
        session.connection().execute(insert(_TABLES[name]), values)


def _parents_first(ideas: list[Row]) -> list[Row]:
    """A parent may come later in the file; no idea is its own ancestor."""
    waiting = {idea["id"]: idea for idea in ideas}
    ordered: list[Row] = []
    for idea in ideas:
        line: list[Row] = []
        here: str | None = idea["id"]
        while here in waiting:
            line.append(waiting.pop(here))
            here = line[-1]["parent_id"]
        ordered += reversed(line)
    return ordered


def _insert_ideas(session: Session, rows: list[IdeaRow]) -> None:
    # There is one writer, so these numbers stay free until the transaction ends.
    first = (
        session.scalar(select(func.max(Idea.number)).execution_options(**ALL_OF_THEM)) or 0
    ) + 1
    values, tags, words = [], [], []
    places = places_for(session, [(row.board_id, row.place or 0) for row in rows])
    for number, (row, place) in enumerate(zip(rows, places, strict=True), start=first):
        names = list(dict.fromkeys(row.tags))
        more = {"number": number, "title_key": row.title.casefold(), "place": place}
        values.append(row.model_dump(exclude={"tags"}) | more)
        tags += [{"idea_number": number, "name": name} for name in names]
        words.append(
            {"number": number, "title": row.title, "body": row.body, "tags": " ".join(names)}
        )
    connection = session.connection()
    connection.execute(insert(Idea), _parents_first(values))
    continue_numbers(session, SQLModel.metadata.tables["idea"])
    if tags:
        connection.execute(insert(IdeaTag), tags)
    index(session, words)
    find_lost_parents(session)
