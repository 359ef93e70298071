"""Puts an idea elsewhere in the order of its board, perhaps in another lane, and undoes that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from service.errors import InvalidInput
from service.messages import Text
from service.schemas.bulk import ChangePublic
from service.schemas.fields import Status
from service.schemas.ideas import IdeaPublic, IdeaUpdate
from service.store.changes import store_change
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.idea_rows import write_tags
from service.store.ideas import IdeaStore, check_revision, found, touch
from service.store.placing import neighbours, put_after, put_before, put_first
from service.store.public_ideas import number_of, public, tags_of
from service.store.search import index, words_of
from service.store.tables import Change, Idea

PLACE = "place"


@dataclass(frozen=True, slots=True)
class Spot:
    """Directly before or after another idea; without both, before all others of the board.

    `is_kept` leaves the idea where it is in the order.
    """

    before: str | None = None
    after: str | None = None
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class LaneEdit:
    """What makes an idea belong to another lane. `swapped` is a tag and the one that replaces it;
    `tags` are all of its new tags.
    """

    status: Status | None = None
    tags: Sequence[str] | None = None
    swapped: tuple[str, str] | None = None


NO_EDIT = LaneEdit()


class PlaceStore:
    def __init__(self, database: Database, ideas: IdeaStore) -> None:
        self._database = database
        self._ideas = ideas

    def move(
        self,
        idea_id: str,
        spot: Spot,
        edit: LaneEdit = NO_EDIT,
        *,
        revision: int | None = None,
    ) -> tuple[IdeaPublic, ChangePublic]:
        """Moves the idea. Its place alone is not part of it, so `revision` counts only the edit.

        Raises:
            LostUpdate: `revision` is given, but the idea has another one now.
            InvalidInput: the other idea is not on the same board.
        """
        with self._database.write() as session:
            idea = found(session, idea_id)
            check_revision(idea, revision)
            before = self._moved(session, idea, spot, edit)
            change = Change(
                operation=PLACE,
                value={"place": idea.place},
                before={idea_id: before} if before else {},
            )
            return public(session, idea), store_change(session, change)

    def _moved(self, session: Session, idea: Idea, spot: Spot, edit: LaneEdit) -> dict[str, Any]:
        """Returns what was replaced; nothing if all was so already."""
        place, status = idea.place, idea.status
        beside = neighbours(session, idea)
        tags = tags_of(session, [idea])[number_of(idea)]
        if not spot.is_kept:
            _put(session, idea, spot)
        after = _edited_tags(tags, edit)
        wanted = IdeaUpdate(
            status=edit.status if edit.status != status else None,
            tags=after if set(after) != set(tags) else None,
        )
        before: dict[str, Any] = {}
        if idea.place != place:
            before |= {"beside": beside.as_row()}
        if wanted.status is not None:
            before |= {"status": [status, wanted.status]}
        if wanted.tags is not None:
            lost, won = set(tags) - set(after), set(after) - set(tags)
            before |= {"tags": [sorted(lost), sorted(won)]}
        if wanted.model_dump(exclude_none=True):
            self._ideas.update_in(session, idea, wanted, origin="human", run_id=None)
        return before


def undo_places(session: Session, change: Change, ideas: Sequence[Idea]) -> list[str]:
    """Puts the ideas back, unless they were moved again since; returns their ids."""
    undone = []
    for idea in ideas:
        row = change.before[idea.id]
        is_back = "beside" in row and idea.place == change.value["place"]
        if is_back:
            _put_back(session, idea, row["beside"])
        if _undo_edit(session, idea, row) or is_back:
            undone.append(idea.id)
    return undone


def _put(session: Session, idea: Idea, spot: Spot) -> None:
    if spot.before is not None and spot.after is not None:
        raise InvalidInput(Text("Give only one of `before` and `after`."), pointer="/after")
    if spot.before is not None:
        put_before(session, idea, _beside(session, idea, spot.before, "/before"))
    elif spot.after is not None:
        put_after(session, idea, _beside(session, idea, spot.after, "/after"))
    else:
        put_first(session, idea)


def _beside(session: Session, idea: Idea, other_id: str, pointer: str) -> Idea:
    other = _on_board(session, idea, other_id)
    if other is None or other.deleted_at is not None:
        raise InvalidInput(
            Text(
                "The idea that it was to stand beside is no longer on this board. "
                "Nothing was moved."
            ),
            pointer=pointer,
        )
    if other.id == idea.id:
        raise InvalidInput(Text("An idea cannot stand beside itself."), pointer=pointer)
    return other


def _on_board(session: Session, idea: Idea, other_id: str | None) -> Idea | None:
    return session.exec(
        select(Idea)
        .where(col(Idea.id) == other_id, Idea.board_id == idea.board_id)
        .execution_options(**ALL_OF_THEM)
    ).first()


def _edited_tags(tags: Sequence[str], edit: LaneEdit) -> list[str]:
    if edit.tags is not None:
        return list(edit.tags)
    if edit.swapped is None:
        return list(tags)
    old, new = edit.swapped
    return list(dict.fromkeys([*(tag for tag in tags if tag != old), *([new] if new else [])]))


def _put_back(session: Session, idea: Idea, beside: Mapping[str, str | None]) -> None:
    before = _on_board(session, idea, beside["before"])
    after = _on_board(session, idea, beside["after"])
    if before is not None:
        put_after(session, idea, before)
    elif after is not None:
        put_before(session, idea, after)


def _undo_edit(session: Session, idea: Idea, row: Mapping[str, Any]) -> bool:
    is_edited = False
    if "status" in row and idea.status == row["status"][1]:
        idea.status = row["status"][0]
        is_edited = True
    if "tags" in row:
        lost, won = row["tags"]
        tags = tags_of(session, [idea])[number_of(idea)]
        restored = sorted({tag for tag in tags if tag not in won} | set(lost))
        if restored != tags:
            write_tags(session, idea, restored)
            index(session, [words_of(idea, restored)])
            is_edited = True
    if is_edited:
        touch(session, idea)
    return is_edited
