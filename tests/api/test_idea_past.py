"""What gathers on an idea without end: its page shows the newest and links to the rest."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlmodel import SQLModel, col, update

from service.analysis.similar_ideas import MOST_SIMILAR
from service.schemas.comments import CommentCreate
from service.schemas.ideas import IdeaCreate
from service.store import Store
from service.store.runs import NewRun
from service.store.tables import Evaluation, Idea, IdeaVersion
from service.store.team_tables import Comment
from service.web.pages.idea_past import (
    SHOWN_BRANCHES,
    SHOWN_COMMENTS,
    SHOWN_EVALUATIONS,
    SHOWN_VERSIONS,
)
from service.web.pages.refinements import MOST_CHOICES
from tests.support.evaluations import SCORES

pytestmark = pytest.mark.both_databases

BROWSER = {"accept": "text/html"}
VERSIONS = 600


@pytest.fixture
def idea(store: Store) -> str:
    return store.ideas.create(IdeaCreate(title="Lend tools")).id


@pytest.fixture
def much_changed(client: TestClient, idea: str) -> str:
    """An idea with so many versions, written at once, because only reading them matters here."""
    with cast(FastAPI, client.app).state.database.write() as session:
        for number in range(2, VERSIONS + 1):
            body = f"Version {number}. ".ljust(8000, "x")
            session.add(IdeaVersion(idea_id=idea, number=number, title="Lend tools", body=body))
        session.exec(update(Idea).where(col(Idea.id) == idea).values(version=VERSIONS))
    return idea


@contextmanager
def rows_read(kind: type[SQLModel]) -> Iterator[list[object]]:
    found: list[object] = []

    def note(target: object, _: object) -> None:
        found.append(target)

    event.listen(kind, "load", note)
    try:
        yield found
    finally:
        event.remove(kind, "load", note)


def page_of(client: TestClient, address: str) -> str:
    response = client.get(address, headers=BROWSER)
    assert response.status_code == 200, response.text
    return response.text


def link(page: str, element: str) -> str:
    found = re.search(rf'id="{element}" href="([^"]+)"', page)
    assert found is not None, f"no {element}"
    return unescape(found[1]).partition("#")[0]


def versions_on(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<details id="version-(\d+)"', page)]


def comments_on(page: str) -> list[str]:
    return re.findall(r'<li id="comment-([^"]+)"', page)


def test_the_page_of_an_idea_with_hundreds_of_versions_stays_small(
    client: TestClient, much_changed: str
) -> None:
    with rows_read(IdeaVersion) as read:
        page = page_of(client, f"/ideas/{much_changed}")

    assert len(read) <= SHOWN_VERSIONS + 1
    assert len(page) < 300_000
    assert versions_on(page) == list(range(VERSIONS, VERSIONS - SHOWN_VERSIONS, -1))
    assert f'Versions <span class="muted">{VERSIONS}</span>' in page


def test_links_lead_from_the_newest_version_to_the_oldest_and_back(
    client: TestClient, much_changed: str
) -> None:
    page = page_of(client, f"/ideas/{much_changed}")
    seen = versions_on(page)
    while 'id="older-versions"' in page:
        page = page_of(client, link(page, "older-versions"))
        seen += versions_on(page)

    assert seen == list(range(VERSIONS, 0, -1))
    assert link(page, "newest-versions") == f"/ideas/{much_changed}"


def test_any_two_of_many_versions_are_compared_without_reading_the_others(
    client: TestClient, much_changed: str
) -> None:
    with rows_read(IdeaVersion) as read:
        page = page_of(client, f"/ideas/{much_changed}/compare?from=3&to=590")

    assert len(read) <= MOST_CHOICES + 3
    assert "change from version 3 to version 590" in page
    assert 'name="from" min="1" max="600" required' in page
    assert len(page) < 100_000


def test_a_page_shows_the_newest_comments_and_links_to_those_before(
    client: TestClient, store: Store, idea: str
) -> None:
    said = [
        store.comments.add(idea, CommentCreate(body=f"Comment {number}")).id
        for number in range(2 * SHOWN_COMMENTS + 5)
    ]

    with rows_read(Comment) as read:
        newest = page_of(client, f"/ideas/{idea}")
    older = page_of(client, link(newest, "older-comments"))
    oldest = page_of(client, link(older, "older-comments"))

    assert len(read) <= SHOWN_COMMENTS + 1
    assert comments_on(newest) == said[-SHOWN_COMMENTS:]
    assert f'Comments <span class="muted">{len(said)}</span>' in newest
    assert comments_on(oldest) + comments_on(older) + comments_on(newest) == said
    assert link(oldest, "newest-comments") == f"/ideas/{idea}"


@pytest.mark.parametrize("place", [0, 4, SHOWN_COMMENTS + 3, SHOWN_COMMENTS + 4, -1])
def test_the_address_of_a_comment_leads_to_the_page_that_shows_it(
    client: TestClient, store: Store, idea: str, place: int
) -> None:
    said = [
        store.comments.add(idea, CommentCreate(body=f"Comment {number}")).id
        for number in range(2 * SHOWN_COMMENTS + 5)
    ]

    response = client.get(f"/comments/{said[place]}", headers=BROWSER)

    assert response.url.fragment == f"comment-{said[place]}"
    assert said[place] in comments_on(response.text)


def test_an_idea_with_many_branches_shows_some_and_links_to_its_lineage(
    client: TestClient, store: Store, idea: str
) -> None:
    for number in range(SHOWN_BRANCHES + 1):
        store.ideas.create(IdeaCreate(title=f"Branch {number}.", parent_id=idea))

    page = page_of(client, f"/ideas/{idea}")

    shown = len(re.findall(r">Branch \d+\.</a>", page))
    assert SHOWN_BRANCHES <= shown <= SHOWN_BRANCHES + MOST_SIMILAR
    assert "All branches of this idea" in page
    assert f"Branch {SHOWN_BRANCHES}." in page_of(client, f"/ideas/{idea}/lineage")


def test_an_idea_that_was_evaluated_often_reads_the_last_evaluations(
    client: TestClient, store: Store, idea: str
) -> None:
    for _ in range(SHOWN_EVALUATIONS + 5):
        run = store.runs.create(NewRun("evaluate", {}, seed=1, idea_id=idea)).run_id
        store.evaluations.add(run, idea, 1, SCORES)

    with rows_read(Evaluation) as read:
        page_of(client, f"/ideas/{idea}")

    assert len(read) <= SHOWN_EVALUATIONS + 1


def test_a_cursor_of_another_list_is_refused(client: TestClient, idea: str) -> None:
    response = client.get(f"/ideas/{idea}?versions=nothing", headers=BROWSER)

    assert response.status_code == 422
