"""The blind pages of ideas: what readers see, and the table that is made of their grades."""

import json
from pathlib import Path

import pytest

from benchmarks.ideas import Entry, entries, page, read_grades, read_topics, table, times

KEY = [
    Entry("list", "a shed", "", "Hooks", "Hang the rakes."),
    Entry("bank", "a shed", "It is damp.", "Racks", "Build racks of slats."),
    Entry("bank", "a boat", "", "Heron", "Name it after the heron."),
]


def test_the_page_shows_topic_and_idea_but_not_where_it_comes_from() -> None:
    text = page(KEY)

    assert "[2] TOPIC: a shed (It is damp.)\nRacks: Build racks of slats." in text
    assert "bank" not in text
    assert "list" not in text


def test_an_idea_counts_by_the_mean_of_its_grades() -> None:
    readers = [{1: 1.0, 2: 3.0, 3: 2.0}, {1: 1.0, 2: 3.5, 3: 2.5}]

    rows = table(KEY, readers).splitlines()

    assert rows[2].startswith("| bank | 2 | 2.75 | 50% (0% to 100%) | 50% ")
    assert rows[3].startswith("| list | 1 | 1.00 | 0% (0% to 0%) | ")
    assert rows[3].endswith("| 100% |")


def test_topics_may_have_a_situation(tmp_path: Path) -> None:
    path = tmp_path / "topics.txt"
    path.write_text("a shed\tIt is damp.\n\na boat\n")

    first, second = read_topics(path, None)

    assert (first.text, first.situation) == ("a shed", "It is damp.")
    assert (second.text, second.situation) == ("a boat", "")


def test_a_grade_outside_the_scale_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grades.txt"
    path.write_text("1 2.5\n7 5\n")

    with pytest.raises(SystemExit, match="grade of 7"):
        read_grades(path)


def test_times_are_of_the_first_idea_and_of_those_the_model_wrote(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    ideas = [{"title": "T", "text": "Text.", "origin": "bank", "seconds": 0.2}]
    ideas += [{"title": "T", "text": "Text.", "origin": "model", "seconds": n} for n in range(1, 9)]
    record = {"topic": "a shed", "situation": "", "usage": {}, "ideas": ideas}
    path.write_text(json.dumps(record) + "\n")

    assert times(path) == "list: first 0.2 s, model's first 1.0 s, model's eighth 8.0 s"
    assert len(list(entries(path, 3))) == 3
