"""Building the idea bank from files of topics, and finding its ideas again."""

import json
import re
from hashlib import sha256
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from service.analysis.idea_bank import FOLDER, IDEAS, INDEX, IdeaBank
from service.analysis.sentence_encoder import SentenceEncoder
from service.ideation.inspirations import NEAR_TOPIC, NEAR_TRANSLATED_TOPIC
from training.errors import DataProblem
from training.export.idea_bank import build_idea_bank

READINGS = Path("training/datasets/graded")


def record(topic: str, *titles: str) -> dict[str, Any]:
    ideas = [{"title": title, "text": f"Try the {title} this week."} for title in titles]
    return {"topic": topic, "context": "", "ideas": ideas}


RECORDS = [
    record("quick dinners for a tired family", "Egg Hour", "Bean Pot"),
    record("name for a sailing boat", "Slow Heron"),
    record("Quick dinners for a tired family!", "Egg Hour", "Noodle Night"),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "topics.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in RECORDS))
    return path


def build(source: Path, folder: Path) -> IdeaBank:
    build_idea_bank([source], folder, lambda _: None)
    return IdeaBank(SentenceEncoder(), folder, sha256((folder / INDEX).read_bytes()).hexdigest())


def test_topics_that_say_the_same_become_one_with_all_their_ideas(
    source: Path, tmp_path: Path
) -> None:
    found = build(source, tmp_path / "bank").near("fast dinner for tired families", 0.6, 8)

    assert [one.title for one in found] == ["Egg Hour", "Bean Pot", "Noodle Night"]
    assert {one.written_for for one in found} == {"quick dinners for a tired family"}


def test_the_same_sources_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(source, tmp_path / name)

    for file in (IDEAS, INDEX):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_translated_topic_finds_the_ideas_and_says_what_they_were_written_for(
    source: Path, tmp_path: Path
) -> None:
    swedish = tmp_path / "sv.tsv"
    swedish.write_text("name for a sailing boat\tnamn på en segelbåt\n")
    folder = tmp_path / "bank"
    build_idea_bank([source], folder, lambda _: None, [swedish])
    bank = IdeaBank(SentenceEncoder(), folder, sha256((folder / INDEX).read_bytes()).hexdigest())

    (found,) = bank.near_translated("namn på en segelbåt", 0.9, 8)
    assert (found.title, found.written_for) == ("Slow Heron", "namn på en segelbåt")
    (found,) = bank.near("name for a sailing boat", 0.9, 8)
    assert (found.title, found.written_for) == ("Slow Heron", "name for a sailing boat")


@pytest.mark.parametrize("line", ["name for a sailing boat", "no such topic\tnamn", "x\t "])
def test_a_translation_that_belongs_to_no_topic_is_named(
    source: Path, tmp_path: Path, line: str
) -> None:
    swedish = tmp_path / "sv.tsv"
    swedish.write_text(f"name for a sailing boat\tnamn på en segelbåt\n{line}\n")

    with pytest.raises(DataProblem, match=re.escape(f"{swedish}, line 2")):
        build_idea_bank([source], tmp_path / "bank", lambda _: None, [swedish])


def test_a_line_without_ideas_is_named(tmp_path: Path) -> None:
    source = tmp_path / "topics.jsonl"
    source.write_text('{"topic": "a shed", "ideas": []}\n{"topic": "a shed"}\n')

    with pytest.raises(DataProblem, match=re.escape(f"{source}, line 2")):
        build_idea_bank([source], tmp_path / "bank", lambda _: None)


def test_every_topic_of_the_shipped_bank_has_different_ideas_of_readable_length() -> None:
    records = [json.loads(line) for line in (FOLDER / IDEAS).read_text().splitlines()]

    for language in ("en", "sv", "de"):
        assert len({one["topic"][language] for one in records}) > 0.99 * len(records)
    for one in records:
        titles = [idea["title"] for idea in one["ideas"]]
        assert len(set(titles)) == len(titles), one["topic"]
        assert all(5 <= len(idea["text"].split()) <= 60 for idea in one["ideas"]), one["topic"]


@pytest.mark.parametrize(
    ("readings", "rows"),
    [
        (
            "bank.jsonl",
            {"under 0.50": (-1, 0.5), "0.50 to 0.60": (0.5, 0.6), "0.60 and more": (0.6, 2)},
        ),
        ("bank-depth.jsonl", {"0.60 to 0.70": (0.6, 0.7), "from 0.70": (0.7, 2)}),
        (
            "bank-translated.jsonl",
            {"under 0.35": (-1, 0.35), "0.35 to 0.45": (0.35, 0.45), "0.45 and more": (0.45, 2)},
        ),
    ],
)
def test_the_card_has_the_figures_of_the_readings(
    readings: str, rows: dict[str, tuple[float, float]]
) -> None:
    """The thresholds from which ideas are offered rest on them."""
    graded = [json.loads(line) for line in (READINGS / readings).read_text().splitlines()]
    card = (FOLDER / "README.md").read_text()

    for name, (least, most) in rows.items():
        grades = [mean(one["grades"]) for one in graded if least <= one["likeness"] < most]
        shares = [100 * mean(grade >= bound for grade in grades) for bound in (3, 2.5, 2)]
        row = f"{len(grades)} | {mean(grades):.2f} | " + " | ".join(f"{one:.0f}%" for one in shares)
        assert re.search(rf"\| \**{re.escape(name)}\** \| {re.escape(row)} \|", card), (name, row)
    assert (NEAR_TOPIC, NEAR_TRANSLATED_TOPIC) == (0.6, 0.45)
