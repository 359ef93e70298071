"""Writing rounds: ideas are hidden until a round ends, and models may have to wait for people."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from sqlmodel import Session

from service.actor import ACTOR, OWNER, Actor, Role
from service.analysis.likeness import LEAST_IDEAS, TEXTS_A_CALL
from service.store import Store
from service.store.hidden_ideas import nameless_ideas
from service.store.team_tables import Person, WritingRound
from service.web.guard import Guard
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.both_databases
API = "/api/v1"
HTML = {"accept": "text/html"}
WORD = "zanzibar"
QUERIES = (
    "q=zanz",
    "deleted=true",
    "sort=rank&board={board_id}",
    "format=markdown",
    "format=csv",
    "format=json",
    "select=shown",
)
ADA, BO = (Actor(person_id=name.lower(), name=name, role=Role.EDITOR) for name in ("Ada", "Bo"))
As = Callable[[Actor], AbstractContextManager[None]]


@pytest.fixture
def acting(store: Store, monkeypatch: pytest.MonkeyPatch) -> As:
    """Says whose requests those within the block are."""
    with store.rounds._database.write() as session:
        session.add_all(Person(id=one.person_id or "", name=one.name) for one in (ADA, BO))
    who = OWNER
    call = Guard.__call__

    async def guarded(self: Guard, scope: Any, receive: Any, send: Any) -> None:
        token = ACTOR.set(who)
        try:
            await call(self, scope, receive, send)
        finally:
            ACTOR.reset(token)

    monkeypatch.setattr(Guard, "__call__", guarded)

    @contextlib.contextmanager
    def acting(actor: Actor) -> Iterator[None]:
        nonlocal who
        before, who = who, actor
        try:
            yield
        finally:
            who = before

    return acting


def post(client: TestClient, path: str, **body: Any) -> Any:
    response = client.post(f"{API}{path}", json=body)
    assert response.status_code in (200, 201), response.text
    return response.json()


@pytest.fixture
def board(client: TestClient) -> str:
    made: str = post(client, "/boards", name="Ours", goal="A party")["id"]
    return made


@pytest.fixture
def begun(client: TestClient, board: str, acting: As) -> str:
    """A round that Ada has started."""
    with acting(ADA):
        made: str = post(client, f"/boards/{board}/rounds", topic="The party")["id"]
    return made


def write(client: TestClient, board: str, begun: str, title: str = WORD) -> Any:
    return post(
        client,
        "/ideas",
        board_id=board,
        round_id=begun,
        title=title,
        body=f"About {title}.",
        tags=[f"{title}-tag"],
    )


def let_time_pass(store: Store, round_id: str, *, seconds: int = 0) -> None:
    """Moves the end of the round into the past, or near."""
    with Session(store.rounds._database._writer) as session, session.begin():
        row = session.get(WritingRound, round_id)
        assert row is not None
        row.ends_at = datetime.now(UTC) + timedelta(seconds=seconds - 1)
        session.add(row)


def texts_seen(client: TestClient, **ids: str) -> dict[str, str]:
    """What every address that can be read answers, with these ids in it, by address."""
    app = client.app
    assert isinstance(app, FastAPI)
    answers = {}
    for route in iter_route_contexts(app.routes):
        path = route.path or ""
        if "GET" not in (route.methods or ()) or path.endswith(("/events", "/live", "/mcp")):
            continue
        if set(re.findall(r"{(\w+)", path)) - ids.keys():
            continue
        address = path.format(**ids)
        assert isinstance(route.original_route, APIRoute)
        taken = {field.alias for field in get_flat_params(route.original_route.dependant)}
        # What a route does not take could only repeat its answer.
        for query in ["", *(one for one in QUERIES if taken & parse_qs(one).keys())]:
            query = query and "?" + query.format(**ids)
            response = client.get(address + query, headers=HTML, follow_redirects=True)
            # The search field shows what was searched for.
            answers[address + query] = response.text.replace('value="zanz"', "")
    return answers


def shows_word(answers: dict[str, str]) -> list[str]:
    return [address for address, text in answers.items() if WORD in text.casefold()]


def test_nobody_else_sees_a_hidden_idea_anywhere(
    client: TestClient, board: str, begun: str, acting: As
) -> None:
    with acting(ADA):
        idea = write(client, board, begun)["id"]
        post(client, "/ideas", board_id=board, title="Seen by all", tags=["open"])
        ids = {"board_id": board, "idea_id": idea, "round_id": begun}
        own = shows_word(texts_seen(client, **ids))

    with acting(BO):
        answers = texts_seen(client, **ids)
        one = client.get(f"{API}/ideas/{idea}")
        tried = [
            client.patch(f"{API}/ideas/{idea}", json={"title": "x"}),
            client.delete(f"{API}/ideas/{idea}"),
            client.post(f"{API}/ideas/bulk", json={"operation": "delete", "ids": [idea]}),
        ]

    assert len(answers) > 100
    assert f"/boards/{board}?q=zanz" in answers
    assert shows_word(answers) == []
    assert f"/ideas/{idea}" in own
    assert f"/boards/{board}" in own
    assert f"/boards/{board}/rounds/{begun}" in own
    assert one.status_code == 404
    assert {response.status_code for response in tried} <= {404, 405}
    exported = [address for address in own if "export" in address]
    assert exported == []


def test_when_the_time_is_up_everybody_sees_all_ideas(
    client: TestClient, store: Store, board: str, begun: str, acting: As
) -> None:
    with acting(ADA):
        write(client, board, begun)
    with acting(BO):
        write(client, board, begun, "a tent")
        before = client.get(f"{API}/ideas", params={"round": begun}).json()
        let_time_pass(store, begun)
        after = client.get(f"{API}/ideas", params={"round": begun}).json()
        of_bo = client.get(f"/boards/{board}/rounds/{begun}", headers=HTML).text
    with acting(ADA):
        of_ada = client.get(f"/boards/{board}/rounds/{begun}", headers=HTML).text

    assert [(one["title"], one["is_hidden"]) for one in before] == [("a tent", True)]
    assert {(one["title"], one["is_hidden"]) for one in after} == {("a tent", False), (WORD, False)}
    assert cards(of_bo) == cards(of_ada)
    assert len(cards(of_bo)) == 2


def cards(page: str) -> list[str]:
    return re.findall(r'<li class="card" id="idea-([0-9a-f-]+)"', page)


def test_writers_are_counted_and_not_named(
    client: TestClient, board: str, begun: str, acting: As
) -> None:
    with acting(ADA):
        write(client, board, begun)
        write(client, board, begun, "more of it")
    with acting(BO):
        seen = client.get(f"{API}/boards/{board}/rounds/{begun}").json()

    assert (seen["writers"], seen["ideas"], seen["is_open"]) == (1, 0, True)
    assert seen["names_hidden"]


def test_what_happened_does_not_tell_who_wrote_what_until_the_names_are_shown(
    client: TestClient, store: Store, board: str, begun: str, acting: As
) -> None:
    def nameless() -> set[str]:
        with store.rounds._database.read() as session:
            return nameless_ideas(session, [written, other])

    with acting(ADA):
        written = write(client, board, begun)["id"]
        other = post(client, "/ideas", board_id=board, title="Outside")["id"]
    authors = {one.subject_id: one.person_id for one in store.activity.after(board, 0)}
    before = nameless()
    client.post(f"{API}/boards/{board}/rounds/{begun}/end")
    client.post(f"{API}/boards/{board}/rounds/{begun}/names")

    assert (authors[written], authors[other]) == (None, "ada")
    assert (before, nameless()) == ({written}, set())


def test_an_idea_that_comes_late_is_kept_and_says_so(
    client: TestClient, store: Store, board: str, begun: str, acting: As
) -> None:
    let_time_pass(store, begun)
    with acting(ADA):
        late = write(client, board, begun)
        page = client.post(f"/boards/{board}/rounds/{begun}/ideas", data={"title": "On paper"})
    with acting(BO):
        titles = {one["title"] for one in client.get(f"{API}/ideas?board={board}").json()}

    assert late["round_id"] is None
    assert titles == {WORD, "On paper"}
    assert "The round is over" in page.text


def test_only_who_started_a_round_or_an_owner_ends_and_extends_it(
    client: TestClient, board: str, begun: str, acting: As
) -> None:
    path = f"{API}/boards/{board}/rounds/{begun}"
    with acting(BO):
        refused = [client.post(f"{path}/{verb}", json={}) for verb in ("end", "extend", "names")]
    with acting(ADA):
        before = client.get(path).json()
        longer = client.post(f"{path}/extend", json={"minutes": 10}).json()
        early = client.post(f"{path}/names")
    ended = client.post(f"{path}/end").json()
    again = client.post(f"{path}/end").json()
    too_late = client.post(f"{path}/extend", json={})
    named = client.post(f"{path}/names").json()

    assert [response.status_code for response in refused] == [403] * 3
    assert moment(longer["ends_at"]) - moment(before["ends_at"]) == timedelta(minutes=10)
    assert early.status_code == 409
    assert not ended["is_open"]
    assert ended == again
    assert too_late.status_code == 409
    assert (ended["names_hidden"], named["names_hidden"]) == (True, False)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_board_has_one_round_at_a_time(client: TestClient, board: str, begun: str) -> None:
    second = client.post(f"{API}/boards/{board}/rounds", json={"topic": "More"})
    client.post(f"{API}/boards/{board}/rounds/{begun}/end")
    third = client.post(f"{API}/boards/{board}/rounds", json={"topic": "More"})
    listed = client.get(f"{API}/boards/{board}/rounds?limit=1")

    assert (second.status_code, third.status_code) == (409, 201)
    assert [one["id"] for one in listed.json()] == [third.json()["id"]]
    assert 'rel="next"' in listed.headers["Link"]


@pytest.mark.parametrize("minutes", [0, 61, 1.5, "five"])
def test_a_round_lasts_one_to_sixty_minutes(client: TestClient, board: str, minutes: Any) -> None:
    asked = {"topic": "The party", "minutes": minutes}

    assert client.post(f"{API}/boards/{board}/rounds", json=asked).status_code == 422


def test_the_end_of_a_round_is_recorded_once(
    client: TestClient, store: Store, board: str, begun: str
) -> None:
    let_time_pass(store, begun)

    nearest = store.rounds.end_due()
    store.rounds.end_due()

    kinds = [one.kind for one in store.activity.after(board, 0)]
    assert nearest is None
    assert kinds.count("round.ended") == 1
    shown = client.get(f"{API}/boards/{board}/rounds/{begun}").json()
    assert shown["ended_at"] == shown["ends_at"]


def test_the_service_notices_by_itself_that_a_round_is_over(
    client: TestClient, store: Store, board: str
) -> None:
    begun = post(client, f"/boards/{board}/rounds", topic="The party", minutes=1)["id"]
    let_time_pass(store, begun)

    for _ in range(600):
        if any(one.kind == "round.ended" for one in store.activity.after(board, 0)):
            break
        time.sleep(0.1)

    assert store.activity.after(board, 0)[-1].kind == "round.ended"


def test_a_model_gets_no_hidden_idea(
    client: TestClient, backend: FakeBackend, board: str, begun: str, acting: As
) -> None:
    with acting(ADA):
        idea = write(client, board, begun)["id"]
        refused = [
            client.post(f"{API}/refine", json={"idea_id": idea}),
            client.post(f"{API}/evaluate", json={"idea_id": idea}),
            client.post(f"{API}/brainstorm", json={"idea_id": idea}),
        ]
        asked = client.post(
            f"{API}/brainstorm", json={"topic": "a party", "board_id": board, "n": 2}
        )

    assert [response.status_code for response in refused] == [409] * 3
    assert "hidden until its writing round ends" in refused[0].json()["detail"]
    assert asked.status_code == 200, asked.text
    assert WORD not in client.get(f"{API}/runs").text
    assert all(WORD not in repr(request) for request in backend.history)


def test_hidden_ideas_cannot_be_compared(
    client: TestClient, store: Store, board: str, begun: str, acting: As
) -> None:
    with acting(ADA):
        ids = [write(client, board, begun, title)["id"] for title in ("One", "Two")]
        pair = {"first_id": ids[0], "second_id": ids[1], "outcome": "first"}
        early = client.post(f"{API}/boards/{board}/comparisons", json=pair)
        let_time_pass(store, begun)
        post(client, "/ideas", board_id=board, title="Outside")
        later = client.post(f"{API}/boards/{board}/comparisons", json=pair)
        ranking = client.get(f"{API}/boards/{board}/ranking", params={"round": begun}).json()
        page = client.get(f"/boards/{board}/rank?round={begun}", headers=HTML).text

    assert (early.status_code, later.status_code) == (422, 201)
    assert {one["title"] for one in ranking["ideas"]} == {"One", "Two"}
    assert f'name="round" value="{begun}"' in page
    assert "Outside" not in page


def test_people_first_keeps_the_model_waiting_until_a_round_has_ended(
    client: TestClient, board: str
) -> None:
    client.patch(f"{API}/boards/{board}", json={"people_first": True})
    ask = {"topic": "a party", "board_id": board, "n": 2}

    before = client.post(f"{API}/brainstorm", json=ask)
    page = client.get(f"/boards/{board}", headers=HTML).text
    begun = post(client, f"/boards/{board}/rounds", topic="The party")["id"]
    during = client.post(f"{API}/brainstorm", json=ask)
    client.post(f"{API}/boards/{board}/rounds/{begun}/end")
    after = client.post(f"{API}/brainstorm", json=ask)

    assert (before.status_code, during.status_code, after.status_code) == (409, 409, 200)
    assert before.json()["type"] == "/problems/people-first"
    assert client.get("/problems/people-first").status_code == 200
    assert 'id="ask-form"' not in page
    assert "People first" in page
    assert 'id="ask-form"' in client.get(f"/boards/{board}", headers=HTML).text


def test_a_round_works_alone(client: TestClient, board: str) -> None:
    begun = client.post(f"/boards/{board}/rounds", data={"topic": "The party", "minutes": "3"})
    page = str(begun.url.path)
    client.post(f"{page}/ideas", data={"title": "A tent"})
    writing = client.get(page, headers=HTML).text
    client.post(f"{page}/end")
    over = client.get(page, headers=HTML).text

    assert "hidden until the round ends" in writing
    assert "names" not in re.sub(r"<[^>]*>", "", writing)
    assert "A tent" in over
    assert "hidden until" not in over


def test_a_board_with_hidden_ideas_can_be_deleted_for_good(
    client: TestClient, board: str, begun: str, acting: As
) -> None:
    with acting(ADA):
        write(client, board, begun)
    client.delete(f"{API}/boards/{board}")

    gone = client.delete(f"{API}/boards/{board}?for_good=true")

    assert gone.status_code == 204
    assert client.get(f"{API}/boards/{board}").status_code == 404


def test_an_import_while_a_round_goes_on_takes_no_number_twice(
    client: TestClient, board: str, begun: str, acting: As
) -> None:
    with acting(BO):
        post(client, "/ideas", board_id=board, title="Before")
        file = client.get(f"{API}/export?board={board}").json()
    for idea in file["ideas"]:
        client.delete(f"{API}/ideas/{idea['id']}")
        client.delete(f"{API}/ideas/{idea['id']}?for_good=true")
    with acting(ADA):
        write(client, board, begun)
    with acting(BO):
        imported = client.post(f"{API}/import", json=file)

    assert imported.status_code == 200, imported.text
    assert imported.json()["added"]["ideas"] == 1


def test_likeness_asks_for_more_calls_until_all_texts_are_read(
    client: TestClient, board: str
) -> None:
    few = client.get(f"{API}/boards/{board}/likeness").json()
    for number in range(LEAST_IDEAS + TEXTS_A_CALL):
        post(client, "/ideas", board_id=board, title=f"Lend tool number {number}")

    states = [client.get(f"{API}/boards/{board}/likeness").json() for _ in range(2)]
    page = client.get(f"/boards/{board}/likeness", headers=HTML).text

    assert few["state"] == "too_few"
    assert [one["state"] for one in states] == ["measuring", "measured"]
    assert states[1]["people"]["level"] == "very_alike"
    assert states[1]["people"]["ideas"] == LEAST_IDEAS + TEXTS_A_CALL
    assert states[1]["model"]["state"] == "too_few"
    assert states[1]["verdict"] is None
    assert "Two of people’s ideas are alike by" in page
