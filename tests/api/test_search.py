"""Searches with misspelt words find what was meant, and tell nobody of words that they may not read."""

from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient

from service.actor import ACTOR, Actor, Role
from service.schemas.ideas import BoardCreate, IdeaCreate, IdeaUpdate
from service.schemas.rounds import RoundCreate
from service.store import Store
from service.store.listing import IdeaQuery
from tests.support.people import acting_as, add_person

pytestmark = pytest.mark.both_databases


def add(store: Store, title: str, body: str = "", **fields: Any) -> str:
    return store.ideas.create(IdeaCreate(title=title, body=body, **fields)).id


def titles(client: TestClient, q: str, **query: Any) -> tuple[list[str], str | None]:
    answer = client.get("/api/v1/ideas", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    corrected = answer.headers.get("Corrected-Search")
    return [idea["title"] for idea in answer.json()], corrected and unquote(corrected)


@pytest.mark.parametrize(
    ("q", "meant"),
    [
        ("biycle", "bicycle"),
        ("icycle", "bicycle"),
        ("red biycle", "red bicycle"),
        ("biycle reapir", "bicycle repair"),
        ("trädgrd", "trädgård"),
        ("tradgrad", "trädgård"),
    ],
)
def test_misspelt_words_are_corrected_as_ideas_write_them(
    client: TestClient, store: Store, q: str, meant: str
) -> None:
    add(store, "Red bicycle", "A repair for each.")
    add(store, "En Trädgård")

    found, corrected = titles(client, q)

    assert len(found) == 1
    assert corrected == meant


@pytest.mark.parametrize(
    "q", ["bicycle", "bicy", "red", "bicycle soup", "bus", "zzzzzz", "2026", "“!”", "soup biycle"]
)
def test_a_search_that_finds_something_or_means_nothing_near_is_left_alone(
    client: TestClient, store: Store, q: str
) -> None:
    add(store, "Red bicycle")
    add(store, "Soup in 2027")

    assert titles(client, q)[1] is None


def test_a_program_can_ask_for_the_words_as_they_are_written(
    client: TestClient, store: Store
) -> None:
    add(store, "Red bicycle")

    assert titles(client, "biycle", exact=True) == ([], None)


def test_a_well_spelt_word_is_not_replaced_because_a_filter_leaves_its_ideas_out(
    client: TestClient, store: Store
) -> None:
    add(store, "Market day")
    store.ideas.update(add(store, "Marked paths"), IdeaUpdate(star=True))

    assert titles(client, "market", star=True) == ([], None)


def test_of_equally_near_words_the_one_of_most_ideas_is_meant(
    client: TestClient, store: Store
) -> None:
    add(store, "A cable")
    add(store, "A table")
    add(store, "Another table")

    assert titles(client, "xable")[1] == "table"


def test_pages_of_a_corrected_search_follow_each_other(client: TestClient, store: Store) -> None:
    for number in range(3):
        add(store, f"Bicycle {number}")

    first = client.get("/api/v1/ideas", params={"q": "biycle", "limit": 2})
    second = client.get(first.links["next"]["url"])

    assert [len(first.json()), len(second.json())] == [2, 1]
    assert second.headers["Corrected-Search"] == "bicycle"


@pytest.mark.parametrize("where", ["on another board", "in the trash", "of an open round"])
def test_no_correction_tells_of_ideas_that_one_may_not_read(store: Store, where: str) -> None:
    board = store.boards.default().id
    other = store.boards.create(BoardCreate(name="Secret")).id
    with acting_as(add_person(store, "Ada")):
        if where == "of an open round":
            started = store.rounds.start(board, RoundCreate(topic="Wheels", minutes=5))
            add(store, "Bicycle", round_id=started.id)
        else:
            idea = add(store, "Bicycle", board_id=other if where == "on another board" else board)
            if where == "in the trash":
                store.ideas.delete(idea)
    # A prefix of it does not give the hidden word away either.
    add(store, "Bicycles", board_id=board)
    token = ACTOR.set(
        Actor(person_id=add_person(store, "Bo"), role=None, board_roles={board: Role.READER})
    )
    try:
        near = store.search.corrected(IdeaQuery(q="bicycel")).q
        far = store.search.corrected(IdeaQuery(q="biycles")).q
    finally:
        ACTOR.reset(token)

    assert near == "bicycel"
    assert far == "bicycles"


def test_the_board_says_what_it_searched_for_instead(client: TestClient, store: Store) -> None:
    idea = add(store, "Red <bicycle>")
    board = store.boards.default().id

    page = client.get(f"/boards/{board}", params={"q": "biycle"}).text

    assert "Nothing contains “biycle”. Ideas with “<b>bicycle</b>”:" in page
    assert f"/ideas/{idea}" in page
    assert "1 idea found." in page
