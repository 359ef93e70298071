"""Stores suggestions of brainstorms, and what people decide about them."""

from collections.abc import Sequence
from contextlib import suppress

from sqlmodel import Session, col, select

from service.errors import Conflict, InvalidInput, NotFound
from service.messages import Text
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.fields import UNFINISHED
from service.schemas.ideas import IdeaCreate, IdeaPublic, IdeaUpdate
from service.schemas.identity import now
from service.store.database import Database
from service.store.ideas import IdeaStore, found
from service.store.limits import Limits
from service.store.own_runs import OwnRuns
from service.store.tables import Board, Idea, Run, Suggestion

STORED_FIELDS = {"id", "angle", "title", "text", "origin", "written_for", "likeness", "fit"}
INSPIRED = ("bank", "board")
KEPT = Text("This suggestion is an idea now. Delete the idea instead.")


class SuggestionStore:
    def __init__(self, database: Database, limits: Limits, ideas: IdeaStore, own: OwnRuns) -> None:
        self._database = database
        self._limits = limits
        self._ideas = ideas
        self._own = own

    def add(self, run_id: str, position: int, shape: SuggestionPublic) -> None:
        """Stores a suggestion, without the ideas it refers to if they were deleted for good meanwhile.

        Raises: LeaseLost, NotFound
        """
        referred = {shape.similar_to, shape.copied_from} - {None}
        with self._database.write() as session:
            self._own.check(session, run_id)
            wanted = select(Idea.id).where(col(Idea.id).in_(referred))
            there = set(session.exec(wanted)) if referred else set()
            session.add(
                Suggestion(
                    run_id=run_id,
                    position=position,
                    similar_to=shape.similar_to if shape.similar_to in there else None,
                    copied_from=shape.copied_from if shape.copied_from in there else None,
                    **shape.model_dump(include=STORED_FIELDS),
                )
            )

    def get(self, suggestion_id: str) -> tuple[str, SuggestionPublic]:
        """Returns the run's id and the suggestion."""
        with self._database.read() as session:
            row = _found(session, suggestion_id)
            return row.run_id, _public(row)

    def titles(self, suggestion_ids: Sequence[str]) -> dict[str, str]:
        with self._database.read() as session:
            rows = session.exec(
                select(Suggestion.id, Suggestion.title).where(
                    col(Suggestion.id).in_(suggestion_ids)
                )
            )
            return dict(rows.all())

    def inspired_titles(self, board_id: str) -> frozenset[str]:
        """The titles of the ideas of the bank and of other boards ever suggested on the board."""
        with self._database.read() as session:
            titles = session.exec(
                select(Suggestion.title)
                .join(Run, col(Suggestion.run_id) == Run.id)
                .where(Run.board_id == board_id, col(Suggestion.origin).in_(INSPIRED))
            )
            return frozenset(titles)

    def of_run(self, run_id: str) -> list[SuggestionPublic]:
        """Returns the run's suggestions, each followed by those that replaced it."""
        with self._database.read() as session:
            return [_public(row) for row in _with_replacements(session, run_id)]

    def keep(
        self, suggestion_id: str, *, title: str | None = None, body: str | None = None
    ) -> tuple[IdeaPublic, bool]:
        """Makes the suggestion an idea; the flag is True if it was not one before.

        The first version is the model's text. If the person edited it, a second version follows.

        Raises:
            Conflict: the run's board was deleted.
        """
        self._limits.check(title=title, body=body)
        with self._database.write() as session:
            row = _found(session, suggestion_id)
            if row.state == "kept" and row.idea_id is not None:
                return self._ideas.public_in(session, row.idea_id), False
            idea = self._keep_in(session, row)
            edit = IdeaUpdate(title=title, body=body)
            if (title or row.title, row.text if body is None else body) != (row.title, row.text):
                idea = self._ideas.update_in(
                    session, found(session, idea.id), edit, origin="human", run_id=None
                )
            return idea, True

    def keep_many(
        self, run_id: str, suggestion_ids: Sequence[str] | None = None
    ) -> list[IdeaPublic]:
        """Makes these suggestions ideas, or all open ones, in their order; all or none.

        Raises:
            InvalidInput: a suggestion does not belong to this run.
            Conflict: the run's board was deleted.
        """
        with self._database.write() as session:
            rows = {row.id: row for row in _with_replacements(session, run_id)}
            unknown = [one for one in suggestion_ids or () if one not in rows]
            if unknown:
                raise InvalidInput(
                    Text("The run has no suggestion %(id)s.", id=unknown[0]),
                    pointer="/suggestion_ids",
                )
            return [
                self._keep_in(session, row)
                for row in rows.values()
                if (row.state == "open" if suggestion_ids is None else row.id in suggestion_ids)
                and row.state != "kept"
            ]

    def discard(self, suggestion_id: str) -> SuggestionPublic:
        return self._mark(suggestion_id, "discarded")

    def avoid(self, suggestion_id: str) -> SuggestionPublic:
        """Discards the suggestion; the next ones for the run's question avoid resembling it."""
        return self._mark(suggestion_id, "avoided")

    def reopen(self, suggestion_id: str) -> SuggestionPublic:
        """Undoes a discard, or a keep whose idea was deleted."""
        return self._mark(suggestion_id, "open")

    def take_back(self, suggestion_id: str) -> SuggestionPublic:
        """Undoes a keep: the idea goes to the trash, and the suggestion is open again."""
        _, suggestion = self.get(suggestion_id)
        if suggestion.state == "kept" and suggestion.idea_id is not None:
            with suppress(NotFound):
                self._ideas.delete(suggestion.idea_id)
        return self.reopen(suggestion_id)

    def _mark(self, suggestion_id: str, state: str) -> SuggestionPublic:
        with self._database.write() as session:
            row = _found(session, suggestion_id)
            if row.state == "kept" and not (state == "open" and _is_gone(session, row.idea_id)):
                raise Conflict(KEPT)
            row.state = state
            row.idea_id = None
            row.decided_at = None if state == "open" else now()
            session.add(row)
            return _public(row)

    def _keep_in(self, session: Session, row: Suggestion) -> IdeaPublic:
        run = session.get(Run, row.run_id)
        board = None if run is None or run.board_id is None else session.get(Board, run.board_id)
        if run is None or board is None or board.deleted_at is not None:
            raise Conflict(Text("The board of this suggestion was deleted. Restore it first."))
        shape = IdeaCreate(
            board_id=board.id,
            title=row.title,
            body=row.text,
            status="kept",
            parent_id=run.idea_id,
        )
        idea = self._ideas.create_in(session, shape, origin=row.origin, run_id=run.id)
        row.state, row.idea_id, row.decided_at = "kept", idea.id, now()
        session.add(row)
        return idea


