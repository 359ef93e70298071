"""Changes several ideas at once, all or none, and undoes the whole change."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert
from sqlmodel import Session, col, delete, select

from service.errors import InvalidInput, NotFound, UnknownIdeas
from service.messages import Counted, Text
from service.schemas.bulk import (
    AddTags,
    ChangePublic,
    ChangeTask,
    Move,
    RemoveTags,
    SetStar,
    SetStatus,
)
from service.schemas.fields import TAGS_CEILING
from service.schemas.identity import now
from service.store.changes import found_change, public_change, store_change
from service.store.database import Database
from service.store.hidden_ideas import OWN_TOO
from service.store.ideas import live_board_id, set_deleted, touch
from service.store.places import PLACE, undo_places
from service.store.placing import put_all_first
from service.store.public_ideas import number_of, tags_of
from service.store.scores import rescore
from service.store.search import index, words_of
from service.store.tables import Board, Change, Idea, IdeaTag

MOST_NAMED = 5
_FIELDS = {"set_status": "status", "set_star": "star", "move": "board_id"}
_ADD = insert(IdeaTag).values(idea_number=bindparam("number"), name=bindparam("tag"))
_REMOVE = delete(IdeaTag).where(
    col(IdeaTag.idea_number) == bindparam("number"), col(IdeaTag.name) == bindparam("tag")
)
_OPPOSITE = {"add_tags": "remove_tags", "remove_tags": "add_tags"}
Before = dict[str, Any]


class BulkChangeStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def make(self, task: ChangeTask) -> ChangePublic:
        """Changes all ideas of the task, or none.

        Raises:
            UnknownIdeas: at least one of the ideas does not exist.
            InvalidInput: an idea would have too many tags.
        """
        with self._database.write() as session:
            ideas = _named(session, task.ids, deleted=task.operation == "restore")
            value = _value(session, task)
            before = _carry_out(session, task.operation, value, ideas)
            return store_change(
                session, Change(operation=task.operation, value=value, before=before)
            )

    def restore_all(self, board_id: str) -> ChangePublic:
        """Restores everything in the board's trash."""
        with self._database.write() as session:
            live_board_id(session, board_id)
            in_trash = (Idea.board_id == board_id, col(Idea.deleted_at).is_not(None))
            deleted = select(Idea).where(*in_trash).execution_options(**OWN_TOO)
            ideas = session.exec(deleted).all()
            before = _carry_out(session, "restore", None, ideas)
            return store_change(session, Change(operation="restore", before=before))

    def tag_each(self, board_id: str, tags: Mapping[str, Sequence[str]]) -> ChangePublic:
        """Adds different tags to each of the board's ideas: `tags` maps ids to tags.

        Raises:
            NotFound: the board does not exist, or an idea is not on it. Nothing is changed.
            InvalidInput: an idea would have too many tags.
        """
        with self._database.write() as session:
            live_board_id(session, board_id)
            try:
                ideas = _named(session, list(tags))
            except UnknownIdeas as unknown:
                # The caller gave no list, so positions in one would mean nothing to it.
                raise NotFound(unknown.detail) from unknown
            elsewhere = next((one for one in ideas if one.board_id != board_id), None)
            if elsewhere is not None:
                raise NotFound(
                    Text(
                        "The idea %(id)s is on another board. Nothing was changed.", id=elsewhere.id
                    )
                )
            before = _set_tags(session, "add_tags", tags, ideas)
            value = sorted({tag for one in tags.values() for tag in one})
            return store_change(session, Change(operation="add_tags", value=value, before=before))

    def get(self, change_id: str) -> ChangePublic:
        with self._database.read() as session:
            return public_change(found_change(session, change_id))

    def undo(self, change_id: str) -> ChangePublic:
        """Restores the values that the change replaced, unless they were changed again since.

        A second undo does nothing.
        """
        with self._database.write() as session:
            change = found_change(session, change_id)
            put_back: list[str] = []
            if change.undone_at is None:
                put_back = _undo(session, change)
                change.undone_at = now()
                session.add(change)
            return public_change(change, put_back)


def _named(session: Session, idea_ids: Sequence[str], *, deleted: bool = False) -> list[Idea]:
    """Returns the ideas with these ids. Ideas in the trash count only if `deleted` is true."""
    wanted = list(dict.fromkeys(idea_ids))
    rows = session.exec(_with_live_board(wanted))
    ideas = {idea.id: idea for idea in rows if deleted or idea.deleted_at is None}
    if len(ideas) < len(wanted):
        raise _unknown({at: one for at, one in enumerate(idea_ids) if one not in ideas})
    return [ideas[idea_id] for idea_id in wanted]


