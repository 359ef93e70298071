"""What the acting person may read and write, enforced in every transaction.

Whoever has roles on single boards only gets no row of another board, whatever a query asks for, so
that an id of another board is an unknown id. And no transaction stores a row of a board on which the
role is too low, nor a row that hangs on an idea or a run of it, such as a comment. The table of routes in
`service.web` refuses most of that before; this holds for ids in bodies, for lists and for searches, too.
What a statement changes without rows in the session, such as tags or a purge, only the table checks;
whoever inserts ideas so asks `require_writing`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from sqlalchemy import Select, bindparam, false, inspect
from sqlalchemy.orm import LoaderCriteriaOption, ORMExecuteState, with_loader_criteria
from sqlmodel import Session, SQLModel, and_, col, func, or_, select

from service.actor import ACTOR, Actor, KeyScope, Role
from service.errors import RoleNeeded, ScopeNeeded
from service.messages import Text
from service.schemas.identity import now
from service.store.attachment_tables import Attachment, AttachmentPart
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM, sees_all
from service.store.import_tables import FileImport
from service.store.replica_tables import PendingUpload, Presence, Replica, RunEvents
from service.store.tables import (
    ApiKey,
    Board,
    Change,
    Comparison,
    Evaluation,
    Idea,
    IdeaVersion,
    KeyedAnswer,
    Rubric,
    Run,
    Suggestion,
    TopicVector,
)
from service.store.team_tables import (
    Activity,
    Comment,
    IdeaLike,
    Invitation,
    Membership,
    Person,
    Webhook,
    WebhookCursor,
    WebhookDelivery,
    WritingRound,
)

# Rows that belong to no board, or that no route shows without asking for the board.
_UNBOUND: frozenset[type[Any]] = frozenset(
    {
        *(ApiKey, Change, KeyedAnswer, TopicVector),
        *(Invitation, Membership, Person, Webhook, WebhookCursor, WebhookDelivery),
        *(FileImport, PendingUpload, Replica, RunEvents, AttachmentPart),
    }
)
# What hangs on an idea or a run, by the column that leads there.
_HANGING: dict[type[Any], str] = {
    **dict.fromkeys((Comment, IdeaLike, IdeaVersion, Evaluation), "idea_id"),
    Suggestion: "run_id",
}
# Every other row of a board needs an editor. What only readers do, too, is stored by the way: that
# somebody is here, that the time of a round is up, or what happened.
_NEEDED: dict[type[Any], Role] = {
    Activity: Role.READER,
    Presence: Role.READER,
    WritingRound: Role.READER,
    Comparison: Role.COMMENTER,
    Comment: Role.COMMENTER,
    IdeaLike: Role.COMMENTER,
}
_NEEDS = {
    Role.READER: Text("This needs the role “reader”. An owner can give it to you."),
    Role.COMMENTER: Text("This needs the role “commenter”. An owner can give it to you."),
    Role.EDITOR: Text("This needs the role “editor”. An owner can give it to you."),
    Role.OWNER: Text("Only owners may do this."),
}
# Every key lets reading through.
_SCOPES = {
    KeyScope.WRITE: Text("This needs a key with the scope “write”. Yours may only read."),
    KeyScope.ADMIN: Text("This needs a key with the scope “admin”. Yours lets through less."),
}
_CRITERIA = "what_may_be_read"
# The boards of something, and who made it if it has no board.
Owned = Iterable[tuple[str | None, str | None]]


def role_needed(role: Role) -> RoleNeeded:
    return RoleNeeded(_NEEDS[role])


def require(role: Role, board_id: str = "") -> None:
    """Raises: RoleNeeded if the acting person does not have the role, by default on every board; and
    ScopeNeeded for what only owners may do, if the key does not let it through.
    """
    held = ACTOR.get().role_on(board_id)
    if held is None or held < role:
        raise role_needed(role)
    if role is Role.OWNER:
        require_scope(KeyScope.ADMIN)


def require_writing(board_id: str) -> None:
    """Raises: RoleNeeded or ScopeNeeded if the acting person may not write ideas on the board."""
    require(Role.EDITOR, board_id)
    require_scope(KeyScope.WRITE)


def require_scope(scope: KeyScope) -> None:
    """Raises: ScopeNeeded if the key of whoever acts lets through less."""
    if ACTOR.get().scope < scope:
        raise ScopeNeeded(_SCOPES[scope])


def limit_reading(state: ORMExecuteState) -> None:
    """Leaves the rows of boards that the acting person may not see out of a query."""
    actor = ACTOR.get()
    if actor.role is None and state.is_select and not sees_all(state):
        criteria = state.session.info.get(_CRITERIA)
        if criteria is None or criteria[0] is not actor:
            # Made once in a transaction: it takes longer than most queries.
            criteria = state.session.info[_CRITERIA] = (actor, tuple(_criteria(actor)))
        state.statement = state.statement.options(*criteria[1])


def check_writing(session: Session) -> None:
    """Raises: RoleNeeded or ScopeNeeded if the session is about to change a board on which the role is
    too low, or with a key that may only read.
    """
    actor = ACTOR.get()
    may_write = actor.scope > KeyScope.READ
    if may_write and actor.role is not None and actor.role >= Role.EDITOR:
        return
    for row in chain(session.new, filter(session.is_modified, session.dirty), session.deleted):
        needed = _NEEDED.get(type(row), Role.EDITOR)
        for board_id, person_id in _boards_of(session, row):
            held = _role_in(actor, board_id, person_id)
            if held is None or held < needed:
                raise role_needed(needed)
            if needed > Role.READER:
                require_scope(KeyScope.WRITE)


class AccessStore:
    """Answers which role the acting person has on the board of something."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def role_on(self, parameter: str, value: str) -> Role | None:
        """The role on the board of what a parameter of a route names, such as `idea_id`; None if there
        is no such thing, or if it is none of the person's business.
        """
        actor = ACTOR.get()
        if parameter == "board_id":
            return actor.role_on(value)
        with self._database.read() as session:
            owned = list(_OWNED[parameter](session, value))
        roles = [_role_in(actor, board_id, person_id) for board_id, person_id in owned]
        known = [role for role in roles if role is not None]
        return min(known) if known and len(known) == len(roles) else None


