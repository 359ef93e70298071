"""Creates, changes, deletes and restores ideas with their tags and versions."""

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import Session, SQLModel, col, func, select

from service.actor import ACTOR
from service.errors import Conflict, LostUpdate, NotFound
from service.messages import Text
from service.schemas.boards import TagPublic
from service.schemas.ideas import IdeaCreate, IdeaPublic, IdeaUpdate, VersionPublic
from service.schemas.identity import now
from service.store.cursors import Key, Order, Page, PageOf
from service.store.database import Database
from service.store.hidden_ideas import OWN_TOO, hides_own, joined_round, open_rounds
from service.store.idea_rows import insert_idea, insert_version, write_tags
from service.store.limits import Limits
from service.store.listing import IdeaQuery, idea_page
from service.store.placing import put_first
from service.store.public_ideas import public, public_versions, publics
from service.store.scores import rescore
from service.store.search import index, words_of
from service.store.tables import Board, Idea, IdeaTag, IdeaVersion

# Made once: to make a statement takes as long as to execute it.
_BOARDS = SQLModel.metadata.tables["board"].c
_LIVE_BOARDS = select(_BOARDS.id).where(_BOARDS.deleted_at.is_(None)).order_by(_BOARDS.created_at)
_LIVE_BOARD = _LIVE_BOARDS.where(_BOARDS.id == bindparam("board"))
_FOUND = (
    select(Idea)
    .join(Board, col(Board.id) == Idea.board_id)
    .where(col(Idea.id) == bindparam("idea"), col(Board.deleted_at).is_(None))
    .execution_options(**OWN_TOO)
)
_NEWEST_VERSION = Order("versions", Key(col(IdeaVersion.number), int, descending=True))


