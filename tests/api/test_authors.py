"""Who made what: names in the answers, on the pages and in files, and none where nobody has one."""

import csv
import io
from threading import get_ident

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from service.actor import Role
from service.analysis.standings import board_standings, next_pair
from service.errors import Conflict, Forbidden
from service.schemas.comments import CommentCreate
from service.schemas.fields import Outcome
from service.schemas.ideas import IdeaCreate, IdeaUpdate
from service.schemas.identity import new_id
from service.schemas.ranking import ComparisonCreate
from service.store import Store
from service.store.listing import IdeaQuery
from service.store.runs import NewRun
from tests.support.people import acting_as, add_person

API, IDEAS = "/api/v1", "/api/v1/ideas"
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
pytestmark = pytest.mark.both_databases


@pytest.fixture
def board(store: Store) -> str:
    return store.boards.default().id


@pytest.fixture
def ada(store: Store) -> str:
    return add_person(store, "Ada")


@pytest.fixture
def ben(store: Store) -> str:
    return add_person(store, "Ben")


def page(client: TestClient, path: str) -> str:
    response = client.get(path, headers=BROWSER)
    assert response.status_code == 200
    return response.text


def add_ideas(store: Store, number: int) -> list[str]:
    return [store.ideas.create(IdeaCreate(title=f"Idea {place}")).id for place in range(number)]


def vote(store: Store, board: str, first: str, second: str, outcome: Outcome = "first") -> str:
    shape = ComparisonCreate(first_id=first, second_id=second, outcome=outcome)
    return store.comparisons.vote(board, shape).id


def test_ideas_and_versions_name_their_authors(
    client: TestClient, store: Store, ada: str, ben: str
) -> None:
    with acting_as(ada):
        idea = store.ideas.create(IdeaCreate(title="Lend tools")).id
    with acting_as(ben):
        store.ideas.update(idea, IdeaUpdate(body="Drills."))

    versions = client.get(f"{IDEAS}/{idea}/versions").json()

    assert client.get(f"{IDEAS}/{idea}").json()["author"] == {"id": ada, "name": "Ada"}
    assert [one["author"]["name"] for one in versions] == ["Ben", "Ada"]
    assert "by Ada" in page(client, "/")
    assert "by Ben" in page(client, f"/ideas/{idea}")


def test_a_kept_suggestion_is_the_models_and_names_who_kept_it(
    client: TestClient, store: Store, ada: str
) -> None:
    run = client.post(f"{API}/brainstorm", json={"topic": "tools", "n": 1}).json()
    with acting_as(ada):
        idea, _ = store.suggestions.keep(run["suggestions"][0]["id"])

    answer = client.get(f"{IDEAS}/{idea.id}").json()

    assert (answer["origin"], answer["author"]["name"]) == ("model", "Ada")
    assert "kept by Ada" in page(client, "/")
    assert f"kept by Ada, written by {run['model']}" in page(client, f"/ideas/{idea.id}")


def test_runs_name_who_started_them(client: TestClient, store: Store, board: str, ada: str) -> None:
    with acting_as(ada):
        new = NewRun(kind="brainstorm", request={"topic": "x", "n": 1}, seed=1, board_id=board)
        run = store.runs.create(new).run_id

    assert client.get(f"{API}/runs/{run}").json()["author"]["name"] == "Ada"
    assert client.get(f"{API}/runs").json()[0]["author"]["name"] == "Ada"
    assert "Started by" in page(client, f"/runs/{run}")
    assert "by Ada" in page(client, f"/boards/{board}/runs")


def test_nothing_of_it_shows_where_nobody_has_a_name(client: TestClient, board: str) -> None:
    run = client.post(f"{API}/brainstorm", json={"topic": "tools", "n": 2}).json()
    ideas = client.post(f"{API}/runs/{run['run_id']}/keep").json()
    compared = {"first_id": ideas[0]["id"], "second_id": ideas[1]["id"], "outcome": "first"}
    client.post(f"{API}/boards/{board}/comparisons", json=compared)

    for path in (
        *("/", f"/ideas/{ideas[0]['id']}", f"/runs/{run['run_id']}"),
        *(f"/boards/{board}/runs", f"/boards/{board}/rank", f"/boards/{board}/print"),
    ):
        text = page(client, path)
        for word in ('class="author"', "kept by", "Started by", "How far people agree"):
            assert word not in text, (path, word)
    assert ideas[0]["author"] is None
    header = client.get(f"{API}/export?format=csv").text.splitlines()[0]
    assert "author" not in header
    assert "By:" not in client.get(f"{API}/export?format=markdown").text


