import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.types import Message
from service.settings import PROJECT_ROOT
from training.config import DataConfig, FilterConfig, SourceConfig
from training.data.decontamination import without_evaluation_prompts
from training.data.duplicates import NEARLY_SAME, without_nearly_same, without_same
from training.data.filters import (
    LONG_ANSWER,
    NOT_PLAIN,
    OTHER_LANGUAGE,
    PROMPT_NO_HELP,
    REFUSAL,
    SHORT_ANSWER,
    TOO_LONG,
    RowLikelihood,
    is_english,
    is_refusal,
    keep_good,
    keep_likely,
)
from training.data.rows import OWN_TASKS, Dropped, Row
from training.data.sources import raw_records
from training.data.split import divide, side_of
from training.data.tasks import CHANGED, NOT_ALLOWED, Rendered
from training.errors import DataProblem

DATA = PROJECT_ROOT / "training" / "datasets"
GERMAN = (
    "Der Verein trifft sich mittwochs und die Mitglieder bringen für das Fest einen Kuchen mit."
)


def row(
    answer: str, asked: str = "Tell me more.", *, task: str = "general", name: str = "r"
) -> Row:
    messages = (Message("user", asked), Message("assistant", answer))
    return Row(name, task, messages, "test", "MIT", asked)


def texts(folder: str) -> Iterator[str]:
    """The user's texts and the answers of one of our sets, without our prompts."""
    for path in (DATA / folder).glob("*.jsonl"):
        for raw in raw_records(path) if path.stem in OWN_TASKS else ():
            fields = dict(raw.data)
            for answer in fields.pop("ideas", [{}]):
                yield "\n".join(spoken([*fields.values(), answer.get("title"), answer.get("text")]))


def spoken(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from spoken(value)
        elif isinstance(value, str):
            yield value


def reasons(answer: str, **filters: object) -> list[str]:
    config = FilterConfig.model_validate(filters)
    _, dropped = keep_good([Rendered(row(answer))], config)
    return [one.reason for one in dropped]


class TestQuality:
    @pytest.mark.parametrize(
        ("answer", "filters", "expected"),
        [
            ("An oak is a tree.", {}, []),
            ("Oak.", {"min_answer_words": 2}, [SHORT_ANSWER]),
            ("An oak is a tree.", {"max_answer_words": 4}, [LONG_ANSWER]),
            (GERMAN, {}, [OTHER_LANGUAGE]),
            (GERMAN, {"language": "any"}, []),
            ("I'm sorry, but I can't help with that.", {}, [REFUSAL]),
            ("I'm sorry, but I can't help with that.", {"refusals": False}, []),
        ],
    )
    def test_rows_are_dropped_for_a_reason(
        self, answer: str, filters: dict[str, object], expected: list[str]
    ) -> None:
        assert reasons(answer, **filters) == expected

    def test_answers_that_the_service_would_refuse_are_dropped(self) -> None:
        rendered = [Rendered(row("a"), NOT_ALLOWED), Rendered(row("b"), CHANGED)]

        kept, dropped = keep_good(rendered, FilterConfig())
        kept_without, dropped_without = keep_good(rendered, FilterConfig(grammar=False))

        assert (len(kept), len(dropped)) == (0, 2)
        assert ([one.answer for one in kept_without], len(dropped_without)) == (["a"], 1)

    @pytest.mark.parametrize(
        "text",
        [
            "The club meets on Wednesdays and its members bring cake for the party.",
            "Oak, ash, elm, lime",
            "San Francisco, Los Angeles, La Jolla, El Cajon",
            "def double(x):\n    return 2 * x",
            "Ten places to eat in Paris: Le Bistrot, La Table",
            "",
        ],
    )
    def test_lists_names_and_code_count_as_english(self, text: str) -> None:
        assert is_english(text)

    @pytest.mark.parametrize(
        "text",
        [
            GERMAN,
            "El club se reúne en la sala y los miembros llevan pasteles para que todos hablen.",
            "Le club se réunit dans la salle et les membres apportent des gâteaux pour la fête.",
            "Grannarna lånar verktyg av varandra och lämnar tillbaka dem samma kväll",
            "Naboerne låner værktøj af hinanden og afleverer det igen samme aften.",
            "Naboene låner verktøy av hverandre, og det leveres tilbake samme kveld.",
            "Naapurit lainaavat työkaluja, jotka ovat kellarissa, ja palauttavat ne illalla.",
            "Półka w korytarzu, na której sąsiedzi pożyczają sobie narzędzia i oddają je po pracy.",
            "Sousedé si půjčují nářadí, které je ve sklepě, a večer ho vracejí, aby se neztratilo.",
            "Komşular için bir dolap: alet ödünç alan akşam geri verir, daha az alet gibi.",
            "Клуб собирается по средам в старом зале.",
            "クラブは水曜日に古いホールに集まります。",
        ],
    )
    def test_other_languages_are_recognised_by_script_or_short_words(self, text: str) -> None:
        assert not is_english(text)

    @pytest.mark.parametrize("folder", ["plain", "ideation"])
    def test_all_rows_of_our_english_sets_are_english(self, folder: str) -> None:
        passes = list(map(is_english, texts(folder)))

        assert len(passes) > 1000
        assert all(passes)

    def test_hardly_any_of_our_rows_in_other_languages_counts_as_english(self) -> None:
        passes = list(map(is_english, texts("languages")))

        assert len(passes) > 100
        assert sum(passes) <= 0.02 * len(passes)

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ("I cannot assist with this.", True),
            ("Sorry, I can’t do that.", True),
            ("Unfortunately, I am unable to provide it.", True),
            ("As an AI language model, I have no taste.", True),
            ("It depends, but as a large language model I cannot say.", True),
            ("I can't remember the last time I kept a journal.", False),
            ("I'm sorry your friend got dumped; ask him to dinner.", False),
            ("Sorry is what you say when you are wrong.", False),
        ],
    )
    def test_refusals_are_distinguished_from_regret(self, answer: str, expected: bool) -> None:
        assert is_refusal(answer) is expected