def is_of_a_board(parameter: str) -> bool:
    return parameter == "board_id" or parameter in _OWNED


def _role_in(actor: Actor, board_id: str | None, person_id: str | None) -> Role | None:
    """What has no board is for whoever made it, and for those with a role on every board."""
    if board_id is not None:
        return actor.role_on(board_id)
    if person_id is not None and person_id == actor.person_id:
        return highest(actor)
    return actor.role


def highest(actor: Actor) -> Role | None:
    """The highest role on any board."""
    roles = [role for role in (actor.role, *actor.board_roles.values()) if role is not None]
    return max(roles, default=None)


def _rows(statement: Any) -> Callable[[Session, str], Owned]:
    def find(session: Session, value: str) -> Owned:
        found: Owned = session.exec(
            statement, params={"value": value}, execution_options=ALL_OF_THEM
        ).all()
        return found

    return find


def _of_change(session: Session, change_id: str) -> Iterator[tuple[str | None, str | None]]:
    change = session.get(Change, change_id)
    for idea_id in () if change is None else change.before:
        yield from _OWNED["idea_id"](session, idea_id)


_VALUE: Any = bindparam("value")
_MADE_SUGGESTION = col(Run.id).in_(select(Suggestion.run_id).where(col(Suggestion.id) == _VALUE))
_OWNED: Mapping[str, Callable[[Session, str], Owned]] = {
    "idea_id": _rows(select(Idea.board_id, Idea.person_id).where(col(Idea.id) == _VALUE)),
    "run_id": _rows(select(Run.board_id, Run.person_id).where(col(Run.id) == _VALUE)),
    "suggestion_id": _rows(select(Run.board_id, Run.person_id).where(_MADE_SUGGESTION)),
    "rubric_id": _rows(select(Rubric.board_id, Rubric.id).where(col(Rubric.id) == _VALUE)),
    "comment_id": _rows(
        select(Idea.board_id, Idea.person_id)
        .join(Comment, col(Comment.idea_id) == Idea.id)
        .where(col(Comment.id) == _VALUE)
    ),
    "attachment_id": _rows(
        select(Idea.board_id, Idea.person_id)
        .join(Attachment, col(Attachment.idea_id) == Idea.id)
        .where(col(Attachment.id) == _VALUE)
    ),
    "change_id": _of_change,
}


