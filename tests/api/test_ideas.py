"""Ideas and boards over REST, on a real database."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.both_databases

IDEAS = "/api/v1/ideas"


def add(client: TestClient, title: str = "Tool shelf", **fields: Any) -> dict[str, Any]:
    response = client.post(IDEAS, json={"title": title, **fields})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def test_the_location_header_leads_to_the_new_idea(client: TestClient) -> None:
    response = client.post(IDEAS, json={"title": "Tool shelf", "tags": ["home", "home"]})

    assert response.status_code == 201
    assert response.headers["etag"] == '"1"'
    found = client.get(response.headers["location"]).json()
    assert found == response.json()
    assert (found["title"], found["tags"], found["status"]) == ("Tool shelf", ["home"], "draft")


def test_a_changed_text_becomes_a_version_and_a_changed_tag_does_not(client: TestClient) -> None:
    idea = add(client, body="Lend drills.")

    client.patch(f"{IDEAS}/{idea['id']}", json={"body": "Lend ladders."})
    changed = client.patch(f"{IDEAS}/{idea['id']}", json={"tags": ["street"]}).json()

    assert (changed["version"], changed["revision"]) == (2, 3)
    versions = client.get(f"{IDEAS}/{idea['id']}/versions").json()
    assert [version["body"] for version in versions] == ["Lend ladders.", "Lend drills."]


def test_restoring_a_version_makes_a_new_one(client: TestClient) -> None:
    idea = add(client, body="First.")
    client.patch(f"{IDEAS}/{idea['id']}", json={"body": "Second."})

    restored = client.post(f"{IDEAS}/{idea['id']}/versions/1/restore").json()

    assert (restored["body"], restored["version"]) == ("First.", 3)
    assert client.post(f"{IDEAS}/{idea['id']}/versions/9/restore").status_code == 404


def test_a_lost_update_is_refused_with_the_current_version(client: TestClient) -> None:
    idea = add(client)
    path = f"{IDEAS}/{idea['id']}"
    etag = client.get(path).headers["etag"]
    client.patch(path, json={"title": "Theirs"}, headers={"If-Match": etag})

    late = client.patch(path, json={"title": "Mine"}, headers={"If-Match": etag})

    assert late.status_code == 412
    assert late.headers["etag"] == '"2"'
    assert late.headers["content-type"] == "application/problem+json"
    assert client.get(path).json()["title"] == "Theirs"


@pytest.mark.parametrize("tag", ['"x"', "W/", '"99999999999999999999"', "²"])
def test_a_foreign_entity_tag_never_matches(client: TestClient, tag: str) -> None:
    idea = add(client)

    response = client.delete(
        f"{IDEAS}/{idea['id']}", headers=[(b"if-match", tag.encode("latin-1"))]
    )

    assert response.status_code == 412


def test_exactly_one_of_twenty_writers_with_the_same_entity_tag_wins(client: TestClient) -> None:
    idea = add(client)

    def write(number: int) -> int:
        return client.patch(
            f"{IDEAS}/{idea['id']}", json={"title": f"by {number}"}, headers={"If-Match": '"1"'}
        ).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(write, range(20)))

    assert statuses == [200] + [412] * 19


def test_an_unchanged_idea_is_not_sent_again(client: TestClient) -> None:
    idea = add(client)

    response = client.get(f"{IDEAS}/{idea['id']}", headers={"If-None-Match": '"1"'})

    assert (response.status_code, response.content) == (304, b"")


def test_a_deleted_idea_is_gone_until_it_is_restored(client: TestClient) -> None:
    idea = add(client, body="drills and ladders")
    path = f"{IDEAS}/{idea['id']}"

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get(IDEAS, params={"q": "ladders"}).json() == []
    assert client.post(f"{path}/restore").status_code == 200
    assert [hit["id"] for hit in client.get(IDEAS, params={"q": "ladders"}).json()] == [idea["id"]]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("drill", True),
        ("DRÍLLS", True),
        ("shelf drills", True),
        ("hallway", True),
        ("shelf bicycle", False),
        ('"', False),
        ("drills OR bicycle", False),
        ("title:shelf", True),
    ],
)
def test_search_finds_every_word_in_title_body_and_tags(
    client: TestClient, query: str, is_found: bool
) -> None:
    add(client, title="Tool shelf title", body="Lend drills.", tags=["hallway"])

    assert bool(client.get(IDEAS, params={"q": query}).json()) == is_found


def test_search_follows_a_change_of_text(client: TestClient) -> None:
    idea = add(client, body="drills")

    client.patch(f"{IDEAS}/{idea['id']}", json={"body": "ladders"})

    assert client.get(IDEAS, params={"q": "drills"}).json() == []
    assert len(client.get(IDEAS, params={"q": "ladders"}).json()) == 1


@pytest.mark.parametrize("sort", ["new", "old", "updated", "score", "title"])
def test_pages_neither_repeat_nor_skip_while_ideas_are_added(client: TestClient, sort: str) -> None:
    made = {add(client, title=f"idea {number % 5}")["id"] for number in range(17)}
    seen: list[str] = []
    address: str | None = f"{IDEAS}?limit=5&sort={sort}"

    while address is not None:
        page = client.get(address)
        seen += [idea["id"] for idea in page.json()]
        add(client, title="zz added while reading")
        address = page.links["next"]["url"] if "next" in page.links and len(seen) < 60 else None

    assert len(seen) == len(set(seen))
    assert made <= set(seen)


def test_a_cursor_of_another_list_is_refused(client: TestClient) -> None:
    for number in range(3):
        add(client, title=str(number))
    cursor = client.get(f"{IDEAS}?limit=1").links["next"]["url"]

    response = client.get(cursor.replace("limit=1", "limit=1&sort=title"))

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/cursor"


def test_filters_combine(client: TestClient) -> None:
    board = client.post("/api/v1/boards", json={"name": "Street"}).json()
    wanted = add(client, board_id=board["id"], tags=["cheap"], star=True, status="kept")
    add(client, board_id=board["id"], tags=["cheap"])
    add(client, tags=["cheap"], star=True, status="kept")

    found = client.get(
        IDEAS, params={"board": board["id"], "tag": "cheap", "star": True, "status": "kept"}
    ).json()

    assert [idea["id"] for idea in found] == [wanted["id"]]


def test_a_deleted_board_hides_its_ideas_until_it_is_restored(client: TestClient) -> None:
    board = client.post("/api/v1/boards", json={"name": "Street"}).json()
    idea = add(client, board_id=board["id"])

    client.delete(f"/api/v1/boards/{board['id']}")
    assert client.get(f"{IDEAS}/{idea['id']}").status_code == 404
    client.post(f"/api/v1/boards/{board['id']}/restore")

    assert client.get(f"{IDEAS}/{idea['id']}").status_code == 200


def test_the_last_board_cannot_be_deleted(client: TestClient) -> None:
    only = client.get("/api/v1/boards").json()[0]

    response = client.delete(f"/api/v1/boards/{only['id']}")

    assert response.status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": " \u200b\t"}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "x", "body": "y" * 8193}, "/body"),
        ({"title": "x", "colour": "red"}, "/colour"),
        ({"title": "x", "status": "lost"}, "/status"),
        ({"title": "x", "tags": [""]}, "/tags/0"),
        ({"title": "x", "star": "yes"}, "/star"),
    ],
)
def test_bad_input_is_refused_with_the_pointer_of_the_fault(
    client: TestClient, body: dict[str, Any], pointer: str
) -> None:
    response = client.post(IDEAS, json=body)

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["pointer"] == pointer
    assert client.get(IDEAS).json() == []


@pytest.mark.parametrize(
    "raw", [b'{"title": "\\ud800"}', b'{"title": NaN}', b"{", b"[]", b'{"title": "\xff"}', b""]
)
def test_a_malformed_request_body_is_refused(client: TestClient, raw: bytes) -> None:
    response = client.post(IDEAS, content=raw, headers={"content-type": "application/json"})

    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


def test_text_is_stored_without_invisible_characters(client: TestClient) -> None:
    idea = add(client, title="a\u200bb\U000e0041", body="one\r\ntwo\x00 👩\u200d🔧")

    assert idea["title"] == "ab"
    assert idea["body"] == "one\ntwo 👩\u200d🔧"


@pytest.mark.parametrize("reference", ["board_id", "parent_id"])
def test_an_idea_cannot_refer_to_a_missing_board_or_parent(
    client: TestClient, reference: str
) -> None:
    response = client.post(IDEAS, json={"title": "x", reference: "nobody"})

    assert response.status_code == 404
    assert client.get(IDEAS).json() == []


def test_an_entity_tag_belongs_to_the_uncompressed_body(client: TestClient) -> None:
    made = client.post("/api/v1/ideas", json={"title": "Long", "body": "word " * 1000})
    answer = client.get(made.headers["location"], headers={"Accept-Encoding": "gzip"})

    assert answer.headers["etag"] == made.headers["etag"]
    assert "content-encoding" not in answer.headers


def test_a_filter_by_several_tags_needs_all_of_them_on_every_page(client: TestClient) -> None:
    for number in range(3):
        add(client, f"both {number}", tags=["cheap", "outside"])
        add(client, f"one {number}", tags=["cheap"])

    first = client.get(f"{IDEAS}?tag=cheap&tag=outside&limit=2")
    second = client.get(first.links["next"]["url"])

    found = [idea["title"] for idea in first.json() + second.json()]
    assert found == ["both 2", "both 1", "both 0"]
    assert "next" not in second.links


@pytest.mark.parametrize(
    ("archived", "found"),
    [(None, ["Old", "New"]), ("false", ["New"]), ("true", ["Old"])],
)
def test_archived_ideas_can_be_left_out_or_listed_alone(
    client: TestClient, archived: str | None, found: list[str]
) -> None:
    add(client, "New")
    add(client, "Old", status="archived")

    listed = client.get(IDEAS, params={} if archived is None else {"archived": archived}).json()

    assert [idea["title"] for idea in listed] == found


def test_boards_are_listed_with_their_ideas_and_last_change(client: TestClient) -> None:
    board = client.post("/api/v1/boards", json={"name": "Street"}).json()
    add(client, board_id=board["id"], status="archived")
    kept = add(client, board_id=board["id"])
    gone = add(client, board_id=board["id"])
    client.delete(f"{IDEAS}/{gone['id']}")

    first, listed = client.get("/api/v1/boards").json()

    assert (first["ideas"], first["changed_at"]) == (0, first["updated_at"])
    assert (listed["ideas"], listed["archived"]) == (2, 1)
    assert listed["changed_at"] == kept["updated_at"]


def test_tags_of_a_board_are_listed_most_used_first(client: TestClient) -> None:
    board = client.get("/api/v1/boards").json()[0]["id"]
    add(client, tags=["cheap", "outside"])
    add(client, tags=["outside"])

    tags = client.get(f"/api/v1/boards/{board}/tags")

    assert tags.json() == [{"name": "outside", "ideas": 2}, {"name": "cheap", "ideas": 1}]
    assert client.get("/api/v1/boards/nowhere/tags").status_code == 404
