import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training.config import RunConfig
from training.data.decontamination import IN_EVALUATION, OWN_TOPICS
from training.data.duplicates import NEARLY_SAME
from training.data.filters import RowLikelihood
from training.data.prepare import prepare, read_prepared
from training.data.rows import Row
from training.data.sources import OUTSIDE_SHARE
from training.errors import DataProblem
from training.runs.run_directory import Manifest, RunDirectory, now

MakeConfig = Callable[..., RunConfig]


@pytest.fixture
def rundir(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def ignore(_line: str) -> None:
    pass


def test_the_same_config_prepares_the_same_files(tmp_path: Path, tiny_config: MakeConfig) -> None:
    one = prepare(tiny_config(), RunDirectory(tmp_path / "a"), report=ignore)
    other = prepare(tiny_config(), RunDirectory(tmp_path / "b"), report=ignore)

    assert one == other
    assert set(one.sha256) == {"train", "validation", "test"}


def test_prepared_rows_can_be_read_back(rundir: RunDirectory, tiny_config: MakeConfig) -> None:
    prepared = prepare(tiny_config(), rundir, report=ignore)

    assert read_prepared(rundir) == prepared
    assert prepared.split("test") == prepared.test


def test_reading_rows_that_were_not_prepared_is_a_problem(rundir: RunDirectory) -> None:
    with pytest.raises(DataProblem, match=r"train\.jsonl: cannot be read"):
        read_prepared(rundir)


def test_the_report_counts_kept_and_dropped_rows_by_reason(
    rundir: RunDirectory, tiny_config: MakeConfig
) -> None:
    prepared = prepare(tiny_config(), rundir, report=ignore, show=lambda row: f"⟦{row.id}⟧")

    summary = json.loads((rundir.data / "report.json").read_text())
    text = (rundir.data / "report.md").read_text()
    rows = sum(split["rows"] for split in summary["splits"].values())
    dropped = sum(reason["rows"] for reason in summary["dropped"].values())
    assert rows + dropped == summary["rows_read"]
    assert summary["splits"]["train"]["licences"] == {"CC0-1.0": len(prepared.train)}
    assert summary["sha256"] == prepared.sha256
    assert "the grammar does not allow the answer" in text
    assert f"⟦{prepared.train[0].id}⟧" in text


def test_evaluation_prompts_are_never_learnt(
    rundir: RunDirectory, tiny_config: MakeConfig, tmp_path: Path
) -> None:
    topics = OWN_TOPICS.read_text(encoding="utf-8")
    prompts, other = tmp_path / "prompts.jsonl", tmp_path / "other.jsonl"
    prompts.write_text('{"id": "1", "prompt": "Describe the garden behind the old town hall."}')
    other.write_text('{"question": "Which bird sings first on a cold morning in March?"}')
    asked = [
        json.loads(topics.splitlines()[0])["topic"],
        "Describe the garden behind the old town hall.",
        "Which bird sings first on a cold morning in March?",
        *(f"Describe tree {n}." for n in range(40)),
    ]
    path = tmp_path / "rows.jsonl"
    rows = [{"instruction": one, "output": f"It is about: {one}"} for one in asked]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows), encoding="utf-8")

    prepare(
        tiny_config(
            data__sources=[{"kind": "alpaca", "path": str(path), "licence": "MIT"}],
            data__decontaminate=[str(other)],
            evaluation__prompts=str(prompts),
        ),
        rundir,
        report=ignore,
    )

    summary = json.loads((rundir.data / "report.json").read_text())
    ids = [one["id"].rpartition("-")[2] for one in summary["dropped"][IN_EVALUATION]["examples"]]
    assert ids == ["1", "2", "3"]
    sets = ["evaluation/topics.jsonl", *(f"{tmp_path.name}/{one.name}" for one in (prompts, other))]
    assert summary["evaluation_sets"] == sets
    assert all(f"`{one}`" in (rundir.data / "report.md").read_text() for one in sets)


def test_the_report_counts_rows_beyond_the_limits(
    rundir: RunDirectory, tiny_config: MakeConfig, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"instruction": f"Describe tree {n}.", "output": f"Tree {n}."} for n in range(90)]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows), encoding="utf-8")
    source = {"kind": "alpaca", "path": str(path), "licence": "MIT", "weight": 0.7, "first": 50}

    prepare(
        tiny_config(data__sources=[source], data__train_rows=10, data__validation_rows=1),
        rundir,
        report=ignore,
    )

    summary = json.loads((rundir.data / "report.json").read_text())
    text = (rundir.data / "report.md").read_text()
    kept = {name: split["rows"] for name, split in summary["splits"].items()}
    dropped = {why: found["rows"] for why, found in summary["dropped"].items()}
    (taken,) = summary["taken"]
    share = taken["skipped"][OUTSIDE_SHARE]
    assert (kept["train"], kept["validation"]) == (10, 1)
    assert sum(kept.values()) + sum(dropped.values()) == summary["rows_read"] == 50
    assert (
        f"- {dropped['beyond the limit `data.train_rows`']:,} rows: beyond the limit `data.train_rows`."
        in text
    )
    assert share > 0
    assert (
        f"rows.jsonl: 50 rows; {share} skipped, {OUTSIDE_SHARE}; reading stopped at `first`" in text
    )


