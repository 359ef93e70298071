"""The store refuses what hangs on an idea or a run of a board on which the role is too low.

The table of routes refuses it before; here the store is asked itself, as a run or a new route may.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.actor import ACTOR, Actor, Role
from service.errors import RoleNeeded
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.comments import CommentCreate, CommentUpdate
from service.schemas.ideas import BoardCreate, IdeaCreate
from service.store import Store
from service.store.runs import NewRun
from service.store.tables import IdeaVersion
from tests.support.evaluations import SCORES
from tests.support.people import add_person, store_of

pytestmark = pytest.mark.both_databases


@dataclass
class Board:
    """A board with one idea, a comment of Ada's on it, and a run under way with a suggestion."""

    store: Store
    database: Any
    ada: str
    idea: str
    comment: str
    run: str
    board: str

    @contextmanager
    def acting(self, role: Role) -> Iterator[None]:
        """As Ada, who edits another board."""
        roles = {self.board: role, "another": Role.EDITOR}
        token = ACTOR.set(Actor(person_id=self.ada, board_roles=roles))
        try:
            yield
        finally:
            ACTOR.reset(token)


@pytest.fixture
def board(client: TestClient) -> Board:
    store = store_of(client)
    board = store.boards.create(BoardCreate(name="Party")).id
    ada = add_person(store, "Ada")
    idea = store.ideas.create(IdeaCreate(board_id=board, title="Soup")).id
    run = store.runs.create(NewRun("brainstorm", {}, 1, board)).run_id
    store.suggestions.add(run, 0, suggestion("first"))
    database = client.app.state.database  # type: ignore[attr-defined]
    made = Board(store, database, ada, idea, "", run, board)
    with made.acting(Role.COMMENTER):
        made.comment = store.comments.add(idea, CommentCreate(body="Nice.")).id
    return made


def suggestion(name: str) -> SuggestionPublic:
    return SuggestionPublic(id=name, angle="", title="Stew", text="One pot.")


def write_a_comment(one: Board) -> object:
    return one.store.comments.add(one.idea, CommentCreate(body="Me too."))


def change_a_comment(one: Board) -> object:
    return one.store.comments.update(one.comment, CommentUpdate(body="Nicer."))


def delete_a_comment(one: Board) -> object:
    return one.store.comments.delete(one.comment)


def like(one: Board) -> object:
    return one.store.likes.set(one.idea, liked=True)


def add_an_evaluation(one: Board) -> object:
    return one.store.evaluations.add(one.run, one.idea, 1, SCORES)


def add_a_suggestion(one: Board) -> None:
    one.store.suggestions.add(one.run, 1, suggestion("second"))


def discard_a_suggestion(one: Board) -> object:
    return one.store.suggestions.discard("first")


Write = Callable[[Board], object]
COMMENTERS = [write_a_comment, change_a_comment, delete_a_comment, like]
EDITORS = [add_an_evaluation, add_a_suggestion, discard_a_suggestion]


@pytest.mark.parametrize("write", COMMENTERS)
def test_who_may_only_read_a_board_changes_no_comment_and_no_like(
    board: Board, write: Write
) -> None:
    with board.acting(Role.READER), pytest.raises(RoleNeeded, match="commenter"):
        write(board)

    with board.acting(Role.COMMENTER):
        write(board)


@pytest.mark.parametrize("write", EDITORS)
def test_who_may_only_comment_changes_no_evaluation_and_no_suggestion(
    board: Board, write: Write
) -> None:
    with board.acting(Role.COMMENTER), pytest.raises(RoleNeeded, match="editor"):
        write(board)

    with board.acting(Role.EDITOR):
        write(board)


def test_who_may_only_comment_adds_no_version(board: Board) -> None:
    version = IdeaVersion(idea_id=board.idea, number=2, title="Mine", body="")
    with (
        board.acting(Role.COMMENTER),
        pytest.raises(RoleNeeded, match="editor"),
        board.database.write() as session,
    ):
        session.add(version)


def test_an_idea_that_was_moved_away_during_a_run_is_not_evaluated_by_it(board: Board) -> None:
    """Ada's run is on a board that she edits; the idea is on one that she only reads now."""
    store = board.store
    own = store.boards.create(BoardCreate(name="Own")).id
    run = store.runs.create(NewRun("evaluate-all", {}, 1, own)).run_id
    roles = {board.board: Role.READER, own: Role.EDITOR}
    token = ACTOR.set(Actor(person_id=board.ada, board_roles=roles))
    try:
        with pytest.raises(RoleNeeded):
            store.evaluations.add(run, board.idea, 1, SCORES)
    finally:
        ACTOR.reset(token)

    assert store.evaluations.of_idea(board.idea) == []