class IdeaStore:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def create(
        self, shape: IdeaCreate, *, origin: str = "human", run_id: str | None = None
    ) -> IdeaPublic:
        """Creates an idea. One that comes too late for its writing round is in none."""
        with self._database.write() as session:
            return self.create_in(session, shape, origin=origin, run_id=run_id)

    def create_in(
        self, session: Session, shape: IdeaCreate, *, origin: str, run_id: str | None
    ) -> IdeaPublic:
        """Creates an idea within the caller's transaction."""
        self._limits.check(title=shape.title, body=shape.body)
        joined = joined_round(session, shape.round_id)
        board_id = live_board_id(session, shape.board_id or (joined.board_id if joined else None))
        is_in_time = joined is not None and joined.id in open_rounds(session)
        if (
            shape.parent_id is not None
            and session.exec(select(Idea.id).where(Idea.id == shape.parent_id)).first() is None
        ):
            raise NotFound(
                Text("The parent idea %(parent_id)s does not exist.", parent_id=shape.parent_id)
            )
        return insert_idea(
            session,
            shape,
            board_id=board_id,
            written_in=joined if is_in_time else None,
            origin=origin,
            run_id=run_id,
        )

    def get(self, idea_id: str) -> IdeaPublic:
        with self._database.read() as session:
            return public(session, found(session, idea_id))

    def public_in(self, session: Session, idea_id: str) -> IdeaPublic:
        """Returns the idea within the caller's transaction, deleted or not."""
        return public(session, found(session, idea_id, deleted=True))

    def page(self, query: IdeaQuery) -> Page[IdeaPublic]:
        with self._database.read() as session:
            page = idea_page(session, query)
            return Page(publics(session, page.items), page.cursor)

    def among(self, query: IdeaQuery, idea_ids: Sequence[str]) -> list[IdeaPublic]:
        """Returns those of the ideas that the query finds on any page."""
        with self._database.read() as session:
            rows = session.exec(query.selected(Idea).where(col(Idea.id).in_(idea_ids)))
            return publics(session, rows.all())

    def pages(self, queries: Sequence[IdeaQuery]) -> list[Page[IdeaPublic]]:
        """Returns a page of each query, read at one moment."""
        with self._database.read() as session:
            found = [idea_page(session, query) for query in queries]
            rows = {idea.id: idea for page in found for idea in page.items}
            shown = {idea.id: idea for idea in publics(session, list(rows.values()))}
            return [Page([shown[idea.id] for idea in page.items], page.cursor) for page in found]

    def ids(self, query: IdeaQuery) -> list[str]:
        """Returns the ids of all ideas that the query finds, in the order that people gave them."""
        order = (col(Idea.place).desc(), col(Idea.number).desc())
        with self._database.read() as session:
            return list(session.exec(query.selected(Idea.id).order_by(*order)))

    def counts(self, query: IdeaQuery) -> dict[str, int]:
        """How many of the ideas that the query finds have each status."""
        status = col(Idea.status)
        with self._database.read() as session:
            rows = session.exec(query.selected(status, func.count()).group_by(status))
            return dict(rows.all())

    def count(self, query: IdeaQuery) -> int:
        with self._database.read() as session:
            return session.scalar(query.counted()) or 0

    def children(self, idea_id: str, *, limit: int | None = None) -> list[IdeaPublic]:
        """Returns the first ideas that came from this one, oldest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(Idea)
                .where(Idea.parent_id == idea_id, col(Idea.deleted_at).is_(None))
                .order_by(col(Idea.number))
                .limit(limit)
            )
            return publics(session, rows.all())

    def titles(self, idea_ids: Sequence[str]) -> dict[str, str]:
        """Returns the titles of the ideas that exist, by id."""
        with self._database.read() as session:
            rows = session.exec(
                select(Idea.id, Idea.title).where(
                    col(Idea.id).in_(idea_ids), col(Idea.deleted_at).is_(None)
                )
            )
            return dict(rows.all())

    def board_names(self, idea_ids: Sequence[str]) -> dict[str, str]:
        """Returns the names of the boards of the ideas that exist, by the idea's id."""
        with self._database.read() as session:
            rows = session.exec(
                select(Idea.id, Board.name)
                .join(Board, col(Idea.board_id) == Board.id)
                .where(
                    col(Idea.id).in_(idea_ids),
                    col(Idea.deleted_at).is_(None),
                    col(Board.deleted_at).is_(None),
                )
            )
            return dict(rows.all())

    def tags(self, board_id: str, *, limit: int | None = None) -> list[tuple[str, int]]:
        """Returns the tags of the board and how often each is used, most used first."""
        return [(tag.name, tag.ideas) for tag in self.tag_page(board_id, PageOf(limit)).items]

    def tag_page(self, board_id: str, wanted: PageOf) -> Page[TagPublic]:
        """Returns the board's tags and how many ideas have each, most used first."""
        found = (
            select(IdeaTag.name, func.count().label("ideas"))
            .join(Idea, col(Idea.number) == IdeaTag.idea_number)
            .where(Idea.board_id == board_id, col(Idea.deleted_at).is_(None))
            .group_by(col(IdeaTag.name))
            .subquery()
        )
        order = Order("tags", Key(found.c.ideas, int, descending=True), Key(found.c.name, str))
        with self._database.read() as session:
            page = order.page(session, select(found.c.name, found.c.ideas), wanted)
            items = [TagPublic(name=name, ideas=ideas) for name, ideas in page.items]
            return Page(items, page.cursor)

    def tags_found(self, query: IdeaQuery) -> dict[str, int]:
        """How many of the ideas that the query finds have each tag."""
        with self._database.read() as session:
            found = query.selected(col(Idea.number)).subquery()
            rows = session.exec(
                select(IdeaTag.name, func.count())
                .join(found, found.c.number == col(IdeaTag.idea_number))
                .group_by(col(IdeaTag.name))
                .execution_options(**OWN_TOO)
            )
            return dict(rows.all())

    def texts(self, board_id: str, *, limit: int = 1000) -> list[tuple[str, str, str]]:
        """Returns (id, title, body) of the board's newest ideas."""
        with self._database.read() as session:
            rows = session.exec(
                select(Idea.id, Idea.title, Idea.body)
                .where(Idea.board_id == board_id, col(Idea.deleted_at).is_(None))
                .order_by(col(Idea.number).desc())
                .limit(limit)
            )
            return list(rows.all())

    def update(
        self,
        idea_id: str,
        shape: IdeaUpdate,
        *,
        revision: int | None = None,
        origin: str = "human",
        run_id: str | None = None,
    ) -> IdeaPublic:
        """Changes the fields that the shape sets; a new text becomes a new version.

        Raises:
            LostUpdate: `revision` is given, but the idea has another one now.
        """
        with self._database.write() as session:
            idea = found(session, idea_id)
            check_revision(idea, revision)
            return self.update_in(session, idea, shape, origin=origin, run_id=run_id)

    def update_in(
        self, session: Session, idea: Idea, shape: IdeaUpdate, *, origin: str, run_id: str | None
    ) -> IdeaPublic:
        """Changes an idea within the caller's transaction."""
        self._limits.check(title=shape.title, body=shape.body)
        changes = shape.model_dump(exclude_none=True, exclude={"tags"})
        if "board_id" in changes:
            changes["board_id"] = live_board_id(session, changes["board_id"])
        before = (idea.title, idea.body)
        for name, value in changes.items():
            setattr(idea, name, value)
        if (idea.title, idea.body) != before:
            idea.version += 1
            idea.title_key = idea.title.casefold()
            insert_version(session, idea.model_dump() | {"origin": origin}, run_id)
        if shape.tags is not None:
            write_tags(session, idea, shape.tags)
        touch(session, idea)
        if "board_id" in changes:
            put_first(session, idea)
            # Another board may show the scores by another rubric.
            rescore(session, idea.board_id, [idea.id])
        result = public(session, idea)
        index(session, [words_of(idea, result.tags)])
        return result

    def rewrite(self, idea_id: str, change: Callable[[str], str | None]) -> IdeaPublic:
        """Replaces the text by what `change` makes of the newest one.

        Raises: LostUpdate if that is None, because the text has changed too much.
        """
        with self._database.write() as session:
            idea = found(session, idea_id)
            body = change(idea.body)
            if body is None:
                raise lost_update(idea)
            return self.update_in(session, idea, IdeaUpdate(body=body), origin="human", run_id=None)

    def delete(self, idea_id: str, *, revision: int | None = None) -> None:
        """Hides the idea until `restore`."""
        with self._database.write() as session:
            idea = found(session, idea_id)
            check_revision(idea, revision)
            set_deleted(session, idea, deleted=True)

    def restore(self, idea_id: str) -> IdeaPublic:
        with self._database.write() as session:
            idea = found(session, idea_id, deleted=True)
            set_deleted(session, idea, deleted=False)
            return public(session, idea)

    def versions(self, idea_id: str, numbers: Collection[int] | None = None) -> list[VersionPublic]:
        """Returns all versions of the idea, or those with these numbers, newest first."""
        chosen = () if numbers is None else (col(IdeaVersion.number).in_(numbers),)
        return self._versions(idea_id, PageOf(), *chosen).items

    def version_page(self, idea_id: str, wanted: PageOf) -> Page[VersionPublic]:
        """Returns the idea's versions, newest first."""
        return self._versions(idea_id, wanted)

    def _versions(
        self, idea_id: str, wanted: PageOf, *conditions: ColumnElement[bool]
    ) -> Page[VersionPublic]:
        statement = select(IdeaVersion).where(IdeaVersion.idea_id == idea_id, *conditions)
        with self._database.read() as session:
            found(session, idea_id)
            page = _NEWEST_VERSION.page(session, statement, wanted)
            return Page(public_versions(session, page.items), page.cursor)

    def version_count(self, idea_id: str) -> int:
        counted = select(func.count()).where(IdeaVersion.idea_id == idea_id)
        with self._database.read() as session:
            return session.scalar(counted) or 0

    def first_run(self, idea_id: str) -> str | None:
        """Returns the id of the run that wrote the idea's oldest version, if one did."""
        oldest = (
            select(IdeaVersion.run_id)
            .where(IdeaVersion.idea_id == idea_id)
            .order_by(col(IdeaVersion.number))
        )
        with self._database.read() as session:
            return session.exec(oldest.limit(1)).first()

    def restore_version(
        self, idea_id: str, number: int, *, revision: int | None = None
    ) -> IdeaPublic:
        """Adds an old text as the newest version; the versions in between are kept."""
        with self._database.write() as session:
            idea = found(session, idea_id)
            check_revision(idea, revision)
            old = session.exec(
                select(IdeaVersion).where(
                    IdeaVersion.idea_id == idea_id, IdeaVersion.number == number
                )
            ).first()
            if old is None:
                raise NotFound(
                    Text(
                        "The idea %(idea_id)s has no version %(number)s.",
                        idea_id=idea_id,
                        number=number,
                    )
                )
            shape = IdeaUpdate(title=old.title, body=old.body)
            return self.update_in(session, idea, shape, origin=old.origin, run_id=old.run_id)