def test_no_prompt_is_in_two_splits(rundir: RunDirectory, tiny_config: MakeConfig) -> None:
    prepared = prepare(tiny_config(), rundir, report=ignore)
    sides = [{row.group for row in side} for side in (prepared.train, prepared.validation)]

    assert not sides[0] & sides[1]
    assert not (sides[0] | sides[1]) & {row.group for row in prepared.test}


def test_rows_of_weight_two_are_learnt_twice_and_measured_once(
    tmp_path: Path, tiny_config: MakeConfig
) -> None:
    once = prepare(tiny_config(), RunDirectory(tmp_path / "a"), report=ignore)
    twice = prepare(
        tiny_config(data__sources__0__weight=2), RunDirectory(tmp_path / "b"), report=ignore
    )

    assert len(twice.train) == 2 * len(once.train)
    assert twice.test == once.test
    assert len({row.id for row in twice.train}) == len(twice.train)


def test_no_row_of_a_held_out_source_is_learnt(
    rundir: RunDirectory, tiny_config: MakeConfig
) -> None:
    config = tiny_config()
    (source,) = config.data.sources
    sources = (
        source.model_copy(update={"tasks": ("brainstorm", "evaluate")}),
        source.model_copy(update={"tasks": ("refine",), "held_out": True}),
    )
    data = config.data.model_copy(update={"sources": sources})
    prepared = prepare(config.model_copy(update={"data": data}), rundir, report=ignore)
    refinements = [
        sum(row.task == "refine" for row in side)
        for side in (prepared.train, prepared.validation, prepared.test)
    ]

    assert refinements[:2] == [0, 0]
    assert refinements[2] > 0


def test_a_repeated_id_is_refused_and_both_places_are_named(
    rundir: RunDirectory, tiny_config: MakeConfig, tmp_path: Path, ideation_records: Path
) -> None:
    again = tmp_path / "again" / ideation_records.name
    shutil.copytree(ideation_records, again)
    sources = [
        {"kind": "ideation", "path": str(path), "licence": "CC0-1.0"}
        for path in (ideation_records, again)
    ]

    with pytest.raises(DataProblem, match="the id is already used by a row") as caught:
        prepare(tiny_config(data__sources=sources), rundir, report=ignore)

    assert caught.value.row == f"{again.name}/brainstorm-0001/1"
    assert str(again) in str(caught.value)
    assert str(ideation_records) in str(caught.value)
    assert not rundir.path.exists()


def test_one_of_two_files_with_the_same_name_can_be_held_out(
    rundir: RunDirectory, tiny_config: MakeConfig, tmp_path: Path
) -> None:
    sources: list[dict[str, object]] = []
    for folder, noun in (("a", "tree"), ("b", "bird")):
        path = tmp_path / folder / "train.jsonl"
        path.parent.mkdir()
        records = [
            {"instruction": f"Describe {noun} {n}.", "output": f"It is the {noun} of day {n}."}
            for n in range(40)
        ]
        path.write_text("".join(f"{json.dumps(one)}\n" for one in records), encoding="utf-8")
        sources.append({"kind": "alpaca", "path": str(path), "licence": "MIT"})
    sources[1]["held_out"] = True

    prepared = prepare(tiny_config(data__sources=sources), rundir, report=ignore)

    assert len(prepared.train) > 10
    assert not any(row.id.startswith("b/") for row in (*prepared.train, *prepared.validation))
    assert sum(row.id.startswith("b/") for row in prepared.test) == 40


def test_non_commercial_rows_are_not_prepared_for_a_catalog(
    rundir: RunDirectory, tiny_config: MakeConfig, tmp_path: Path, ideation_records: Path
) -> None:
    records = tmp_path / "mine"
    shutil.copytree(ideation_records, records)
    path = records / "refine.jsonl"
    lines = path.read_text(encoding="utf-8").replace("{", '{"licence": "CC-BY-NC-4.0", ', 1)
    path.write_text(lines, encoding="utf-8")
    sources = [{"kind": "ideation", "path": str(records), "licence": "CC0-1.0"}]
    config = tiny_config(data__sources=sources)

    prepare(config, RunDirectory(tmp_path / "not-shipped"), report=ignore)
    export = config.export.model_copy(update={"catalog": tmp_path / "catalog.toml"})
    with pytest.raises(DataProblem, match=r"1 rows of mine/refine.jsonl \(CC-BY-NC-4.0\)"):
        prepare(config.model_copy(update={"export": export}), rundir, report=ignore)


