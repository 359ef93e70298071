"""What boards and ideas must do, in plain Python and without a database: what a random walk compares with.

Each change returns the status that the server must answer with.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FIELDS = {"set_status": "status", "set_star": "star", "move": "board"}
OPPOSITE = {"add_tags": "remove_tags", "remove_tags": "add_tags"}


@dataclass(slots=True)
class Board:
    name: str
    goal: str = ""
    is_deleted: bool = False


@dataclass(slots=True)
class Idea:
    """`texts` are title and body of each version, the oldest first."""

    board: str
    texts: list[tuple[str, str]]
    status: str = "draft"
    star: bool = False
    tags: set[str] = field(default_factory=set)
    comments: list[str] = field(default_factory=list)
    revision: int = 1
    is_deleted: bool = False


@dataclass(slots=True)
class Change:
    """`before` has the value of each idea that got another one; of tags, those that changed."""

    operation: str
    value: Any
    before: dict[str, Any]
    is_undone: bool = False


class BoardModel:
    def __init__(self) -> None:
        self.boards: dict[str, Board] = {}
        self.ideas: dict[str, Idea] = {}
        self.changes: dict[str, Change] = {}

    def live_boards(self) -> list[str]:
        return [key for key, board in self.boards.items() if not board.is_deleted]

    def live_ideas(self, board: str | None = None) -> list[str]:
        """In the order in which they were made."""
        live = (key for key in self.ideas if self._is_live(key))
        return [key for key in live if board in (None, self.ideas[key].board)]

    def trash(self, board: str) -> list[str]:
        found = self.ideas.items()
        return [key for key, idea in found if idea.board == board and idea.is_deleted]

    def with_word(self, word: str) -> set[str]:
        return {key for key in self.live_ideas() if word in _words(self.ideas[key])}

    def change_board(self, board: str, **changes: str) -> int:
        if not self._is_live_board(board):
            return 404
        for name, value in changes.items():
            setattr(self.boards[board], name, value)
        return 200

    def delete_board(self, board: str) -> int:
        if not self._is_live_board(board):
            return 404
        if self.live_boards() == [board]:
            return 409
        self.boards[board].is_deleted = True
        return 204

    def restore_board(self, board: str) -> int:
        self.boards[board].is_deleted = False
        return 200

    def add(self, idea_id: str, fields: Mapping[str, Any]) -> None:
        text = (fields["title"], fields.get("body", ""))
        idea = Idea(fields["board_id"], [text])
        idea.status = fields.get("status", "draft")
        idea.star = fields.get("star", False)
        idea.tags = set(fields.get("tags", ()))
        self.ideas[idea_id] = idea

    def patch(self, idea_id: str, changes: Mapping[str, Any], revision: int | None) -> int:
        refused = self._refusal(idea_id, revision)
        if refused:
            return refused
        if "board_id" in changes and not self._is_live_board(changes["board_id"]):
            return 404
        idea = self.ideas[idea_id]
        title, body = idea.texts[-1]
        self._write(idea, changes.get("title", title), changes.get("body", body))
        idea.board = changes.get("board_id", idea.board)
        idea.status = changes.get("status", idea.status)
        idea.star = changes.get("star", idea.star)
        idea.tags = set(changes.get("tags", idea.tags))
        idea.revision += 1
        return 200

    def comment(self, idea_id: str, text: str) -> int:
        if not self._is_live(idea_id):
            return 404
        self.ideas[idea_id].comments.append(text)
        return 201

    def delete(self, idea_id: str, revision: int | None) -> int:
        refused = self._refusal(idea_id, revision)
        if refused:
            return refused
        self._set_deleted([idea_id], is_deleted=True)
        return 204

    def restore(self, idea_id: str) -> int:
        if not self._is_in_reach(idea_id):
            return 404
        self._set_deleted([idea_id], is_deleted=False)
        return 200

    def restore_version(self, idea_id: str, number: int) -> int:
        if not self._is_live(idea_id) or number > len(self.ideas[idea_id].texts):
            return 404
        idea = self.ideas[idea_id]
        self._write(idea, *idea.texts[number - 1])
        idea.revision += 1
        return 200

    def bulk(self, operation: str, value: Any, ids: Sequence[str]) -> Change | None:
        """None is a refusal with 404: nothing has changed."""
        is_known = self._is_in_reach if operation == "restore" else self._is_live
        if not all(map(is_known, ids)) or (operation == "move" and not self._is_live_board(value)):
            return None
        if operation in FIELDS:
            before = self._set_field(FIELDS[operation], dict.fromkeys(ids, value))
        elif operation in OPPOSITE:
            before = self._set_tags(operation, dict.fromkeys(ids, value))
        else:
            moved = self._set_deleted(ids, is_deleted=operation == "delete")
            before = dict.fromkeys(moved)
        return Change(operation, value, before)

    def undo(self, change: Change) -> int:
        ids = [key for key in change.before if self._is_in_reach(key)]
        if change.operation in FIELDS:
            name = FIELDS[change.operation]
            ids = [key for key in ids if getattr(self.ideas[key], name) == change.value]
        old = {key: change.before[key] for key in ids}
        if change.is_undone:
            return 200
        if change.operation == "move" and not all(map(self._is_live_board, old.values())):
            return 404
        change.is_undone = True
        if change.operation in FIELDS:
            self._set_field(FIELDS[change.operation], old)
        elif change.operation in OPPOSITE:
            self._set_tags(OPPOSITE[change.operation], old)
        else:
            self._set_deleted(ids, is_deleted=change.operation == "restore")
        return 200

    def _set_field(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        before = {}
        for key, value in values.items():
            idea = self.ideas[key]
            if getattr(idea, name) != value:
                before[key] = getattr(idea, name)
                setattr(idea, name, value)
                idea.revision += 1
        return before

    def _set_tags(self, operation: str, values: Mapping[str, Iterable[str]]) -> dict[str, Any]:
        before = {}
        for key, tags in values.items():
            idea, is_adding = self.ideas[key], operation == "add_tags"
            changed = {tag for tag in tags if (tag in idea.tags) != is_adding}
            if changed:
                before[key] = changed
                idea.tags ^= changed
                idea.revision += 1
        return before

    def _set_deleted(self, ids: Iterable[str], *, is_deleted: bool) -> list[str]:
        changed = [key for key in ids if self.ideas[key].is_deleted != is_deleted]
        for key in changed:
            self.ideas[key].is_deleted = is_deleted
            self.ideas[key].revision += 1
        return changed

    def _write(self, idea: Idea, title: str, body: str) -> None:
        if idea.texts[-1] != (title, body):
            idea.texts.append((title, body))

    def _refusal(self, idea_id: str, revision: int | None) -> int:
        if not self._is_live(idea_id):
            return 404
        return 0 if revision in (None, self.ideas[idea_id].revision) else 412

    def _is_live_board(self, board: str) -> bool:
        return board in self.boards and not self.boards[board].is_deleted

    def _is_in_reach(self, idea_id: str) -> bool:
        return idea_id in self.ideas and self._is_live_board(self.ideas[idea_id].board)

    def _is_live(self, idea_id: str) -> bool:
        return self._is_in_reach(idea_id) and not self.ideas[idea_id].is_deleted


def _words(idea: Idea) -> set[str]:
    title, body = idea.texts[-1]
    return set(f"{title} {body} {' '.join(idea.tags)}".lower().split())
