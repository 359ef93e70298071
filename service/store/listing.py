"""One page of ideas: search, filters, order, and the cursor that continues it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, literal, or_
from sqlmodel import Session, col, func, select

from service.schemas.fields import Sort
from service.store import cursors
from service.store.cursors import Page
from service.store.dialects.expressions import is_found, ranked_number
from service.store.hidden_ideas import OWN_TOO
from service.store.reactions import number_of_likes
from service.store.tables import Board, Idea, IdeaTag

_KINDS = {"score": float, "rank": int, "title": str, "likes": int, "place": int}


@dataclass(frozen=True, slots=True)
class IdeaQuery:
    """The filters and the order of a list; None means that a filter is off.

    `q` finds ideas that contain each of its words, or words that begin with it, in title, body or
    tags. An idea must have all `tags`, and none at all with `untagged`. `archived` selects only archived ideas if true, and none of
    them if false. `deleted` selects the trash instead of the other ideas. `ranked` maps ids to the
    numbers that `sort="rank"` uses, highest first. People's own hidden ideas are found too.
    """

    board: str | None = None
    round: str | None = None
    ids: Sequence[str] | None = None
    q: str = ""
    tags: Sequence[str] = ()
    untagged: bool = False
    status: str | None = None
    archived: bool | None = None
    deleted: bool = False
    star: bool | None = None
    sort: Sort = "new"
    cursor: str | None = None
    limit: int = 30
    ranked: Mapping[str, int] = field(default_factory=dict)

    def selected(self, *columns: Any) -> Any:
        is_deleted = col(Idea.deleted_at).is_not(None)
        statement = (
            select(*columns)
            .select_from(Idea)
            .join(Board, col(Board.id) == Idea.board_id)
            .where(is_deleted if self.deleted else ~is_deleted, col(Board.deleted_at).is_(None))
            .execution_options(**OWN_TOO)
        )
        if self.board is not None:
            statement = statement.where(Idea.board_id == self.board)
        if self.round is not None:
            statement = statement.where(Idea.round_id == self.round)
        if self.ids is not None:
            statement = statement.where(col(Idea.id).in_(self.ids))
        if self.status is not None:
            statement = statement.where(Idea.status == self.status)
        if self.star is not None:
            statement = statement.where(Idea.star == self.star)
        if self.archived is not None:
            is_archived = col(Idea.status) == "archived"
            statement = statement.where(is_archived if self.archived else ~is_archived)
        return self._searched(self._tagged(statement))

    def counted(self) -> Select[tuple[int]]:
        statement: Select[tuple[int]] = self.selected(func.count())
        return statement

    def _tagged(self, statement: Any) -> Any:
        is_mine = col(IdeaTag.idea_number) == col(Idea.number)
        if self.untagged:
            statement = statement.where(~exists().where(is_mine))
        for tag in self.tags:
            statement = statement.where(exists().where(is_mine, col(IdeaTag.name) == tag))
        return statement

    def _searched(self, statement: Any) -> Any:
        if not self.q.strip():
            return statement
        return statement.where(is_found(col(Idea.number), self.q))


def idea_page(session: Session, query: IdeaQuery) -> Page[Idea]:
    """Returns up to `limit` ideas.

    Raises:
        InvalidInput: the cursor belongs to another list or order.
    """
    key, descending = _order(query)
    number = col(Idea.number)
    statement = query.selected(Idea)
    if query.cursor is not None:
        statement = statement.where(_after(query, key, descending))
    # Where nothing is ranked, an index has the order.
    has_key = key is not None and bool(query.sort != "rank" or query.ranked)
    order = [key, number] if has_key else [number]
    if query.board is not None and not query.deleted:
        # It is null in all rows, but PostgreSQL sorts by an index only if all its columns are named.
        order.insert(0, col(Idea.deleted_at))
    statement = statement.order_by(*(c.desc() if descending else c.asc() for c in order))
    rows = list(session.exec(statement.limit(query.limit + 1)))
    if len(rows) <= query.limit:
        return Page(rows, None)
    rows.pop()
    return Page(rows, _encode(session, query, rows[-1], key))


_UNSCORED = -1.0
_UNRANKED = -(2**31)
_ORDERS: dict[Sort, tuple[Any, bool]] = {
    "new": (None, True),
    "old": (None, False),
    "updated": (col(Idea.updated_at), True),
    "score": (func.coalesce(col(Idea.score), _UNSCORED), True),
    "title": (col(Idea.title_key), False),
    "likes": (number_of_likes(), True),
    "place": (col(Idea.place), True),
}


def _order(query: IdeaQuery) -> tuple[Any, bool]:
    if query.sort != "rank":
        return _ORDERS[query.sort]
    if not query.ranked:
        return literal(_UNRANKED), True
    # Every vote changes the order, so the caller computes it.
    return func.coalesce(ranked_number(col(Idea.id), query.ranked), _UNRANKED), True


def _after(query: IdeaQuery, key: Any, descending: bool) -> Any:
    value, number = _decode(query)
    here = col(Idea.number)
    beyond = here < number if descending else here > number
    if key is None:
        return beyond
    return or_(key < value if descending else key > value, and_(key == value, beyond))


def _encode(session: Session, query: IdeaQuery, last: Idea, key: Any) -> str:
    if query.sort == "likes":
        likes = session.scalar(select(key).select_from(Idea).where(Idea.id == last.id))
        return cursors.encode([query.sort, likes, last.number])
    values: dict[Sort, Any] = {
        "updated": last.updated_at.isoformat(),
        "score": _UNSCORED if last.score is None else last.score,
        "rank": query.ranked.get(last.id, _UNRANKED),
        "title": last.title_key,
        "place": last.place,
    }
    value = None if key is None else values[query.sort]
    return cursors.encode([query.sort, value, last.number])


def _decode(query: IdeaQuery) -> tuple[Any, int]:
    try:
        sort, value, number = cursors.decode(query.cursor or "")
        if sort != query.sort or not isinstance(number, int) or not 0 <= number < 2**63:
            raise ValueError(sort)
        if sort == "updated":
            value = datetime.fromisoformat(value)
        elif sort in _KINDS and type(value) is not _KINDS[sort]:
            raise ValueError(value)
    except (ValueError, TypeError) as error:
        raise cursors.invalid_cursor() from error
    return value, number
