import json
import re
from pathlib import Path

import pytest

from training.errors import DataProblem
from training.evaluation.blind import (
    Key,
    Opinion,
    answers_in,
    count_opinions,
    draw,
    key_as_json,
    read,
)
from training.evaluation.judge import Pair

PAIRS = [Pair(f"p{n}", f"Topic {n}", f"first {n}", f"second {n}") for n in range(70)]


def shown(page: str) -> list[dict[str, str]]:
    found = re.search(r"const pairs = (\[.*\]);", page)
    assert found is not None
    pairs: list[dict[str, str]] = json.loads(found[1])
    return pairs


def test_the_page_shows_sixty_pairs_with_the_sides_of_its_key() -> None:
    page, key = draw(PAIRS, kind="ideas", seed=1)

    pairs = shown(page)
    assert len(pairs) == len(key.left) == 60
    for number, pair in enumerate(pairs, start=1):
        assert pair["left"].startswith("first" if key.left[str(number)] == "base" else "second")
    assert 10 < sum(side == "base" for side in key.left.values()) < 50


def test_the_page_does_not_reveal_which_model_wrote_a_text() -> None:
    page, _ = draw(PAIRS, kind="ideas", seed=1)

    assert not re.search(r"\b(base|tuned|p\d+)\b", page)


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page, _ = draw(PAIRS, kind="ideas", seed=1)

    assert not re.search(r"https?://|\bsrc=|<link|@import|@PAIRS|@PAGE|@TITLE|@ANSWERS", page)


def test_texts_cannot_break_out_of_the_page() -> None:
    nasty = Pair("1", "</script><b>&", "<!-- a", "'\"\\ b")

    page, _ = draw([nasty], kind="<i>", seed=0)

    assert page.count("</script>") == 1
    assert "<i>" not in page
    assert shown(page)[0]["request"] == nasty.request


def test_the_same_seed_draws_the_same_page() -> None:
    assert draw(PAIRS, kind="ideas", seed=5) == draw(PAIRS, kind="ideas", seed=5)
    assert draw(PAIRS, kind="ideas", seed=5) != draw(PAIRS, kind="ideas", seed=6)


def test_the_page_saves_answers_under_the_name_that_is_searched_for(tmp_path: Path) -> None:
    page, _ = draw(PAIRS, kind="ideas", seed=1)
    saved = re.search(r'data-file="(.*?)"', page)
    assert saved is not None
    (tmp_path / saved[1]).touch()

    assert answers_in(tmp_path, "ideas") == [tmp_path / saved[1]]
    assert answers_in(tmp_path, "refinements") == []


def test_the_answers_of_all_readers_are_found_in_order(tmp_path: Path) -> None:
    names = [f"blind-refinements-answers{more}.json" for more in ("", "-2", "-3", "-10")]
    for name in (*names, "blind-refinements-key.json", "second-reader.json"):
        (tmp_path / name).touch()

    assert [path.name for path in answers_in(tmp_path, "refinements")] == names


def test_opinions_are_counted_for_the_right_model() -> None:
    key = Key("x", {"1": "base", "2": "tuned", "3": "base"})

    found = count_opinions(
        key,
        {
            "1": Opinion("right", left="not", right="useful"),
            "2": Opinion("left", left="passable", right="not"),
            "3": Opinion("same", left="useful"),
        },
    )

    assert (found.pairs, found.wins, found.losses) == (3, 2, 0)
    assert found.useful["tuned"].value == 0.5
    assert found.passable["tuned"].value == 1
    assert found.useful["base"].value == pytest.approx(1 / 3)


def test_answers_that_the_page_saves_are_read_with_its_key(tmp_path: Path) -> None:
    _, key = draw(PAIRS, kind="ideas", seed=1)
    (tmp_path / "key.json").write_text(json.dumps(key_as_json(key)))
    answers = {"page": key.page, "answers": {"7": {"better": "left", "left": "useful"}}}
    (tmp_path / "answers.json").write_text(json.dumps(answers))

    found = read(tmp_path / "key.json", tmp_path / "answers.json")

    assert (found.pairs, found.wins + found.losses) == (1, 1)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ('{"page": "other", "answers": {}}', "another page"),
        ('{"page": "x", "answers": {"9": {"better": "left"}}}', "does not have this pair"),
        ('{"page": "x", "answers": {"1": {"better": "up"}}}', "is not a file that the page saves"),
        ("[]", "is not a file that the page saves"),
    ],
)
def test_answers_that_do_not_fit_the_page_are_refused(
    tmp_path: Path, answers: str, message: str
) -> None:
    (tmp_path / "key.json").write_text(json.dumps(key_as_json(Key("x", {"1": "base"}))))
    (tmp_path / "answers.json").write_text(answers)

    with pytest.raises(DataProblem, match=message):
        read(tmp_path / "key.json", tmp_path / "answers.json")


def test_missing_answers_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="cannot be read"):
        read(tmp_path / "key.json", tmp_path / "answers.json")