def _is_gone(session: Session, idea_id: str | None) -> bool:
    idea = session.exec(select(Idea).where(Idea.id == idea_id)).first()
    return idea is None or idea.deleted_at is not None


def mark_redrawn(session: Session, suggestion_id: str, run_id: str) -> None:
    """Notes, in the transaction that creates the run, that the run replaces the suggestion.

    Raises:
        Conflict: the suggestion is an idea now, or was already replaced.
    """
    row = _found(session, suggestion_id)
    if row.state == "kept":
        raise Conflict(KEPT)
    if row.redrawn_in is not None and not _made_no_suggestions(session, row.redrawn_in):
        raise Conflict(Text("This suggestion was already replaced by another one."))
    row.redrawn_in = run_id
    if row.state == "open":
        row.state, row.decided_at = "discarded", now()
    session.add(row)


def _made_no_suggestions(session: Session, run_id: str) -> bool:
    run = session.get(Run, run_id)
    is_over = run is not None and run.status not in UNFINISHED
    return is_over and not _of(session, run_id)


def _with_replacements(
    session: Session, run_id: str, seen: frozenset[str] = frozenset()
) -> list[Suggestion]:
    found: list[Suggestion] = []
    for row in _of(session, run_id):
        found.append(row)
        # References in an imported file may form a cycle.
        if row.redrawn_in is not None and row.redrawn_in not in seen | {run_id}:
            found += _with_replacements(session, row.redrawn_in, seen | {run_id})
    return found


def _of(session: Session, run_id: str) -> Sequence[Suggestion]:
    return session.exec(
        select(Suggestion).where(Suggestion.run_id == run_id).order_by(col(Suggestion.position))
    ).all()


def _found(session: Session, suggestion_id: str) -> Suggestion:
    row = session.get(Suggestion, suggestion_id)
    if row is None:
        raise NotFound(
            Text("There is no suggestion %(suggestion_id)s.", suggestion_id=suggestion_id)
        )
    return row


def _public(row: Suggestion) -> SuggestionPublic:
    return SuggestionPublic.model_validate(row, from_attributes=True)
