"""Pages that show a run: while it writes, and when it ends amid their being read, at any point."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, event

from service.prompts.tasks import DEFAULT_CRITERIA
from service.schemas.fields import RunKind
from service.schemas.ideas import BoardCreate, IdeaCreate
from service.store import Store
from service.store.comparisons import Verdict
from service.store.runs import NewRun, RunOutcome
from service.web.pages import live
from tests.support.fake_backend import IDEAS, FakeBackend

NAMES = [each.name for each in DEFAULT_CRITERIA]
SCORES = {
    "rubric_id": None,
    "criteria": [asdict(each) for each in DEFAULT_CRITERIA],
    "scores": dict.fromkeys(NAMES, 7.0),
    "spread": dict.fromkeys(NAMES, 1.0),
    "overall": 7.0,
    "strengths": ["It is new."],
    "concerns": ["It costs much."],
    "next_step": "Ask who would pay.",
    "scoring": {"method": "head", "calibrated": True, "uncalibrated": []},
}
API = "/api/v1"
LIVE = "hx-sse:connect"
# Looks at a page that only end a test that would wait for ever.
PATIENCE = 600
PAGES: dict[str, tuple[RunKind, str]] = {
    # The page's address, the kind of run that it shows, and what tells that it shows its results.
    "/boards/{board}": ("evaluate-all", '<span class="glass'),
    "/boards/{board}/table": ("evaluate-all", 'aria-hidden="true">± '),
    "/boards/{board}/rank": ("rank", "1 comparison by the model"),
    "/ideas/{idea}": ("evaluate", 'id="evaluation"'),
}


def begin(store: Store, path: str, name: str) -> tuple[str, Callable[[], None]]:
    """A run under way on a board of its own: the page that shows it, and how it ends."""
    kind, _ = PAGES[path]
    board = store.boards.create(BoardCreate(name=name)).id
    first, second = (
        store.ideas.create(IdeaCreate(board_id=board, title=title, body=body)).id
        for title, body in IDEAS[:2]
    )
    idea = first if kind == "evaluate" else None
    new = NewRun(kind, {"idea_ids": [first], "pairs": 1}, 1, board, idea, idea_version=1)
    run = store.runs.create(new).run_id

    def end() -> None:
        if kind == "evaluate-all":
            store.evaluations.add(run, first, 1, SCORES)
        if kind == "rank":
            store.comparisons.add_verdict(run, Verdict(board, first, 1, second, 1, "first", 0.9))
        store.runs.finish(run, RunOutcome("done", SCORES if kind == "evaluate" else None))

    return f"{path.format(board=board, idea=first)}?run={run}", end


@contextmanager
def ending_at(place: int, end: Callable[[], None]) -> Iterator["count[int]"]:
    """Inside, `end` is called just before the read at `place`; gives how many reads there were."""
    reads = count()
    is_ending = False

    def begin_reading(_connection: Connection) -> None:
        nonlocal is_ending
        if not is_ending and next(reads) == place:
            is_ending = True
            end()
            is_ending = False

    event.listen(Engine, "begin", begin_reading)
    try:
        yield reads
    finally:
        event.remove(Engine, "begin", begin_reading)


def pages(client: TestClient, path: str, *, names_run: bool) -> Iterator[str]:
    """The page at that path, for a run that ended before each of its reads in turn."""
    store: Store = client.app.state.store  # type: ignore[attr-defined]
    for place in count():
        address, end = begin(store, path, f"Board {place}")
        if not names_run:
            address = address.partition("?")[0]
        with ending_at(place, end) as reads:
            html = client.get(address, headers={"accept": "text/html"}).text
        if next(reads) <= place:
            return
        yield html


@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_which_a_run_is_over_shows_what_it_found(client: TestClient, path: str) -> None:
    _, found = PAGES[path]
    seen = set()
    for place, html in enumerate(pages(client, path, names_run=True)):
        is_over = LIVE not in html
        assert not is_over or found in html.split('id="ideas"')[-1], f"ended at read {place}"
        seen.add(is_over)
    assert seen == {True, False}


def test_an_evaluation_that_ends_amid_the_reading_is_shown_once(client: TestClient) -> None:
    """On the idea's page as one comes to it, with no run in its address."""
    seen = set()
    for place, html in enumerate(pages(client, "/ideas/{idea}", names_run=False)):
        shown = (LIVE in html, 'id="run"' in html, 'id="evaluation"' in html)
        assert shown in {(True, True, False), (False, False, True)}, f"ended at read {place}"
        seen.add(shown)
    assert len(seen) == 2