def test_limits_that_leave_no_rows_of_a_source_are_a_problem(
    rundir: RunDirectory, tiny_config: MakeConfig, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("first.jsonl", "last.jsonl")]
    for path in paths:
        rows = [{"instruction": f"{path.stem} {n}?", "output": f"Tree {n}."} for n in range(40)]
        path.write_text("".join(f"{json.dumps(one)}\n" for one in rows), encoding="utf-8")
    sources = [{"kind": "alpaca", "path": str(path), "licence": "MIT"} for path in paths]
    few = tiny_config(data__sources=sources, data__train_rows=8)
    kept_out = [sources[0], sources[1] | {"held_out": True}]

    with pytest.raises(DataProblem, match=r"none of the \d+ rows of .*last\.jsonl \(general\)"):
        prepare(few, rundir, report=ignore)
    prepare(tiny_config(data__sources=kept_out, data__train_rows=8), rundir, report=ignore)


def test_duplicates_are_removed_before_the_split(
    rundir: RunDirectory, tiny_config: MakeConfig, tmp_path: Path, ideation_records: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ideation_records, copy)
    sources = [
        {"kind": "ideation", "path": str(path), "licence": "CC0-1.0"}
        for path in (ideation_records, copy)
    ]
    config = tiny_config(data__sources=sources)

    prepared = prepare(config, rundir, report=ignore)

    rows = [*prepared.train, *prepared.validation, *prepared.test]
    assert len({row.answer for row in rows}) == len(rows)


def test_near_duplicates_are_removed_before_the_split(
    tmp_path: Path, tiny_config: MakeConfig
) -> None:
    path = tmp_path / "rows.jsonl"
    answers = [" ".join(f"tree {n} leaf {leaf}" for leaf in range(20)) for n in range(30)]
    rows = [
        *({"instruction": f"Describe tree {n}.", "output": one} for n, one in enumerate(answers)),
        *(
            {"instruction": f"What of tree {n}?", "output": f"{one} falls"}
            for n, one in enumerate(answers)
        ),
    ]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows), encoding="utf-8")
    sides, dirs = {}, {}
    for near in (0, 0.8):
        dirs[near] = RunDirectory(tmp_path / f"near-{near}")
        config = tiny_config(
            data__sources=[{"kind": "alpaca", "path": str(path), "licence": "MIT"}],
            data__duplicates={"near": near},
        )
        prepared = prepare(config, dirs[near], report=ignore)
        sides[near] = [prepared.train, prepared.validation, prepared.test]

    summary = json.loads((dirs[0.8].data / "report.json").read_text())
    text = (dirs[0.8].data / "report.md").read_text()
    dropped = summary["dropped"][NEARLY_SAME]
    learnt, _, tested = ({tree_of(row) for row in side} for side in sides[0])
    kept = [row for side in sides[0.8] for row in side]
    assert learnt & tested
    assert sorted(map(tree_of, kept)) == list(range(30))
    assert not any(row.answer.endswith("falls") for row in kept)
    assert dropped["rows"] == 30
    assert f"- 30 rows: {NEARLY_SAME}." in text
    assert all(f"`{one['id']}` ({one['detail']})" in text for one in dropped["examples"])


def tree_of(row: Row) -> int:
    """The number of the tree in the row's answer."""
    return int(row.answer.split()[1])


def test_the_base_chooses_the_plainest_rows(rundir: RunDirectory, tiny_config: MakeConfig) -> None:
    config = tiny_config(data__filters={"plainest_share": 0.5}, data__validation_share=0)

    with pytest.raises(DataProblem, match="need the base model"):
        prepare(config, rundir, report=ignore)
    prepared = prepare(
        config,
        rundir,
        report=ignore,
        likelihood=lambda rows: [RowLikelihood(float(len(row.answer)), 0.5) for row in rows],
    )

    whole = prepare(tiny_config(data__validation_share=0), rundir, report=ignore)
    assert len(prepared.train) < 0.7 * len(whole.train)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data__filters": {"min_answer_words": 9999}}, "No rows are left for train"),
        ({"data__test_share": 0.000001}, "No rows are left for test"),
    ],
)
def test_an_empty_result_is_a_problem(
    rundir: RunDirectory, tiny_config: MakeConfig, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(DataProblem, match=problem):
        prepare(tiny_config(**changes), rundir, report=ignore)
    assert not rundir.path.exists()


class TestRunDir:
    def test_a_manifest_comes_back_as_it_was_written(self, rundir: RunDirectory) -> None:
        manifest = Manifest(
            "tiny", "running", now(), data_sha256={"train": "0"}, command=("train",)
        )
        rundir.create()

        assert rundir.read_manifest() is None
        rundir.write_manifest(manifest)
        assert rundir.read_manifest() == manifest
        assert [path.name for path in rundir.path.iterdir()] == ["manifest.json"]

    def test_an_unreadable_file_is_named(self, rundir: RunDirectory) -> None:
        rundir.write_text(rundir.manifest, "{}")

        with pytest.raises(Exception, match=r"manifest\.json is not a valid manifest"):
            rundir.read_manifest()
        with pytest.raises(Exception, match=r"Cannot read .*result\.json"):
            rundir.read_json(rundir.result)
        rundir.write_text(rundir.result, "{")
        with pytest.raises(Exception, match=r"result\.json is not JSON"):
            rundir.read_json(rundir.result)
