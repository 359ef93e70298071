import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.training.conftest import IDEATION
from training.config import SourceConfig
from training.data.sources import OTHER_CATEGORY, OUTSIDE_SHARE, raw_records, read_source
from training.errors import DataProblem

CHAT = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}
DOLLY = {"instruction": "Name a tree.", "context": "", "response": "Oak.", "category": "open_qa"}


def jsonl(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def source(path: Path, kind: Any = "sharegpt", **changes: Any) -> SourceConfig:
    return SourceConfig.model_validate({"kind": kind, "path": path, "licence": "MIT"} | changes)


def read(config: SourceConfig) -> list[Any]:
    return [one.row for one in read_source(config).rows]


def test_jsonl_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    lines = jsonl(tmp_path / "rows.jsonl", CHAT, CHAT)
    table = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([CHAT, CHAT]), table)

    chats = [[row.messages for row in read(source(path))] for path in (lines, table)]

    assert chats[0] == chats[1]
    assert len(chats[0]) == 2


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    jsonl(tmp_path / "b.jsonl", {"n": 3})
    jsonl(tmp_path / "a.jsonl", {"n": 1}, {"n": 2})

    assert [raw.data["n"] for raw in raw_records(tmp_path)] == [1, 2, 3]


def test_rows_keep_their_source_and_their_own_licence(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "mix.jsonl", {**CHAT, "source": "forum", "license": "CC0-1.0"}, CHAT)

    own, other = read(source(path))

    assert (own.source, own.licence) == ("mix.jsonl:forum", "CC0-1.0")
    assert (other.source, other.licence) == ("mix.jsonl", "MIT")
    assert own.answers == "all"


def test_ids_name_folder_file_and_row(tmp_path: Path) -> None:
    one = jsonl(tmp_path / "set" / "a" / "train.jsonl", CHAT, CHAT)
    other = jsonl(tmp_path / "set" / "b" / "train.jsonl", CHAT)

    of_files = [row.id for path in (one, other) for row in read(source(path))]
    of_folder = [row.id for row in read(source(tmp_path / "set"))]

    assert of_files == ["a/train.jsonl-1", "a/train.jsonl-2", "b/train.jsonl-1"]
    assert of_folder == [f"set/{one}" for one in of_files]


def test_ids_name_the_split_of_a_data_set_of_the_hub(tmp_path: Path) -> None:
    jsonl(tmp_path / "set" / "train.jsonl", CHAT, CHAT)
    hub = str(tmp_path / "set")
    halves = [
        SourceConfig(kind="sharegpt", hub=hub, split=split, licence="MIT")
        for split in ("train[:1]", "train[1:]")
    ]

    ids = [row.id for half in halves for row in read(half)]

    assert ids == [f"{hub}:train[:1]-1", f"{hub}:train[1:]-1"]


def test_rows_with_the_same_prompt_are_one_group(tmp_path: Path) -> None:
    asked = {**DOLLY, "instruction": "name a TREE"}
    path = jsonl(tmp_path / "d.jsonl", DOLLY, asked, {**DOLLY, "instruction": "Name a bird."})

    first, second, third = read(source(path, "dolly"))

    assert first.group == second.group != third.group


def test_dolly_is_read_by_category_and_has_its_licence(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "d.jsonl", DOLLY, {**DOLLY, "category": "brainstorming"})

    rows = read(source(path, "dolly", categories=["brainstorming"], licence=None))

    expected = (f"{tmp_path.name}/d.jsonl-2", "CC-BY-SA-3.0")
    assert [(row.id, row.licence) for row in rows] == [expected]


def test_first_takes_the_first_rows(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "d.jsonl", *[DOLLY] * 5)

    assert len(read(source(path, "dolly", first=3))) == 3


def test_skipped_rows_are_counted(tmp_path: Path) -> None:
    records = [
        {**DOLLY, "instruction": f"Name tree {n}.", "category": category}
        for n in range(100)
        for category in ("open_qa", "brainstorming")
    ]
    path = jsonl(tmp_path / "d.jsonl", *records)

    whole = read_source(source(path, "dolly", categories=["open_qa"], weight=0.5))
    cut = read_source(source(path, "dolly", categories=["open_qa"], first=10))

    assert whole.skipped == {OTHER_CATEGORY: 100, OUTSIDE_SHARE: 100 - len(whole.rows)}
    assert (whole.is_cut, cut.is_cut, len(cut.rows)) == (False, True, 10)
    # What comes after the last row that is taken is not read.
    assert cut.skipped == {OTHER_CATEGORY: 9}