def found(session: Session, idea_id: str, *, deleted: bool = False) -> Idea:
    idea = session.exec(_FOUND, params={"idea": idea_id}).first()
    if idea is None and hides_own(session, idea_id):
        raise Conflict(
            Text("This idea is hidden until its writing round ends. Ask the model then.")
        )
    if idea is None or (idea.deleted_at is not None and not deleted):
        raise NotFound(Text("The idea %(idea_id)s does not exist or was deleted.", idea_id=idea_id))
    return idea


def check_revision(idea: Idea, revision: int | None) -> None:
    if revision is not None and revision != idea.revision:
        raise lost_update(idea)


def lost_update(idea: Idea) -> LostUpdate:
    return LostUpdate(
        Text(
            "Somebody changed this idea since you read it. Read it again, then repeat your change."
        ),
        current_version=idea.revision,
    )


def live_board_id(session: Session, board_id: str | None) -> str:
    """By default the oldest board. One that the acting person may not see is an unknown board."""
    session.flush()
    statement = _LIVE_BOARDS if board_id is None else _LIVE_BOARD
    for found_id in session.connection().execute(statement, {"board": board_id}).scalars().all():
        if ACTOR.get().role_on(found_id) is not None:
            return str(found_id)
    raise NotFound(Text("There is no board %(board_id)s.", board_id=board_id))


def touch(session: Session, idea: Idea) -> None:
    idea.revision += 1
    idea.updated_at = now()
    session.add(idea)


def set_deleted(session: Session, idea: Idea, *, deleted: bool) -> None:
    if deleted != (idea.deleted_at is not None):
        touch(session, idea)
        idea.deleted_at = idea.updated_at if deleted else None
