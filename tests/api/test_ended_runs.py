"""A server that is late adds nothing to a run that others have ended."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, update

from service.errors import LeaseLost
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.evaluation import FailurePublic
from service.schemas.ideas import IdeaCreate
from service.store import Store
from service.store.comparisons import Verdict
from service.store.runs import NewRun, Provenance, RunOutcome
from service.store.tables import Run
from tests.support.evaluations import SCORES
from tests.support.people import store_of

pytestmark = pytest.mark.both_databases
Add = Callable[[Store, str, str, list[str]], object]


def a_suggestion(store: Store, run: str, _board: str, _ideas: list[str]) -> None:
    suggestion = SuggestionPublic(id="late", angle="", title="Stew", text="One pot.")
    store.suggestions.add(run, 0, suggestion)


def an_evaluation(store: Store, run: str, _board: str, ideas: list[str]) -> None:
    store.evaluations.add(run, ideas[0], 1, SCORES)


def a_comparison(store: Store, run: str, board: str, ideas: list[str]) -> None:
    verdict = Verdict(board, ideas[0], 1, ideas[1], 1, "first", 0.7)
    store.comparisons.add_verdict(run, verdict)


def a_failure(store: Store, run: str, _board: str, ideas: list[str]) -> None:
    failure = FailurePublic(idea_id=ideas[0], title="Soup", type="timeout", detail="Late.")
    store.runs.add_failure(run, failure)


def a_start(store: Store, run: str, _board: str, _ideas: list[str]) -> None:
    store.runs.start(run, Provenance("fake", "f" * 64, None))


def an_end(store: Store, run: str, _board: str, _ideas: list[str]) -> None:
    store.runs.finish(run, RunOutcome("done", {}))


@pytest.mark.parametrize(
    "add", [a_suggestion, an_evaluation, a_comparison, a_failure, a_start, an_end]
)
@pytest.mark.parametrize("ended", [{"status": "interrupted"}, {"replica_id": "another"}])
def test_nothing_is_added_to_a_run_that_another_server_has_ended(
    client: TestClient, add: Add, ended: dict[str, str]
) -> None:
    store = store_of(client)
    board = store.boards.default().id
    ideas = [store.ideas.create(IdeaCreate(title=title)).id for title in ("Soup", "Chalk")]
    run = store.runs.create(NewRun("rank", {}, 1, board)).run_id
    with client.app.state.database.write() as session:  # type: ignore[attr-defined]
        session.exec(update(Run).where(col(Run.id) == run).values(**ended))

    with pytest.raises(LeaseLost):
        add(store, run, board, ideas)

    left = store.runs.get(run)
    assert (left.suggestions, left.comparisons, left.result) == ([], [], None)
    assert store.evaluations.of_idea(ideas[0]) == []