def test_a_share_of_the_rows_is_the_same_share_each_time(tmp_path: Path) -> None:
    records = [{**DOLLY, "instruction": f"Name tree {n}."} for n in range(200)]
    half = source(jsonl(tmp_path / "d.jsonl", *records), "dolly", weight=0.5)

    assert read(half) == read(half)
    assert 70 < len(read(half)) < 130


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (
            {"conversations": [{"from": "human", "value": "Hi"}]},
            "row 2: the row has to end with an answer",
        ),
        ([1], "row 2: is not a JSON object"),
    ],
)
def test_an_invalid_row_or_one_without_an_answer_is_named(
    tmp_path: Path, record: Any, problem: str
) -> None:
    path = jsonl(tmp_path / "rows.jsonl", CHAT, record)

    with pytest.raises(DataProblem, match=problem) as caught:
        read(source(path))
    assert str(path) in caught.value.detail
    assert caught.value.row == 2


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(CHAT) + "\n\n{oops\n")

    with pytest.raises(DataProblem, match="row 3: is not JSON"):
        read(source(path))


def test_a_row_without_a_licence_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"row 1: the row has no licence"):
        read(source(jsonl(tmp_path / "rows.jsonl", CHAT), licence=None))


@pytest.mark.parametrize("kind", ["ideation", "graded"])
def test_a_foreign_record_without_a_licence_is_named(
    tmp_path: Path, ideation_records: Path, kind: str
) -> None:
    drafts = {
        "id": "1", "topic": "keys", "angle": "signs",
        "drafts": [{"title": "A Hook", "text": "Hang it up.", "grade": 1}],
    }  # fmt: skip
    path = jsonl(tmp_path / "graded.jsonl", drafts) if kind == "graded" else ideation_records

    with pytest.raises(DataProblem, match=r"jsonl row 1: the row has no licence; set the `lic"):
        read(source(path, kind, licence=None))
    assert {row.licence for row in read(source(path, kind))} == {"MIT"}


def test_our_own_records_have_our_licence() -> None:
    (row,) = read(source(IDEATION, "ideation", licence=None, first=1))

    assert row.licence == "CC0-1.0"


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_text("no")

    with pytest.raises(DataProblem, match="not a Parquet file"):
        list(raw_records(path))


@pytest.mark.parametrize("name", ["rows.csv", "folder"])
def test_unknown_file_types_and_empty_folders_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "rows.csv").touch()

    with pytest.raises(DataProblem, match=r"\.jsonl and \.parquet"):
        list(raw_records(tmp_path / name))


def test_a_data_set_that_cannot_be_fetched_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config = SourceConfig(kind="sharegpt", hub=f"{tmp_path}/none", licence="MIT")

    with pytest.raises(DataProblem, match="cannot be fetched from the hub"):
        read(config)


def test_the_hub_name_may_be_anything_that_the_datasets_library_reads(tmp_path: Path) -> None:
    jsonl(tmp_path / "set" / "train.jsonl", CHAT, CHAT)

    rows = read(SourceConfig(kind="sharegpt", hub=str(tmp_path / "set"), licence="MIT", first=1))

    assert len(rows) == 1


class TestOwnRecords:
    def test_the_tasks_of_a_folder_are_read_in_the_given_order(
        self, ideation_records: Path
    ) -> None:
        rows = read(source(ideation_records, "ideation", tasks=["evaluate", "brainstorm"]))

        assert list(dict.fromkeys(row.task for row in rows)) == ["evaluate", "brainstorm"]
        assert rows[0].id == f"{ideation_records.name}/evaluate-0001"
        assert rows[-1].source == f"{ideation_records.name}/brainstorm.jsonl"

    def test_ideas_on_one_topic_are_one_group(self, ideation_records: Path) -> None:
        rows = read(source(ideation_records, "ideation", tasks=["brainstorm"]))

        lines = (ideation_records / "brainstorm.jsonl").read_text(encoding="utf-8").splitlines()
        assert len({row.group for row in rows}) == len(lines)
        assert len(rows) > 2 * len(lines)

    def test_the_halves_of_a_contrast_pair_are_one_group(self, tmp_path: Path) -> None:
        note = {
            "task": "evaluate", "title": "t", "scores": {"novelty": 1}, "strengths": ["Good to have."],
            "concerns": ["Bad to have."], "next_step": "Ask somebody.",
        }  # fmt: skip
        path = jsonl(
            tmp_path / "own" / "evaluate.jsonl",
            {"id": "1", "body": "Winter coats. Schools ask.", **note},
            {"id": "2", "body": "The bus is late.", **note},
            {"id": "3", "body": "Winter coats. We collect.", **note},
        )

        one, other, half = read(source(path, "ideation"))

        assert one.group == half.group != other.group

    def test_a_folder_without_records_is_a_problem(self, tmp_path: Path) -> None:
        with pytest.raises(DataProblem, match="no records for refine"):
            read(source(tmp_path, "ideation", tasks=["refine"]))

    def test_an_invalid_record_is_named(self, tmp_path: Path) -> None:
        path = jsonl(tmp_path / "refine.jsonl", {"id": "1", "task": "refine", "title": "x"})

        with pytest.raises(DataProblem, match=r"refine\.jsonl row 1: .*body"):
            read(source(path, "ideation"))