def test_the_names_of_a_list_take_as_many_queries_as_one_name(store: Store) -> None:
    for place in range(12):
        with acting_as(add_person(store, f"Person {place}")):
            made = store.ideas.create(IdeaCreate(title=f"Idea {place}"))
            store.comments.add(made.id, CommentCreate(body="So?"))
            store.likes.set(made.id, liked=True)

    def queries(limit: int) -> int:
        statements: list[object] = []
        here = get_ident()

        def count(*facts: object) -> None:
            # The service has work of its own in other threads.
            if get_ident() == here:
                statements.append(facts[2])

        event.listen(Engine, "before_cursor_execute", count)
        try:
            assert len(store.ideas.page(IdeaQuery(limit=limit)).items) == limit
        finally:
            event.remove(Engine, "before_cursor_execute", count)
        return len(statements)

    assert queries(12) == queries(2)


@pytest.mark.parametrize("name", ["Ada", 'Ada · "the" <Boss>', "=SUM(A1)"])
def test_files_for_people_have_authors_and_can_be_read_back(
    client: TestClient, store: Store, name: str
) -> None:
    with acting_as(add_person(store, name)):
        idea = store.ideas.create(IdeaCreate(title="Lend tools", body="Drills.", tags=["home"])).id
    store.ideas.create(IdeaCreate(title="Without a name"))

    table = client.get(f"{API}/export?format=csv")
    text = client.get(f"{API}/export?format=markdown").text
    rows = list(csv.DictReader(io.StringIO(table.content.decode(), newline="")))

    assert [row["author"].removeprefix("'") for row in rows] == [name, ""]
    assert "By: " in text
    for content, kind in ((table.content.decode(), "text/csv"), (text, "text/markdown")):
        imported = client.post(
            f"{API}/import", content=content.encode(), headers={"content-type": kind}
        ).json()
        assert imported["already_there"]["ideas"] == 2, imported
        assert imported["left_out"] == []
    assert store.ideas.get(idea).tags == ["home"]


def test_a_person_gets_pairs_that_they_have_not_compared(
    store: Store, board: str, ada: str, ben: str
) -> None:
    add_ideas(store, 4)

    def asked(person: str) -> frozenset[str]:
        with acting_as(person):
            pair = next_pair(store, board_standings(store, board, "people"))
            assert pair is not None
            vote(store, board, pair.first.id, pair.second.id)
        return frozenset((pair.first.id, pair.second.id))

    first = [asked(person) for person in (ada, ben) for _ in range(6)]

    assert len(set(first[:6])) == len(set(first[6:])) == 6
    assert asked(ada) in set(first)


def test_the_ranking_says_how_far_people_agree(
    client: TestClient, store: Store, board: str, ada: str, ben: str
) -> None:
    ideas = add_ideas(store, 6)
    pairs = [(one, other) for place, one in enumerate(ideas) for other in ideas[place + 1 :]]
    for person in (ada, ben):
        for place, (one, other) in enumerate(pairs):
            with acting_as(person):
                is_other = person == ben and place < 3
                vote(store, board, one, other, "second" if is_other else "first")

    ranking = client.get(f"{API}/boards/{board}/ranking").json()
    text = page(client, f"/boards/{board}/rank")

    found = ranking["consensus"]
    assert (found["people"], found["shared_pairs"], found["agreement"]) == (2, 15, 0.8)
    assert 0.5 < found["alpha"] < 0.7
    assert found["contested"][0] == {
        "idea_id": ideas[0],
        "title": "Idea 0",
        "contested": 3,
        "shared": 5,
    }
    assert client.get(f"{API}/boards/{board}/ranking?by=model").json()["consensus"] is None
    assert "How far people agree" in text
    assert "80 %" in text
    assert "3 of 5 pairs" in text


def test_few_votes_are_said_to_be_too_few(
    client: TestClient, store: Store, board: str, ada: str, ben: str
) -> None:
    one, other = add_ideas(store, 2)
    for person in (ada, ben):
        with acting_as(person):
            vote(store, board, one, other)

    assert "That is too little" in page(client, f"/boards/{board}/rank")


def test_a_vote_belongs_to_the_person_who_cast_it(
    store: Store, board: str, ada: str, ben: str
) -> None:
    one, other = add_ideas(store, 2)
    shape = ComparisonCreate(first_id=one, second_id=other, outcome="first")
    ballot = new_id()
    with acting_as(ada):
        made = store.comparisons.vote(board, shape, ballot=ballot)
    assert made.author is not None

    with acting_as(ben):
        with pytest.raises(Conflict):
            store.comparisons.vote(board, shape, ballot=ballot)
        with pytest.raises(Forbidden):
            store.comparisons.delete(board, ballot)
    with acting_as(ben, Role.OWNER):
        assert store.comparisons.delete(board, ballot) == made
