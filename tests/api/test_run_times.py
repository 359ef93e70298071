"""Pages say how long a run still takes, and how long until it begins, where earlier runs tell."""

import pytest
from fastapi.testclient import TestClient

from service.store.runs import NewRun, Provenance, RunOutcome
from service.web.pages.run_times import about
from tests.api.test_run_pages import await_request, shown, start
from tests.support.fake_backend import FAKE_MODEL, FakeBackend
from tests.support.people import store_of


def took(client: TestClient, seconds: float, n: int = 2, *, queued_s: float = 0.0) -> None:
    """A brainstorm that took so long, besides its waiting."""
    store = store_of(client)
    run = store.runs.create(NewRun("brainstorm", {"topic": "x", "n": n}, 1))
    store.runs.start(run.run_id, Provenance(FAKE_MODEL.name, "f" * 64, None))
    timing = {"queued_s": queued_s, "first_s": None, "total_s": queued_s + seconds}
    store.runs.finish(run.run_id, RunOutcome("done", result={}, timing=timing))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2, "a few seconds"),
        (9, "about 10 s"),
        (38, "about 40 s"),
        (53, "about 55 s"),
        (70, "about a minute"),
        (100, "about 2 minutes"),
        (600, "about 10 minutes"),
    ],
)
def test_estimates_are_rounded_as_coarsely_as_they_deserve(seconds: float, words: str) -> None:
    assert about(seconds) == words


def test_the_first_run_counts_up_and_makes_no_promise(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.gate.clear()
    run = start(client, "brainstorm")
    await_request(backend)

    page = shown(client, run, "Writing")

    assert " left</span>" not in page
    assert 'class="elapsed"' in page
    backend.gate.set()


def test_a_run_says_how_long_it_still_takes_by_those_before_it(
    client: TestClient, backend: FakeBackend
) -> None:
    took(client, 600, queued_s=5000)
    backend.gate.clear()
    run = start(client, "brainstorm")
    await_request(backend)

    assert "about 10 minutes left" in shown(client, run, "minutes left")
    backend.gate.set()


def test_the_queue_is_told_in_words_with_its_time(client: TestClient, backend: FakeBackend) -> None:
    took(client, 600)
    backend.gate.clear()
    start(client, "brainstorm")
    await_request(backend)
    start(client, "brainstorm")
    third = start(client, "brainstorm")

    waiting = "2 runs before yours, about 20 minutes. It starts by itself."
    assert waiting in shown(client, third, waiting)
    backend.gate.set()
