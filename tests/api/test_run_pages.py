"""Pages that show a run, when it ends while they are being read: at any point between two reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from service.database import Database
from service.fields import RunKind
from service.prompts import DEFAULT_CRITERIA
from service.shapes import BoardCreate, IdeaCreate
from service.store import Store
from service.store.comparisons import Verdict
from service.store.runs import NewRun, RunOutcome
from tests.fakes import IDEAS

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
LIVE = "hx-sse:connect"
PAGES: dict[str, tuple[RunKind, str]] = {
    # The page's address, the kind of run that it shows, and what tells that it shows its results.
    "/boards/{board}": ("evaluate-all", '<span class="glass'),
    "/boards/{board}/table": ("evaluate-all", 'aria-hidden="true">± '),
    "/boards/{board}/rank": ("rank", "1 comparison by the model"),
    "/ideas/{idea}": ("evaluate", 'id="evaluation"'),
}


def begin(store: Store, page: str, name: str) -> tuple[str, Callable[[], None]]:
    """A run under way on a board of its own: the page that shows it, and how it ends."""
    kind, _ = PAGES[page]
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

    return f"{page.format(board=board, idea=first)}?run={run}", end


@contextmanager
def ending_at(
    place: int, end: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator["count[int]"]:
    """Inside, `end` is called just before the read at `place`; gives how many reads there were."""
    reads, read = count(), Database.read

    @contextmanager
    def reading(database: Database) -> Iterator[Session]:
        if next(reads) == place:
            end()
        with read(database) as session:
            yield session

    with monkeypatch.context() as patched:
        patched.setattr(Database, "read", reading)
        yield reads


@pytest.mark.parametrize("page", PAGES)
def test_a_page_on_which_a_run_is_over_shows_what_it_found(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    store: Store = client.app.state.store  # type: ignore[attr-defined]
    _, found = PAGES[page]
    seen = set()
    for place in count():
        address, end = begin(store, page, f"Board {place}")
        with ending_at(place, end, monkeypatch) as reads:
            html = client.get(address, headers={"accept": "text/html"}).text
        if next(reads) <= place:
            break
        is_over = LIVE not in html
        assert not is_over or found in html.split('id="ideas"')[-1], f"ended at read {place}"
        seen.add(is_over)
    assert seen == {True, False}
