"""Pages are kept as they were sent, and yet each one shows all that was stored before it was asked for."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar, cast

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient

from service.app import create_app
from service.live.happenings import Here
from service.schemas.comments import CommentCreate
from service.schemas.evaluation import RubricCreate
from service.schemas.ideas import BoardCreate, BoardUpdate, IdeaCreate, IdeaPublic, IdeaUpdate
from service.schemas.people import PersonPublic
from service.schemas.rounds import RoundCreate
from service.settings import Settings
from service.store import Store
from service.store.database import Database
from service.store.runs import NewRun
from service.web.pages.kept_pages import LIFE_S, KeptPages
from tests.support.fake_backend import FakeBackend
from tests.support.people import acting_as, add_person

PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}
Change = Callable[[Store, IdeaPublic], object]
Seen = TypeVar("Seen")


@pytest.fixture
def idea(store: Store) -> IdeaPublic:
    return store.ideas.create(IdeaCreate(title="Lend tools", body="Drills.", tags=["home"]))


@pytest.fixture
def kept(client: TestClient) -> KeptPages:
    return cast(KeptPages, cast(FastAPI, client.app).state.kept_pages)


def shown(client: TestClient, idea: IdeaPublic, **query: str) -> str:
    response = client.get(f"/boards/{idea.board_id}", params=query, headers=PAGE)
    assert response.status_code == 200, response.text
    return response.text


def of_one_moment(store: Store, ask: Callable[[], Seen]) -> Seen:
    """What is seen while nothing is stored. The service's own work may store something in between."""
    while True:
        before = store.moments.now()
        seen = ask()
        if store.moments.now() == before:
            return seen


def _person_at_the_machine(store: Store, _idea: IdeaPublic) -> None:
    add_person(store, "Ada")


def _liked_by_ada(store: Store, idea: IdeaPublic) -> None:
    with acting_as(store.people.page().items[0].id):
        store.likes.set(idea.id, liked=True)


def _shown_rubric(store: Store, idea: IdeaPublic) -> None:
    rubric = RubricCreate.model_validate({"name": "Fun first", "criteria": [{"name": "fun"}]})
    store.rubrics.show(idea.board_id, store.rubrics.create(idea.board_id, rubric).id)


def _run(store: Store, idea: IdeaPublic) -> None:
    run = NewRun("brainstorm", {"topic": "a quiet hall", "n": 2}, seed=1, board_id=idea.board_id)
    store.runs.create(run)


# Each adds these words to the page.
CHANGES: list[tuple[Change, str]] = [
    (lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(title="Lend nets")), "Lend nets"),
    (lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(body="Ladders.")), "Ladders."),
    (lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(tags=["rope"])), "rope"),
    (lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(star=True)), "Remove the star"),
    (lambda store, idea: store.comments.add(idea.id, CommentCreate(body="Who?")), "1 comment"),
    (_person_at_the_machine, 'href="/people"'),
    (_liked_by_ada, "1 like"),
    (_shown_rubric, "Scores by “Fun first”"),
    (_run, "a quiet hall"),
    (
        lambda store, idea: store.ideas.create(
            IdeaCreate(board_id=idea.board_id, title="Paint the hall")
        ),
        "Paint the hall",
    ),
    (
        lambda store, idea: store.rounds.start(
            idea.board_id, RoundCreate(topic="benches", minutes=5)
        ),
        "Writing round: “benches”",
    ),
    (
        lambda store, idea: store.boards.update(idea.board_id, BoardUpdate(goal="A calm street")),
        "A calm street",
    ),
    (lambda store, _idea: store.boards.create(BoardCreate(name="Garden")), "Garden"),
    (lambda store, idea: store.ideas.delete(idea.id), "deleted idea</span>"),
]


@pytest.mark.both_databases
def test_whatever_is_stored_shows_on_the_next_page(
    client: TestClient, store: Store, idea: IdeaPublic, kept: KeptPages
) -> None:
    def kept_and_made() -> tuple[int, list[str]]:
        pages = [shown(client, idea), shown(client, idea)]
        count = len(kept)
        kept.clear()
        return count, [*pages, shown(client, idea)]

    for change, words in CHANGES:
        assert words not in shown(client, idea)
        change(store, idea)
        assert words in shown(client, idea)
        count, pages = of_one_moment(store, kept_and_made)
        assert count == 1
        assert len(set(pages)) == 1


@pytest.mark.usefixtures("idea")
@pytest.mark.both_databases
def test_what_was_stored_past_the_service_gives_another_version(
    store: Store, settings: Settings
) -> None:
    # The service's own work may store something in between.
    assert any(store.moments.now() == store.moments.now() for _ in range(100))
    first = store.moments.now()

    with closing(Database(settings.sqlalchemy_url)) as other, other.write() as session:
        session.connection().exec_driver_sql("UPDATE idea SET title = 'Written elsewhere'")

    assert first.version is not None
    assert store.moments.now().version not in (None, first.version)


