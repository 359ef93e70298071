"""The real small model rewrites one passage; what it leaves alone is as it was."""

import pytest

from tests.support.app_server import Server

NOTE = "Ask first.\n\nPeople lend drills and ladders to neighbours. 5 euros, flat 3."


@pytest.mark.parametrize("passage", ["People lend drills and ladders to neighbours.", "5 euros"])
def test_only_the_passage_is_rewritten_and_a_phrase_stays_one(
    shared_server: Server, passage: str
) -> None:
    task = {"title": "tool shelf", "body": NOTE, "selection": passage, "seed": 1}
    before, _, after = NOTE.partition(passage)

    answer = shared_server.http.post("/api/v1/refine", json=task).json()
    new = answer["body"][len(before) : len(answer["body"]) - len(after)]

    assert answer["title"] == "tool shelf"
    assert answer["body"] == before + new + after
    assert new not in ("", passage)
    assert new.endswith(".") == passage.endswith(".")
    assert answer["edits"]