def _unknown(missing: Mapping[int, str]) -> UnknownIdeas:
    names = list(dict.fromkeys(missing.values()))
    shown = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
    detail = Counted(
        "%(count)s of the ideas does not exist or was deleted: %(ids)s. Nothing was changed.",
        "%(count)s of the ideas do not exist or were deleted: %(ids)s. Nothing was changed.",
        len(names),
        ids=shown,
    )
    return UnknownIdeas(detail, missing=missing)


def _with_live_board(idea_ids: Iterable[str]) -> Any:
    return (
        select(Idea)
        .join(Board, col(Board.id) == Idea.board_id)
        .where(col(Idea.id).in_(idea_ids), col(Board.deleted_at).is_(None))
        .execution_options(**OWN_TOO)
    )


def _value(session: Session, task: ChangeTask) -> Any:
    match task:
        case AddTags(tags=tags) | RemoveTags(tags=tags):
            return list(dict.fromkeys(tags))
        case SetStatus(status=status):
            return status
        case SetStar(star=star):
            return star
        case Move(board_id=board_id):
            return live_board_id(session, board_id)
    return None


def _carry_out(session: Session, operation: str, value: Any, ideas: Sequence[Idea]) -> Before:
    if operation in _FIELDS:
        return _set_field(session, _FIELDS[operation], dict.fromkeys(_ids(ideas), value), ideas)
    if operation in _OPPOSITE:
        return _set_tags(session, operation, dict.fromkeys(_ids(ideas), value), ideas)
    return dict.fromkeys(_move_to_or_from_trash(session, ideas, is_deleting=operation == "delete"))


def _move_to_or_from_trash(
    session: Session, ideas: Sequence[Idea], *, is_deleting: bool
) -> list[str]:
    """Moves ideas into or out of the trash; returns the ids of those that moved."""
    changed = [idea for idea in ideas if (idea.deleted_at is None) == is_deleting]
    for idea in changed:
        set_deleted(session, idea, deleted=is_deleting)
    return _ids(changed)


def _undo(session: Session, change: Change) -> list[str]:
    """Undoes the change; returns the ids of the ideas that were restored."""
    found = {idea.id: idea for idea in session.exec(_with_live_board(change.before))}
    ideas: list[Idea] = [found[idea_id] for idea_id in change.before if idea_id in found]
    if change.operation == PLACE:
        return undo_places(session, change, ideas)
    if change.operation in _OPPOSITE:
        tags = change.before
        return list(_set_tags(session, _OPPOSITE[change.operation], tags, ideas))
    if change.operation in _FIELDS:
        name = _FIELDS[change.operation]
        ideas = [idea for idea in ideas if getattr(idea, name) == change.value]
        if name == "board_id":
            for board_id in {change.before[idea.id] for idea in ideas}:
                live_board_id(session, board_id)
        return list(_set_field(session, name, change.before, ideas))
    return _move_to_or_from_trash(session, ideas, is_deleting=change.operation == "restore")


def _set_field(
    session: Session, name: str, values: Mapping[str, Any], ideas: Sequence[Idea]
) -> Before:
    """Returns the old values of the ideas that changed, by the idea's id."""
    before = {}
    for idea in ideas:
        if getattr(idea, name) != values[idea.id]:
            before[idea.id] = getattr(idea, name)
            setattr(idea, name, values[idea.id])
            touch(session, idea)
    if name == "board_id":
        put_all_first(session, [idea for idea in ideas if idea.id in before])
        # Another board may show the scores by another rubric.
        for board_id in {values[idea_id] for idea_id in before}:
            rescore(session, board_id, list(before))
    return before


def _set_tags(
    session: Session, operation: str, values: Mapping[str, Sequence[str]], ideas: Sequence[Idea]
) -> Before:
    """Returns the tags that were really added or removed, by the idea's id."""
    had = tags_of(session, ideas)
    is_adding = operation == "add_tags"
    before: Before = {}
    words, pairs = [], []
    for idea in ideas:
        number = number_of(idea)
        changed = [tag for tag in values[idea.id] if (tag in had[number]) != is_adding]
        if not changed:
            continue
        kept = [tag for tag in had[number] if tag not in changed] + (changed if is_adding else [])
        _check_count(idea, kept)
        before[idea.id] = changed
        pairs += [{"number": number, "tag": tag} for tag in changed]
        touch(session, idea)
        words.append(words_of(idea, sorted(kept)))
    if pairs:
        session.connection().execute(_ADD if is_adding else _REMOVE, pairs)
    index(session, words)
    return before


def _check_count(idea: Idea, tags: Sequence[str]) -> None:
    if len(tags) > TAGS_CEILING:
        raise InvalidInput(
            Text(
                "“%(title)s” would have %(count)s tags, and the limit is %(limit)s. "
                "Nothing was changed. Remove some of its tags first.",
                title=idea.title,
                count=len(tags),
                limit=TAGS_CEILING,
            ),
            pointer="/tags",
        )


def _ids(ideas: Sequence[Idea]) -> list[str]:
    return [idea.id for idea in ideas]