def test_a_page_that_nothing_changed_is_made_once(
    client: TestClient, idea: IdeaPublic, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shown(client, idea)
    monkeypatch.setattr("service.web.pages.boards._board_page", None)

    assert shown(client, idea) == first


def test_a_database_whose_version_is_not_known_is_read_for_each_page(
    client: TestClient, idea: IdeaPublic, kept: KeptPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = cast(FastAPI, client.app).state.database
    monkeypatch.setattr(database, "version", lambda: None)
    shown(client, idea)

    assert len(kept) == 0


@pytest.fixture
def app(migrated: Settings) -> FastAPI:
    return create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())


@pytest.fixture
def owner(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        client.headers["authorization"] = f"Bearer {app.state.store.keys.create('owner')}"
        yield client


def _joined(app: FastAPI, owner: TestClient, name: str, role: str) -> TestClient:
    link = owner.post("/api/v1/invitations", json={"role": role}).json()["url"]
    person = TestClient(app, base_url="http://localhost", follow_redirects=False, headers=PAGE)
    assert person.post(link.removeprefix("http://localhost"), data={"name": name}).is_redirect
    return person


def test_a_page_is_that_of_its_reader(app: FastAPI, owner: TestClient) -> None:
    board = f"/boards/{app.state.store.boards.default().id}"
    people = {role: _joined(app, owner, role.title(), role) for role in ("editor", "reader")}

    # Whoever has just joined is welcomed once.
    pages = [{role: one.get(board).text for role, one in people.items()} for _ in range(3)][1:]

    for page in pages:
        assert "Editor" in page["editor"]
        assert f'action="{board}/ideas"' in page["editor"]
        assert "Reader" in page["reader"]
        assert f'action="{board}/ideas"' not in page["reader"]
        assert "Editor" not in page["reader"]


def test_whoever_was_removed_gets_no_kept_page(app: FastAPI, owner: TestClient) -> None:
    board = f"/boards/{app.state.store.boards.default().id}"
    ada = _joined(app, owner, "Ada", "editor")
    assert [ada.get(board).status_code for _ in range(3)] == [200, 200, 200]
    person = owner.get("/api/v1/people").json()[0]["id"]
    owner.delete(f"/api/v1/people/{person}").raise_for_status()

    assert ada.get(board).status_code != 200


def test_a_deleted_board_has_no_kept_page(client: TestClient, store: Store) -> None:
    board = store.boards.create(BoardCreate(name="Garden")).id
    assert client.get(f"/boards/{board}", headers=PAGE).status_code == 200
    store.boards.delete(board)

    assert client.get(f"/boards/{board}", headers=PAGE).status_code == 404


@pytest.mark.parametrize(
    ("cookie", "value", "words"),
    [
        ("language", "sv", '<html lang="sv"'),
        ("theme", "dark", 'data-theme="dark"'),
        ("board_view", "list.status", 'data-view="list"'),
        ("shortcuts", "off", "Turn single-key shortcuts on</"),
    ],
)
def test_a_page_is_as_its_reader_chose(
    client: TestClient, idea: IdeaPublic, cookie: str, value: str, words: str
) -> None:
    usual = shown(client, idea)
    client.cookies.set(cookie, value)
    chosen = shown(client, idea)
    client.cookies.clear()

    assert words in " ".join(chosen.split()).replace(" </", "</")
    assert words not in " ".join(usual.split()).replace(" </", "</")
    assert shown(client, idea) == usual


def test_a_chosen_view_is_remembered_by_a_kept_page_too(
    client: TestClient, idea: IdeaPublic
) -> None:
    shown(client, idea, view="list")
    client.cookies.clear()
    shown(client, idea, view="list")

    assert client.cookies["board_view"] == "list.status"


def test_the_message_of_the_last_action_is_shown_once(client: TestClient, idea: IdeaPublic) -> None:
    shown(client, idea)
    saved = client.post(f"/boards/{idea.board_id}", data={"name": "Street"}, headers=PAGE)

    assert "Saved." in saved.text
    assert "Saved." not in shown(client, idea)


def test_a_refused_form_is_kept_for_nobody(
    client: TestClient, idea: IdeaPublic, kept: KeptPages
) -> None:
    there = PAGE | {"referer": f"http://localhost/boards/{idea.board_id}"}
    sent = {"title": "x" * 500}
    refused = client.post(f"/boards/{idea.board_id}/ideas", data=sent, headers=there)

    assert refused.status_code == 422
    assert len(kept) == 0
    assert "x" * 500 not in shown(client, idea)


def test_who_is_at_the_board_shows_at_once(
    client: TestClient, idea: IdeaPublic, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(client, idea)
    ada = Here((PersonPublic(id="ada", name="Ada"),))
    monkeypatch.setattr(cast(FastAPI, client.app).state.feeds, "here", lambda _board_id: ada)

    assert "1 other person is here" in " ".join(shown(client, idea).split())


def test_a_page_without_compression_is_the_same(client: TestClient, idea: IdeaPublic) -> None:
    address = f"/boards/{idea.board_id}"
    pages = [
        client.get(address, headers=PAGE | {"accept-encoding": encoding})
        for encoding in ("gzip", "identity", "gzip", "identity")
    ]

    assert [page.headers.get("content-encoding") for page in pages] == ["gzip", None] * 2
    assert len({page.text for page in pages}) == 1
    assert all("Accept-Encoding" in page.headers["vary"] for page in pages)
    assert all(page.headers["cache-control"] == "private, no-cache" for page in pages)


def test_kept_pages_take_only_so_much_memory(client: TestClient, idea: IdeaPublic) -> None:
    small = cast(FastAPI, client.app).state.kept_pages = KeptPages(most_bytes=60_000)
    for number in range(12):
        shown(client, idea, topic=str(number))

    assert 1 < len(small) < 12
    assert small.size_bytes <= 60_000


def test_a_kept_page_does_not_outlive_the_ages_that_it_tells(
    client: TestClient, idea: IdeaPublic, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [0.0]
    cast(FastAPI, client.app).state.kept_pages = KeptPages(clock=lambda: moment[0])
    first = shown(client, idea)
    made_again = HTMLResponse("two minutes ago")
    monkeypatch.setattr("service.web.pages.boards._board_page", lambda *_: made_again)

    moment[0] = LIFE_S - 0.1
    assert shown(client, idea) == first

    moment[0] = LIFE_S
    assert shown(client, idea) == "two minutes ago"
