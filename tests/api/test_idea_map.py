"""The map of a board: over REST and as a page, its filters, and who sees what."""

import re
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.analysis.idea_map import MOST_TAGS, IdeaMaps
from service.analysis.similar_ideas import COMPARED
from service.schemas.ideas import IdeaCreate
from tests.api.test_overview import BOARDS, IDEAS, add, board, ideas
from tests.support.groupable_ideas import TEXTS
from tests.support.people import store_of

__all__ = ["board", "ideas"]

pytestmark = pytest.mark.both_databases

HOST = "http://localhost"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}


def map_of(client: TestClient, board: str, **query: Any) -> dict[str, Any]:
    response = client.get(f"{BOARDS}/{board}/map", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def places(found: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {one["title"]: (one["x"], one["y"]) for one in found["ideas"]}


def groups(found: dict[str, Any]) -> dict[str, set[str]]:
    return {
        group["name"]: {one["title"] for one in found["ideas"] if one["group"] == group["name"]}
        for group in found["groups"]
    }


def page_of(client: TestClient, board: str, query: str = "") -> str:
    response = client.get(f"/boards/{board}/map{query}", headers=PAGE)
    assert response.status_code == 200, response.text
    return response.text


@pytest.mark.usefixtures("ideas")
def test_ideas_have_places_and_groups_have_areas(client: TestClient, board: str) -> None:
    found = map_of(client, board)

    assert set(places(found)) == set(TEXTS)
    assert all(0 < share < 1 for place in places(found).values() for share in place)
    assert {"Tool shelf", "Tool library"} in groups(found).values()
    for group in found["groups"]:
        assert group["ideas"] == len(groups(found)[group["name"]])
        assert len(group["area"]) >= 4
        assert all(0 <= share <= 1 for corner in group["area"] for share in corner)
    assert found == map_of(client, board)


def test_the_areas_are_groups_by_meaning_with_the_names_of_those_groups(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    for title in ("Tool shelf", "Tool library"):
        client.patch(f"{IDEAS}/{ideas[title]}", json={"tags": ["lending"]})
    clusters = client.get(f"{BOARDS}/{board}/clusters?granularity=3").json()["clusters"]

    found = map_of(client, board)

    assert {(one["name"], one["tag"]) for one in found["groups"]} == {
        (one["title"], one["tag"]) for one in clusters
    }
    assert "lending" in {one["tag"] for one in found["groups"]}


def test_areas_by_tag_have_an_idea_where_its_rarest_tag_is(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    for title, tags in {
        "Tool shelf": ["lending", "street"],
        "Tool library": ["lending"],
        "Walking bus": ["street"],
        "On foot to school": ["street"],
    }.items():
        client.patch(f"{IDEAS}/{ideas[title]}", json={"tags": tags})

    found = map_of(client, board, group="tag")

    assert groups(found) == {
        "street": {"Walking bus", "On foot to school"},
        "lending": {"Tool shelf", "Tool library"},
    }
    assert {one["title"] for one in found["ideas"] if one["group"] is None} == {"Bees on the roof"}


def test_only_the_most_used_tags_have_areas(client: TestClient, board: str) -> None:
    for number in range(MOST_TAGS + 3):
        add(client, board, f"Soup of the day {number}", tags=[f"tag {number}"])

    assert len(map_of(client, board, group="tag")["groups"]) == MOST_TAGS


def test_filters_hide_ideas_and_move_none(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    client.patch(f"{IDEAS}/{ideas['Tool shelf']}", json={"tags": ["lending"], "star": True})
    client.patch(f"{IDEAS}/{ideas['Walking bus']}", json={"status": "kept"})
    every = places(map_of(client, board))

    for query, titles in (
        ({"q": "drills"}, {"Tool shelf", "Tool library"}),
        ({"tag": "lending"}, {"Tool shelf"}),
        ({"star": True}, {"Tool shelf"}),
        ({"q": "nothing-like-this"}, set()),
    ):
        found = places(map_of(client, board, **query))
        assert found == {title: every[title] for title in titles}, query
    assert set(places(map_of(client, board, status="kept"))) == {"Walking bus"}


def test_archived_ideas_are_shown_only_if_they_are_asked_for(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    client.patch(f"{IDEAS}/{ideas['Bees on the roof']}", json={"status": "archived"})

    assert "Bees on the roof" not in places(map_of(client, board))
    assert set(places(map_of(client, board, archived=True))) == set(TEXTS)
    assert set(places(map_of(client, board, status="archived"))) == {"Bees on the roof"}


def test_an_idea_without_a_known_word_is_not_placed(client: TestClient, board: str) -> None:
    add(client, board, "Soup from one pot")
    unknown = add(client, board, "ቤት")

    found = map_of(client, board)

    assert list(places(found)) == ["Soup from one pot"]
    assert found["unplaced"] == [{"idea_id": unknown, "title": "ቤት"}]
    assert "Not placed yet" in page_of(client, board)


def test_a_board_without_ideas_has_an_empty_map(client: TestClient, board: str) -> None:
    assert map_of(client, board)["ideas"] == []
    assert "There is nothing to show yet." in page_of(client, board)
    assert client.get(f"{BOARDS}/{'0' * 8}/map").status_code == 404


@pytest.mark.sqlite_only
def test_a_thousand_ideas_are_shown_and_older_ones_are_counted(
    client: TestClient, board: str
) -> None:
    store = store_of(client)
    words = [word for text in TEXTS.values() for word in text.split()]
    for number in range(COMPARED + 2):
        title = " ".join(words[(number * step) % len(words)] for step in (1, 3, 7, 11, 13))
        store.ideas.create(IdeaCreate(title=title, board_id=board))
    maps: IdeaMaps = client.app.state.idea_maps  # type: ignore[attr-defined]
    map_of(client, board)
    start = time.process_time()

    found = map_of(client, board)

    assert time.process_time() - start < 1, "it was kept"
    assert len(maps._kept) == 1
    assert (len(found["ideas"]), found["unseen"]) == (COMPARED, 2)
    assert "2 older ideas have no place on the map" in page_of(client, board)


def test_the_page_has_the_same_as_a_list_with_a_form_for_each_idea(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    html = page_of(client, board)
    drawn, listed = html.split('id="map-list"')

    for title, idea in ideas.items():
        assert f'<a class="map-card" href="/ideas/{idea}"' in drawn
        assert f'<a href="/ideas/{idea}">{title}</a>' in listed
        assert f'action="/ideas/{idea}/place"' in listed


@pytest.mark.parametrize(
    ("address", "from_lane", "tags"),
    [("", "", ["lending", "street"]), ("?group=tag", "street", ["lending"])],
)
def test_the_form_tags_an_idea_and_leads_back_to_the_map(
    client: TestClient, board: str, address: str, from_lane: str, tags: list[str]
) -> None:
    idea = add(client, board, "Tool shelf", tags=["street"])
    add(client, board, "Soup")
    form = {"by": "tag", "to": "same", "from_lane": from_lane, "lane": "lending"}
    here = f"/boards/{board}/map{address}"

    answer = client.post(
        f"/ideas/{idea}/place",
        data=form,
        headers=PAGE | {"referer": f"{HOST}{here}"},
        follow_redirects=False,
    )

    assert (answer.status_code, answer.headers["location"]) == (303, here)
    assert client.get(f"{IDEAS}/{idea}").json()["tags"] == tags
    order = client.get(IDEAS, params={"board": board, "sort": "place"}).json()
    assert [one["title"] for one in order] == ["Soup", "Tool shelf"]
    html = page_of(client, board, address)
    assert "“Tool shelf” is now tagged “lending”" in html
    undo = re.search(r'action="(/changes/[^"]+/undo)"', html)
    assert undo is not None
    client.post(undo[1], headers=PAGE)
    assert client.get(f"{IDEAS}/{idea}").json()["tags"] == ["street"]


def test_the_other_views_keep_the_filters_of_the_map(
    client: TestClient, board: str, ideas: dict[str, str]
) -> None:
    client.patch(f"{IDEAS}/{ideas['Tool shelf']}", json={"tags": ["lending"]})

    html = page_of(client, board, "?q=drills&tag=lending&group=tag")
    lanes = client.get(f"/boards/{board}?view=lanes&q=drills", headers=PAGE).text

    assert f'href="/boards/{board}?q=drills&amp;tag=lending&amp;view=lanes' in html
    assert f'href="/boards/{board}/map?q=drills&amp;tag=lending"' in html
    assert f'href="/boards/{board}/map?q=drills"' in lanes