class TestLikelihood:
    @staticmethod
    def measured(*values: tuple[float, float]) -> tuple[list[Row], dict[str, RowLikelihood]]:
        rows = [row("x", name=str(n)) for n in range(len(values))]
        return rows, {str(n): RowLikelihood(*value) for n, value in enumerate(values)}

    @staticmethod
    def keep(
        rows: Sequence[Row], known: dict[str, RowLikelihood], **filters: float
    ) -> tuple[list[str], list[str]]:
        config = FilterConfig.model_validate(filters)
        kept, dropped = keep_likely(rows, config, lambda asked: [known[one.id] for one in asked])
        return [one.id for one in kept], [one.reason for one in dropped]

    def test_rows_whose_prompt_does_not_help_are_dropped(self) -> None:
        rows, known = self.measured((2.0, 0.5), (2.0, 1.1))

        assert self.keep(rows, known, ifd_max=1.0) == (["0"], [PROMPT_NO_HELP])

    def test_the_plainest_share_of_each_task_is_kept(self) -> None:
        rows, known = self.measured((4.0, 0.5), (1.0, 0.5), (2.0, 0.5), (3.0, 0.5))
        rows.append(row("x", task="refine", name="own"))
        known["own"] = RowLikelihood(9.0, 0.5)

        assert self.keep(rows, known, plainest_share=0.5) == (["1", "2", "own"], [NOT_PLAIN] * 2)

    def test_rows_that_do_not_fit_are_dropped(self) -> None:
        rows, known = self.measured((1.0, 0.5), (math.inf, math.inf))

        assert self.keep(rows, known, plainest_share=1.0) == (["0"], [TOO_LONG])


class TestDuplicates:
    LONG = "Hang a hook beside the door and put the keys there each evening when you come home"

    def test_case_spaces_and_punctuation_make_no_difference(self) -> None:
        rows = [row("Hang it up.", name="a"), row("hang  it UP", name="b"), row("Other.", name="c")]

        kept, dropped = without_same(rows)

        assert [one.id for one in kept] == ["a", "c"]
        assert [(one.row.id, one.detail) for one in dropped] == [("b", "a")]

    def test_rows_with_another_prompt_or_task_are_not_duplicates(self) -> None:
        rows = [row("x"), row("x", "Another question?"), row("x", task="other")]

        assert len(without_same(rows)[0]) == 3

    def test_the_first_of_near_duplicates_is_kept(self) -> None:
        rows = [row(self.LONG, name="a"), row(f"{self.LONG} again", name="b"), row("Other.")]

        kept, dropped = without_nearly_same(rows, 0.8)

        assert [one.id for one in kept] == ["a", "r"]
        assert dropped == [Dropped(rows[1], NEARLY_SAME, "a (0.95)")]

    def test_the_threshold_is_exact(self) -> None:
        rows = [row(self.LONG, name="a"), row(f"{self.LONG} again", name="b")]

        assert len(without_nearly_same(rows, 0.96)[0]) == 2

    def test_own_rows_are_compared_by_their_answers(self) -> None:
        prompt = f"Give one idea. {self.LONG} <topic>{{}}</topic>"
        rows = [
            row("Hang a hook.", prompt.format("keys"), task="brainstorm"),
            row("Paint the wall.", prompt.format("keys"), task="brainstorm"),
        ]

        assert len(without_nearly_same(rows, 0.5)[0]) == 2

    def test_graded_answers_are_kept_even_if_similar(self) -> None:
        rows = [replace(row(self.LONG, name=name), grade=1.0) for name in "ab"]

        assert len(without_nearly_same(rows, 0.8)[0]) == 2

    @pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
    def test_hardly_any_similar_pair_is_missed(self, threshold: float) -> None:
        words = [f"w{n}" for n in range(60)]
        texts = [" ".join([*words[:30], *(f"{w}x{n}" for w in words[:10])]) for n in range(100)]
        rows = [row(text) for one in texts for text in (one, one)]

        kept, _ = without_nearly_same(rows, threshold)

        assert len(kept) <= 100


