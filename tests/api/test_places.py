"""The order that people give the ideas of a board: over REST, kept by files, and of one mind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.schemas.bulk import Move
from service.schemas.ideas import BoardCreate
from service.settings import Settings
from service.store.places import LaneEdit, Spot
from service.store.placing import GAP
from tests.api.test_ideas import IDEAS, add
from tests.support.fake_backend import FakeBackend
from tests.support.people import store_of

pytestmark = pytest.mark.both_databases

NAMES = ("Soup", "Chalk", "Shelf", "Bench")


def fill(client: TestClient, names: tuple[str, ...] = NAMES) -> dict[str, str]:
    """The ids by title; the last one is added first, so that they stand in the order of the names."""
    return {name: add(client, name)["id"] for name in reversed(names)}


def order(client: TestClient, **filters: Any) -> list[str]:
    found = client.get(IDEAS, params={"sort": "place", "limit": 100, **filters}).json()
    return [idea["title"] for idea in found]


def place(client: TestClient, idea_id: str, **body: Any) -> dict[str, Any]:
    response = client.post(f"{IDEAS}/{idea_id}/place", json=body)
    assert response.status_code == 200, response.text
    moved: dict[str, Any] = response.json()
    return moved


def test_new_ideas_come_first(client: TestClient) -> None:
    ids = fill(client)
    place(client, ids["Bench"])

    add(client, "Kettle")

    assert order(client) == ["Kettle", "Bench", "Soup", "Chalk", "Shelf"]


@pytest.mark.parametrize(
    ("name", "spot", "expected"),
    [
        ("Shelf", {}, ["Shelf", "Soup", "Chalk", "Bench"]),
        ("Soup", {"before": "Bench"}, ["Chalk", "Shelf", "Soup", "Bench"]),
        ("Soup", {"after": "Bench"}, ["Chalk", "Shelf", "Bench", "Soup"]),
        ("Bench", {"before": "Soup"}, ["Bench", "Soup", "Chalk", "Shelf"]),
        ("Bench", {"after": "Soup"}, ["Soup", "Bench", "Chalk", "Shelf"]),
        ("Chalk", {"after": "Soup"}, ["Soup", "Chalk", "Shelf", "Bench"]),
    ],
)
def test_an_idea_stands_directly_before_or_after_another_one(
    client: TestClient, name: str, spot: dict[str, str], expected: list[str]
) -> None:
    ids = fill(client)

    place(client, ids[name], **{side: ids[other] for side, other in spot.items()})

    assert order(client) == expected


def test_there_is_always_room_between_two_ideas(client: TestClient) -> None:
    ids = fill(client)
    expected = list(NAMES)

    for turn in range(2 * GAP.bit_length()):
        name = ("Shelf", "Bench")[turn % 2]
        place(client, ids[name], after=ids["Soup"])
        expected = [one for one in expected if one != name]
        expected.insert(1, name)

        assert order(client) == expected


def test_a_place_is_no_edit_and_a_lane_is_one(client: TestClient) -> None:
    ids = fill(client)
    before = client.get(f"{IDEAS}/{ids['Shelf']}").json()

    moved = place(client, ids["Shelf"])
    edited = place(client, ids["Shelf"], after=ids["Bench"], status="done", tags=["food"])

    assert moved == before
    assert (edited["status"], edited["tags"]) == ("done", ["food"])
    assert edited["revision"] == before["revision"] + 1
    assert edited["version"] == before["version"]
    assert order(client) == ["Soup", "Chalk", "Bench", "Shelf"]
    assert [one["title"] for one in client.get(IDEAS, params={"q": "food"}).json()] == ["Shelf"]


def test_an_outdated_move_to_another_lane_is_refused(client: TestClient) -> None:
    ids = fill(client)
    path = f"{IDEAS}/{ids['Shelf']}"
    etag = client.get(path).headers["etag"]
    client.patch(path, json={"status": "kept"})

    late = client.post(f"{path}/place", json={"status": "done"}, headers={"If-Match": etag})

    assert late.status_code == 412
    assert client.get(path).json()["status"] == "kept"
    assert order(client) == list(NAMES)


def test_a_neighbour_that_is_gone_is_named_and_nothing_moves(client: TestClient) -> None:
    ids = fill(client)
    store = store_of(client)
    elsewhere = store.boards.create(BoardCreate(name="Elsewhere")).id
    other = add(client, "Elsewhere", board_id=elsewhere)["id"]
    client.delete(f"{IDEAS}/{ids['Chalk']}")

    for body in (
        {"before": ids["Chalk"], "status": "done"},
        {"after": other},
        {"after": "nope"},
        {"before": ids["Bench"]},
        {"before": ids["Soup"], "after": ids["Shelf"]},
    ):
        refused = client.post(f"{IDEAS}/{ids['Bench']}/place", json=body)
        assert refused.status_code == 422, body
        assert refused.json()["errors"][0]["pointer"] in ("/before", "/after")

    assert client.get(f"{IDEAS}/{ids['Bench']}").json()["status"] == "draft"
    board = store.boards.default().id
    assert order(client, board=board) == ["Soup", "Shelf", "Bench"]


def test_the_order_is_listed_page_by_page(client: TestClient) -> None:
    ids = fill(client)
    place(client, ids["Bench"], after=ids["Soup"])

    first = client.get(IDEAS, params={"sort": "place", "limit": 2})
    rest = client.get(first.links["next"]["url"])

    titles = [idea["title"] for idea in first.json() + rest.json()]
    assert titles == ["Soup", "Bench", "Chalk", "Shelf"]


def test_moves_at_the_same_time_end_in_one_order(client: TestClient) -> None:
    ids = fill(client)
    store = store_of(client)
    moves = [
        ("Soup", Spot(after=ids["Bench"])),
        ("Chalk", Spot(before=ids["Soup"])),
        ("Bench", Spot()),
        ("Shelf", Spot(after=ids["Chalk"])),
    ] * 6

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: store.places.move(ids[one[0]], one[1]), moves))

    assert sorted(order(client)) == sorted(NAMES)
    assert order(client) == order(client)


def test_one_undo_restores_the_place_and_the_lane(client: TestClient) -> None:
    ids = fill(client)
    store = store_of(client)
    edit = LaneEdit(status="done", swapped=("", "food"))
    _, change = store.places.move(ids["Chalk"], Spot(after=ids["Bench"]), edit)
    assert order(client, tag="food", status="done") == ["Chalk"]
    add(client, "Kettle")

    undone = store.changes.undo(change.id)

    assert undone.put_back == [ids["Chalk"]]
    assert order(client) == ["Kettle", *NAMES]
    back = client.get(f"{IDEAS}/{ids['Chalk']}").json()
    assert (back["status"], back["tags"]) == ("draft", [])
    assert client.get(IDEAS, params={"q": "food"}).json() == []


def test_an_undo_leaves_alone_what_was_moved_again(client: TestClient) -> None:
    ids = fill(client)
    store = store_of(client)
    _, change = store.places.move(ids["Soup"], Spot(after=ids["Bench"]), LaneEdit(status="done"))
    place(client, ids["Soup"], after=ids["Chalk"], status="kept")

    undone = store.changes.undo(change.id)

    assert undone.put_back == []
    assert order(client) == ["Chalk", "Soup", "Shelf", "Bench"]
    assert client.get(f"{IDEAS}/{ids['Soup']}").json()["status"] == "kept"


def test_a_swapped_tag_leaves_the_others(client: TestClient) -> None:
    idea = add(client, tags=["food", "street"])["id"]
    store = store_of(client)

    moved, change = store.places.move(idea, Spot(), LaneEdit(swapped=("food", "garden")))
    assert moved.tags == ["garden", "street"]
    client.patch(f"{IDEAS}/{idea}", json={"tags": ["evening", "garden"]})
    store.changes.undo(change.id)

    assert client.get(f"{IDEAS}/{idea}").json()["tags"] == ["evening", "food"]


def test_a_move_that_changes_nothing_has_nothing_to_undo(client: TestClient) -> None:
    ids = fill(client)

    _, change = store_of(client).places.move(
        ids["Soup"], Spot(before=ids["Chalk"]), LaneEdit(status="draft", swapped=("food", ""))
    )

    assert change.changed == []
    assert client.get(f"{IDEAS}/{ids['Soup']}").json()["revision"] == 1


def test_ideas_that_come_to_another_board_stand_first_there_in_their_order(
    client: TestClient,
) -> None:
    ids = fill(client)
    store = store_of(client)
    other = store.boards.create(BoardCreate(name="Elsewhere")).id
    add(client, "There", board_id=other)
    moved = [ids["Soup"], ids["Bench"]]

    store.changes.make(Move(operation="move", ids=moved, board_id=other))
    client.patch(f"{IDEAS}/{ids['Shelf']}", json={"board_id": other})

    assert order(client, board=other) == ["Shelf", "Soup", "Bench", "There"]


def exported(client: TestClient) -> dict[str, Any]:
    archive: dict[str, Any] = client.get("/api/v1/export", params={"format": "json"}).json()
    return archive


@pytest.fixture
def other(elsewhere: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(elsewhere, FakeBackend()), base_url="http://localhost") as client:
        yield client


def test_a_file_keeps_the_order(client: TestClient, other: TestClient) -> None:
    ids = fill(client)
    place(client, ids["Bench"], after=ids["Soup"])
    archive = exported(client)

    assert other.post("/api/v1/import", json=archive).status_code == 200

    assert order(other) == ["Soup", "Bench", "Chalk", "Shelf"]
    assert exported(other)["ideas"] == archive["ideas"]


def test_the_ideas_of_an_older_file_come_newest_first(
    client: TestClient, other: TestClient
) -> None:
    ids = fill(client)
    place(client, ids["Bench"])
    archive = exported(client)
    for idea in archive["ideas"]:
        del idea["place"]

    assert other.post("/api/v1/import", json=archive).status_code == 200

    assert order(other) == list(NAMES)


def test_imported_ideas_come_before_those_that_are_there(client: TestClient) -> None:
    ids = fill(client)
    place(client, ids["Bench"])
    archive = exported(client)
    for name in ("Bench", "Shelf"):
        client.delete(f"{IDEAS}/{ids[name]}")
        client.delete(f"{IDEAS}/{ids[name]}", params={"for_good": True})
    add(client, "Kettle")

    client.post("/api/v1/import", json=archive)

    assert order(client) == ["Bench", "Shelf", "Kettle", "Soup", "Chalk"]
