"""What the load of a team calls lost, doubled, wrongly interrupted and unanswered."""

from typing import Any

import pytest

from benchmarks.team_ledger import Ledger, Note, Write, missing_comments, missing_ideas
from benchmarks.team_probe import Asked, availability
from benchmarks.team_verdicts import Change, Life, Performed, Stream, arrivals, judge

WHOLE = (0.0, 100.0)
CHANGE = Change(7, "board", "idea.created", "idea", made=10.2)
WRITE = Write("board", "idea.created", "idea", sent=10.0, acknowledged=10.4)


def idea(**other: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "board_id": "board",
        "title": "Idea 1-1",
        "body": "Text 1-2",
        "star": False,
    } | other


def ledger(**other: Any) -> Ledger:
    return Ledger(ideas={"1": Note("board", "Idea 1-1", '"2"', {"Text 1-2"})}, **other)


def run(status: str, finished: float | None = None, replica: str = "killed") -> Performed:
    return Performed("run", status, replica, finished)


LIVES = [Life("killed", lease_until=112.0, killed=100.0), Life("alive", 200.0, None)]


def test_a_change_takes_from_when_it_was_sent_to_each_watcher_of_its_board() -> None:
    streams = [Stream("board", {7: 10.5}), Stream("board", {7: 11.0}), Stream("other", {})]

    found = arrivals([CHANGE], [WRITE], streams, WHOLE)

    assert found.seconds == pytest.approx([0.5, 1.0])
    assert (found.changes, found.lost) == (1, 0)


def test_a_change_that_nobody_sent_takes_from_when_it_was_made() -> None:
    ended = Change(8, "board", "run.ended", "run", made=20.0)

    found = arrivals([ended], [], [Stream("board", {8: 20.3})], WHOLE)

    assert found.seconds == pytest.approx([0.3])


def test_a_change_is_lost_to_each_watcher_that_was_never_told() -> None:
    streams = [Stream("board", {7: 10.5}), Stream("board", {6: 9.0}), Stream("board", {})]

    assert arrivals([CHANGE], [WRITE], streams, WHOLE).lost == 2


def test_an_acknowledged_write_that_the_board_does_not_tell_is_lost_to_all_its_watchers() -> None:
    streams = [Stream("board", {7: 10.5}), Stream("board", {7: 10.5}), Stream("other", {})]
    second = Write("board", "idea.created", "idea", sent=10.0, acknowledged=10.4)

    assert arrivals([CHANGE], [WRITE, second], streams, WHOLE).lost == 2
    assert arrivals([], [WRITE], streams, WHOLE).lost == 2


def test_changes_count_in_the_part_in_which_they_were_made() -> None:
    streams = [Stream("board", {})]

    assert arrivals([CHANGE], [WRITE], streams, (0.0, 10.1)).lost == 0
    assert arrivals([CHANGE], [WRITE], streams, (10.1, 20.0)).lost == 1


def test_an_idea_is_missed_if_it_is_not_there_or_not_as_its_last_change_left_it() -> None:
    assert not list(missing_ideas(ledger(), [idea()]))
    for stored in ([], [idea(body="Text 1-1")], [idea(star=True)], [idea(board_id="other")]):
        assert len(list(missing_ideas(ledger(), stored))) == 1


def test_an_idea_that_is_there_twice_was_not_stored_once_even_if_it_was_never_acknowledged() -> (
    None
):
    unanswered = idea(id="2", title="Idea 1-9")

    assert not list(missing_ideas(ledger(), [idea(), unanswered]))
    assert len(list(missing_ideas(ledger(), [idea(), idea(id="3")]))) == 1
    assert len(list(missing_ideas(ledger(), [idea(), unanswered, unanswered | {"id": "4"}]))) == 1


def test_a_change_without_an_answer_may_be_stored_or_not() -> None:
    unsure = ledger()
    unsure.ideas["1"].bodies.add("Text 1-3")

    assert not list(missing_ideas(unsure, [idea()]))
    assert not list(missing_ideas(unsure, [idea(body="Text 1-3")]))


def test_a_comment_is_missed_on_its_own_idea_and_may_be_there_once() -> None:
    noted = ledger(comments={"c": ("1", "Comment 1-1")})
    comment = {"id": "c", "idea_id": "1", "body": "Comment 1-1"}

    assert not list(missing_comments(noted, [comment]))
    for stored in ([], [comment | {"idea_id": "2"}], [comment, comment | {"id": "d"}]):
        assert len(list(missing_comments(noted, stored))) == 1


def test_a_run_is_interrupted_rightly_after_its_server_was_killed_and_its_lease_was_over() -> None:
    verdict = judge([run("interrupted", 113.0), run("interrupted", 121.0)], LIVES)

    assert (verdict.rightly, verdict.wrongly, verdict.slowest_s) == (2, [], 21.0)
    assert len(verdict.late) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        run("interrupted", 99.0),
        run("interrupted", 111.0),
        run("interrupted", 150.0, replica="alive"),
        run("interrupted", 150.0, replica="unknown"),
    ],
    ids=["before the kill", "within the lease", "of a living server", "of an unknown server"],
)
def test_any_other_run_is_interrupted_wrongly(wrong: Performed) -> None:
    assert judge([wrong], LIVES).wrongly == ["run"]


def test_a_run_that_never_ended_hangs() -> None:
    verdict = judge([run("queued"), run("running"), run("done", 5.0), run("failed", 5.0)], LIVES)

    assert len(verdict.hanging) == 2
    assert (verdict.finished, verdict.failed) == (1, 1)


def test_the_gap_is_the_longest_time_without_an_answer_in_a_span() -> None:
    asked = [Asked(1.0, 0.5), Asked(2.0, 0.5, "502"), Asked(3.0, 1.0), Asked(20.0, 1.0, "502")]

    found = availability(asked, [(0.0, 5.0)])

    assert found.gap_s == pytest.approx(2.5)
    assert (found.asked, found.errors) == (3, ["502"])
    assert (found.p50_s, found.p99_s) == (0.5, 1.0)


def test_a_server_that_never_answers_leaves_a_gap_as_long_as_the_span() -> None:
    assert availability([Asked(1.0, 1.0, "502")], [(0.0, 5.0)]).gap_s == 5.0