def _boards_of(session: Session, row: SQLModel) -> Iterator[tuple[str | None, str | None]]:
    """The boards of a row before and after the change; none of what hangs on a row that is new, too."""
    above = _HANGING.get(type(row))
    if isinstance(row, Board):
        yield row.id, None
    elif above is not None:
        yield from _OWNED[above](session, getattr(row, above))
    elif type(row) not in _UNBOUND and hasattr(row, "board_id"):
        history = inspect(row).attrs["board_id"].history
        for board_id in {row.board_id, *history.deleted}:
            yield board_id, getattr(row, "person_id", None)


def _criteria(actor: Actor) -> Iterator[LoaderCriteriaOption]:
    """A condition for every table whose rows belong to a board, by the column that leads there."""
    boards = list(actor.board_roles)
    # Tables, not classes: the conditions are not to be narrowed themselves.
    ideas, runs = _columns(Idea), _columns(Run)
    own_run = and_(runs.board_id.is_(None), runs.person_id == actor.person_id)
    seen_ideas = select(ideas.id).where(ideas.board_id.in_(boards))
    seen_numbers = select(ideas.number).where(ideas.board_id.in_(boards))
    seen_runs = select(runs.id).where(or_(runs.board_id.in_(boards), own_run))
    for mapper in SQLModel._sa_registry.mappers:
        table: Any = mapper.class_
        if table in _UNBOUND:
            continue
        name = table.__tablename__
        # Functions, as only they can tell an alias of a table from the table itself.
        if name == "board":
            yield _only(table, lambda one: one.id.in_(boards))
        elif name == "run":
            yield _only(table, lambda one: one.id.in_(seen_runs))
        elif name == "suggestion":
            yield _only(table, lambda one: one.run_id.in_(seen_runs))
        elif name == "idea_tag":
            yield _only(table, lambda one: one.idea_number.in_(seen_numbers))
        elif "board_id" in mapper.columns:
            yield _only(table, lambda one: one.board_id.in_(boards))
        else:
            yield _only(table, lambda one: one.idea_id.in_(seen_ideas))


def _only(table: Any, condition: Callable[[Any], Any]) -> LoaderCriteriaOption:
    return with_loader_criteria(table, condition, include_aliases=True)


def _columns(table: Any) -> Any:
    return table.__table__.c


def read_by_all_of(session: Session, board_id: str) -> Select[Any] | None:
    """Selects the ids of boards that everybody who reads this board reads, too; None for all boards.

    Ideas of other boards must not get to people on it, not even by somebody who reads both.
    """
    everywhere = select(Membership.person_id).where(Membership.board_id == "")
    readers = set(
        session.exec(
            select(Membership.person_id)
            .join(Person, col(Person.id) == col(Membership.person_id))
            .where(
                Membership.board_id == board_id,
                col(Person.removed_at).is_(None),
                col(Membership.person_id).not_in(everywhere),
            )
        )
    )
    may_join = session.exec(
        select(Invitation.id).where(
            Invitation.board_id == board_id,
            col(Invitation.withdrawn_at).is_(None),
            or_(col(Invitation.expires_at).is_(None), col(Invitation.expires_at) > now()),
        )
    ).first()
    if not readers and may_join is None:
        return None
    shared = (
        select(Membership.board_id)
        .where(col(Membership.person_id).in_(readers))
        .group_by(col(Membership.board_id))
        .having(func.count() == len(readers))
    )
    return shared if may_join is None else shared.where(false())