class TestDecontamination:
    @pytest.fixture
    def evaluation(self, tmp_path: Path) -> Path:
        path = tmp_path / "prompts.jsonl"
        path.write_text(
            '{"topic": "keys get lost"}\n'
            '{"turns": ["Write a travel blog about a recent trip to Hawaii with two children."]}\n'
            '{"prompt": "x", "messages": [{"role": "user", "content": "Name ten kinds of apples"},'
            ' {"role": "assistant", "content": "Cox is the best of all"}]}\n'
        )
        return path

    @pytest.mark.parametrize(
        ("asked", "is_kept"),
        [
            ("Keys get lost!", False),
            ("The keys get lost in our house and nobody knows where they might be", True),
            ("Please write a travel blog about a recent trip to Hawaii with two children. Thanks.", False),
            ("Write a travel blog about Norway.", True),
            ("Name ten kinds of apples", False),
            ("Cox is the best of all", True),
        ],
    )  # fmt: skip
    def test_prompts_of_evaluation_sets_are_never_learnt(
        self, evaluation: Path, asked: str, is_kept: bool
    ) -> None:
        kept, dropped = without_evaluation_prompts([row("Yes.", asked)], [evaluation])

        assert (len(kept), len(dropped)) == ((1, 0) if is_kept else (0, 1))

    def test_only_the_topic_of_an_own_row_is_compared(self, evaluation: Path) -> None:
        asked = "Give one idea.\n<topic>keys get lost</topic>\n\nThe idea has to do with a sign."

        kept, dropped = without_evaluation_prompts(
            [row("x", asked, task="brainstorm")], [evaluation]
        )

        assert not kept
        assert dropped[0].detail == "prompts.jsonl row 1"

    def test_a_set_without_prompts_is_a_problem(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.jsonl"
        path.write_text('{"answer": 3}\n')

        with pytest.raises(DataProblem, match="has no prompts"):
            without_evaluation_prompts([row("x")], [path])


class TestSplit:
    ROWS = tuple(row("x", f"question {n // 2}", name=str(n)) for n in range(1000))

    @staticmethod
    def config(**changes: object) -> DataConfig:
        sources = (SourceConfig(kind="alpaca", hub="x/y"),)
        return DataConfig.model_validate({"sources": sources} | changes)

    def test_splits_have_about_their_shares_and_contain_every_row(self) -> None:
        sides, _ = divide(self.ROWS, self.config(test_share=0.2, validation_share=0.1))

        assert sum(map(len, sides.values())) == 1000
        assert 150 < len(sides["test"]) < 250
        assert 70 < len(sides["validation"]) < 130

    def test_a_group_stays_in_one_split(self) -> None:
        sides, _ = divide(self.ROWS, self.config())
        groups = [
            one.group
            for side in sides.values()
            for one in {one.group: one for one in side}.values()
        ]

        assert len(groups) == len(set(groups)) == 500

    def test_the_split_of_a_group_does_not_depend_on_other_rows(self) -> None:
        config = self.config()
        (all_of_them, _), (some, _) = (
            divide(rows, config) for rows in (self.ROWS, self.ROWS[300:400])
        )

        assert set(some["test"]) <= set(all_of_them["test"])
        assert set(some["train"]) <= set(all_of_them["train"])

    def test_another_seed_gives_another_split(self) -> None:
        sides = [side_of("a group", self.config(split_seed=seed)) for seed in range(50)]

        assert set(sides) == {"train", "validation", "test"}

    def test_a_limit_keeps_the_first_rows(self) -> None:
        whole, none = divide(self.ROWS, self.config())
        cut, dropped = divide(
            self.ROWS, self.config(train_rows=100, validation_rows=5, test_rows=7)
        )

        assert cut["train"] == whole["train"][:100]
        assert (len(cut["validation"]), len(cut["test"])) == (5, 7)
        assert not none
        assert len(dropped) == 1000 - 112
        assert dropped[0] == Dropped(whole["train"][100], "beyond the limit `data.train_rows`")
