"""The page of lanes: which cards they hold, and the form that moves them."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.web.pages.lanes import LANE_SIZE, MOST_LANES
from tests.api.test_changes import counted
from tests.api.test_ideas import IDEAS, add
from tests.support.people import store_of

HOST = "http://localhost"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}


def board_of(client: TestClient) -> str:
    return f"/boards/{store_of(client).boards.default().id}"


def lanes(client: TestClient, **query: Any) -> dict[str, list[str]]:
    """The titles in each lane of the page."""
    page = client.get(board_of(client), params={"view": "lanes", **query}, headers=PAGE)
    assert page.status_code == 200, page.text
    parts = re.split(r'data-lane="([^"]*)"', page.text)[1:]
    pattern = re.compile(r'<h3><a href="/ideas/[^"]+">([^<]+)</a>')
    return {key: pattern.findall(html) for key, html in zip(parts[::2], parts[1::2], strict=True)}


def move(client: TestClient, idea: str, at: str = "?view=lanes", **form: str) -> str:
    """Sends the form without scripts; returns where the browser goes."""
    headers = PAGE | {"referer": f"{HOST}{board_of(client)}{at}"}
    answer = client.post(f"/ideas/{idea}/place", data=form, headers=headers, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_lane_for_each_status_in_the_order_that_people_gave(client: TestClient) -> None:
    soup, chalk = add(client, "Soup")["id"], add(client, "Chalk")["id"]
    add(client, "Fence", status="archived")
    add(client, "Shelf", status="done")

    to = move(client, chalk, by="status", from_lane="draft", to="down")
    shown = lanes(client)

    assert to == f"{board_of(client)}?view=lanes"
    assert shown == {
        "draft": ["Soup", "Chalk"],
        "kept": [],
        "in-progress": [],
        "done": ["Shelf"],
        "archived": ["Fence"],
    }
    move(client, soup, by="status", from_lane="draft", lane="done")
    assert lanes(client)["done"] == ["Soup", "Shelf"]
    assert lanes(client, status="done") == {"done": ["Soup", "Shelf"]}
    assert lanes(client, q="cha")["draft"] == ["Chalk"]


def test_an_idea_is_in_the_lane_of_each_of_its_tags(client: TestClient) -> None:
    add(client, "Soup", tags=["food", "street"])
    add(client, "Walk")
    add(client, "Fence", status="archived", tags=["street"])

    assert lanes(client, by="tag") == {"": ["Walk"], "food": ["Soup"], "street": ["Soup"]}
    assert lanes(client, by="tag", tag="street") == {"food": ["Soup"], "street": ["Soup"]}
    ids = re.findall(r' id="([^"]+)"', client.get(f"{board_of(client)}?view=lanes&by=tag").text)
    assert len(ids) == len(set(ids))


def test_rarer_tags_have_no_lane_and_the_page_says_so(client: TestClient) -> None:
    for number in range(MOST_LANES + 2):
        add(client, f"Idea {number}", tags=[f"tag {number:02}"])
        add(client, f"Another {number}", tags=[f"tag {min(number, MOST_LANES - 1):02}"])

    page = client.get(f"{board_of(client)}?view=lanes&by=tag").text

    assert page.count("data-lane=") == MOST_LANES + 1
    assert "2 rarer tags have no lane." in page


@pytest.mark.parametrize(
    ("form", "tags"),
    [
        ({"from_lane": "food", "lane": "garden"}, ["garden", "street"]),
        ({"from_lane": "food", "lane": "street"}, ["street"]),
        ({"from_lane": "food", "untag": "true"}, []),
        ({"from_lane": "", "lane": "garden"}, ["food", "garden", "street"]),
        ({"from_lane": "food", "to": "up"}, ["food", "street"]),
    ],
)
def test_another_lane_of_tags_replaces_the_one_of_this_lane(
    client: TestClient, form: dict[str, str], tags: list[str]
) -> None:
    idea = add(client, "Soup", tags=["food", "street"])["id"]

    move(client, idea, by="tag", **form)

    assert client.get(f"{IDEAS}/{idea}").json()["tags"] == tags


def test_one_step_is_a_step_among_the_cards_that_are_shown(client: TestClient) -> None:
    ids = {}
    for title in ("Soup", "Chalk", "Soup kitchen"):
        ids[title] = add(client, title)["id"]

    move(client, ids["Soup"], "?view=lanes&q=soup", by="status", from_lane="draft", to="up")

    assert lanes(client)["draft"] == ["Soup", "Soup kitchen", "Chalk"]
    for to in ("up", "top"):
        move(client, ids["Soup"], by="status", from_lane="draft", to=to)
    assert lanes(client)["draft"] == ["Soup", "Soup kitchen", "Chalk"]
    move(client, ids["Soup"], by="status", from_lane="draft", to="bottom")
    assert lanes(client)["draft"] == ["Soup kitchen", "Chalk", "Soup"]


def test_an_unknown_lane_is_refused(client: TestClient) -> None:
    idea = add(client)["id"]
    headers = PAGE | {"referer": f"{HOST}{board_of(client)}?view=lanes"}

    for form in ({"lane": "nope"}, {"by": "tag", "lane": "  "}, {"by": "nope"}, {"to": "left"}):
        answer = client.post(f"/ideas/{idea}/place", data=form, headers=headers)
        assert answer.status_code == 422, form
        assert "data-lane" in answer.text

    assert client.get(f"{IDEAS}/{idea}").json()["revision"] == 1


def test_each_lane_shows_more_on_its_own(client: TestClient) -> None:
    for number in range(LANE_SIZE + 2):
        add(client, f"Idea {number}")
        add(client, f"Kept {number}", status="kept")

    assert {key: len(of) for key, of in lanes(client).items() if of} == {
        "draft": LANE_SIZE,
        "kept": LANE_SIZE,
    }
    more = lanes(client, more="kept")
    assert (len(more["draft"]), len(more["kept"])) == (LANE_SIZE, LANE_SIZE + 2)
    page = client.get(f"{board_of(client)}?view=lanes&more=kept").text
    assert "more=kept&amp;more=draft" in page


def test_more_cards_need_no_more_statements(client: TestClient) -> None:
    def statements() -> int:
        with counted() as made:
            lanes(client)
        return len(made)

    add(client, "Soup", tags=["food"])
    few = statements()
    for number in range(30):
        add(client, f"Idea {number}", tags=[f"tag {number}"], status=("kept", "done")[number % 2])

    assert statements() <= few


def test_the_cookie_of_a_board_remembers_its_view_and_no_other(client: TestClient) -> None:
    board = board_of(client)
    other = f"/boards/{client.post('/api/v1/boards', json={'name': 'Other'}).json()['id']}"

    client.get(f"{board}?view=lanes&by=tag", headers=PAGE)

    assert 'data-by="tag"' in client.get(board, headers=PAGE).text
    assert 'id="lanes"' not in client.get(other, headers=PAGE).text
    client.get(f"{board}?view=list", headers=PAGE | {"X-Live": "true"})
    assert 'id="lanes"' in client.get(board, headers=PAGE).text
    client.get(f"{board}?view=cards", headers=PAGE)
    assert 'class="cards"' in client.get(board, headers=PAGE).text
    client.cookies.set("board_view", "nonsense.x", path=board)
    assert client.get(board, headers=PAGE).status_code == 200