def test_who_comes_amid_a_redraw_sees_it_written_without_waiting_for_the_clock(
    url: str, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By then the redraw is over.
    monkeypatch.setattr(live, "TICK_S", 60)
    with httpx2.Client(base_url=url, timeout=30) as http:
        made = http.post(f"{API}/brainstorm", json={"topic": "a street party", "n": 1}).json()
        backend.delay_s = 0.5
        suggestion = made["suggestions"][0]["id"]
        detached = {"prefer": "respond-async"}
        http.post(f"{API}/suggestions/{suggestion}/redraw", headers=detached)

        with http.stream("GET", f"/runs/{made['run_id']}/live") as stream:
            caret = '<span class="caret"'
            drafts = (line.partition(caret)[0] for line in stream.iter_lines() if caret in line)
            texts = (draft.rpartition(">")[2].strip() for draft in drafts)
            written = next(filter(None, texts), "nothing")
        backend.delay_s = 0

    assert IDEAS[1][1].startswith(written)


DETACHED = {"prefer": "respond-async"}
TASKS: dict[str, dict[str, object]] = {
    "brainstorm": {"topic": "a street party", "n": 2},
    "refine": {"title": "Tool shelf", "body": "Lend drills."},
    "evaluate": {"title": "Tool shelf"},
}


def start(client: TestClient, action: str) -> str:
    """The page of a run that goes on after the call."""
    begun = client.post(f"{API}/{action}", json=TASKS[action], headers=DETACHED)
    assert begun.status_code == 202, begun.text
    return f"/runs/{begun.json()['run_id']}"


def shown(client: TestClient, page: str, text: str) -> str:
    """The page once it says that, or as it is after a while."""
    for _ in range(PATIENCE):
        html = client.get(page).text
        if text in html:
            break
        time.sleep(0.05)
    return html


def await_request(backend: FakeBackend) -> None:
    for _ in range(PATIENCE):
        if backend.running:
            return
        time.sleep(0.05)
    raise TimeoutError("no request reached the model")


@pytest.mark.parametrize("action", TASKS)
def test_a_run_that_waits_says_for_how_many_others(
    client: TestClient, backend: FakeBackend, action: str
) -> None:
    backend.gate.clear()
    start(client, "brainstorm")
    # It looks at the board and the bank before it asks the model.
    await_request(backend)
    second, third = start(client, action), start(client, action)

    one = "1 run before yours. It starts by itself."
    two = "2 runs before yours. It starts by itself."
    assert one in shown(client, second, one)
    html = shown(client, third, two)
    assert two in html
    assert "2 runs before yours\n" in html
    assert "getting ready" not in html
    backend.gate.set()


def test_a_run_that_waits_for_another_program_does_not_blame_the_model(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.gate.clear()
    chat = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}]}
    with ThreadPoolExecutor() as threads:
        chats = [
            threads.submit(client.post, "/v1/chat/completions", json=chat)
            for _ in range(backend.model.slots)
        ]
        busy = "Another program is using the model."
        try:
            while len(backend.running) < len(chats):
                time.sleep(0.01)
            assert busy in shown(client, start(client, "brainstorm"), busy)
        finally:
            backend.gate.set()
        assert all(each.result().status_code == 200 for each in chats)


def test_the_answers_to_the_three_questions_are_background_of_the_run(client: TestClient) -> None:
    form = {
        "topic": "a street party",
        "for_whom": "forty\nneighbours",
        "tried": "",
        "must_stay": "no loud music",
        "context": "In June.",
    }
    board = client.get(f"{API}/boards").json()[0]["id"]

    client.post(f"/boards/{board}/brainstorm", data=form)

    (run,) = client.get(f"{API}/runs").json()
    expected = "For: forty neighbours\nMust not change: no loud music\nIn June."
    assert run["request"]["context"] == expected
