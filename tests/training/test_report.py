import json
import tomllib
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.training.measured import GOOD, evaluation, system
from training.errors import TrainingError
from training.evaluation.blind import draw, key_as_json
from training.evaluation.comparison import idea_pairs
from training.evaluation.evaluate import plain
from training.export.parity import FileParity, Parity
from training.report import report
from training.report.training_sections import SEED
from training.runs.run_directory import Manifest, RunDirectory, Status, now

RESULT: dict[str, Any] = {
    "rows": {"train": 120},
    "base_test_nll": 4.0,
    "test_nll": 3.5,
    "test_bits_per_byte": 1.25,
    "validation_nll": 3.6,
    "tokens_per_s": 812.4,
    "peak_memory_mb": 900,
    "seconds": 61.0,
}
CONFIG = """
[base]
model = "smollm2-135m"
[data]
sources = [{ kind = "ideation", path = "/somewhere/of/mine/plain" }]
"""
HELD_OUT = ', held_out = true }, { kind = "dolly", hub = "dolly", held_out = true }]'
WITH_DOLLY = CONFIG.replace(" }]", HELD_OUT)


ADAPTER = b"an adapter"
CATALOG = f"""
default = "tiny"

[[model]]
name = "smollm2-135m"
set = "tiny"
roles = ["brainstorm", "general"]
path = "base.gguf"
sha256 = "{"ab" * 32}"
score_head = {{ path = "head.npz" }}

[[model]]
name = "refiner"
set = "tiny"
roles = ["refine"]
path = "base.gguf"
adapter = {{ path = "refine.gguf", sha256 = "{sha256(ADAPTER).hexdigest()}", use = "shared" }}
"""


class Runs:
    """A folder of runs and its report."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.models = folder / "runs", folder / "models"
        self.configs = folder / "configs"
        for one in (self.folder, self.models, self.configs):
            one.mkdir()
        self.output = folder / "out" / "REPORT.md"

    def serve(self, text: str) -> None:
        (self.models / "catalog.toml").write_text(text)

    def configure(self, name: str, text: str) -> None:
        path = self.configs / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def add(self, name: str, status: Status = "finished", **result: Any) -> RunDirectory:
        rundir = RunDirectory(self.folder / name)
        rundir.create()
        rundir.write_manifest(Manifest(name.rpartition("/")[2], status, now()))
        rundir.write_text(rundir.config, CONFIG)
        if status == "finished":
            rundir.write_json(rundir.result, RESULT | result)
        return rundir

    def evaluate(self, rundir: RunDirectory, *missing: str, **compared: Any) -> None:
        """`compared` replaces parts of the comparison."""
        base, tuned = system("", GOOD), system(GOOD, GOOD, nll=25.0)
        found = evaluation(base, tuned, *missing)
        samples = tuple(replace(one, tuned="A drawn sample") for one in found.samples)
        values = plain(replace(found, samples=samples))
        values["comparison"] |= compared
        rundir.write_json(rundir.evaluation_json, values)

    def text(self) -> str:
        written = report(self.folder, self.output, models=self.models, configs=self.configs)
        return written.read_text()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def change(value: float) -> dict[str, Any]:
    one = {"rows": 51, "nll_per_token": 2.0, "bits_per_byte": 1.0}
    return {"base": one, "tuned": one, "change": {"value": value, "low": value, "high": value}}


def spread(mean: float) -> dict[str, float]:
    return {"mean": mean, "deviation": 0.0012}


def test_a_report_without_runs_says_what_is_missing(runs: Runs) -> None:
    runs.configure("seed-baseline", "")
    runs.configure("experiments/small-rates", "")

    text = runs.text()

    for said in (
        "No run was made outside a sweep.",
        "No sweep was run.",
        "No run was evaluated.",
        "No score head was trained.",
        "The config `seed-baseline` was not run.",
        "The config `small-rates` was not run.",
    ):
        assert said in text
    assert (
        "| baseline: rate 2e-4, r 16 | Llama-3.2-1B-Instruct | 0.8358 | 0.8190 | not run |" in text
    )


def test_served_models_are_listed_by_set_and_role_with_the_run_of_their_adapter(
    runs: Runs,
) -> None:
    runs.serve(CATALOG)
    rundir = runs.add("starter")
    rundir.export.mkdir()
    (rundir.export / "starter-adapter.gguf").write_bytes(ADAPTER)
    file = FileParity("base.gguf with starter-adapter.gguf", "adapter", 2.0012, 0.0006)
    rundir.write_json(rundir.parity, asdict(Parity(9, 2.0, (file,), 200, 0.995)))

    text = runs.text()

    base = "smollm2-135m | `abababababab` | none |  |  |  | head.npz |"
    hashed = sha256(ADAPTER).hexdigest()[:12]
    assert f"| tiny (default) | brainstorm | {base}" in text
    assert f"| tiny (default) | general | {base}" in text
    assert (
        f"| tiny (default) | refine | refiner | – | refine.gguf, shared | `{hashed}` | starter | +0.06 % | none |"
    ) in text


def test_an_adapter_without_a_run_directory_is_marked(runs: Runs) -> None:
    runs.serve(CATALOG)

    assert "| not recorded | – | none |" in runs.text()


def test_every_run_and_sweep_has_its_verdict(runs: Runs) -> None:
    verdict = '[report]\nverdict = "{}"\n'
    for name in ("old", "other", "silent"):
        runs.add(name)
    own = RunDirectory(runs.folder / "other")
    own.write_text(own.config, CONFIG + verdict.format("Not known yet."))
    runs.configure("old", verdict.format("Not shipped, as\\nnobody asked."))
    runs.configure("experiments/rates", verdict.format("A higher rate."))
    runs.add("rates/rates-00-seed-0")

    text = runs.text()

    for line in (
        "- `old`: Not shipped, as nobody asked.",
        "- `other`: Not known yet.",
        "- `rates`: A higher rate.",
        "- `silent`: Its config has no `report.verdict`.",
    ):
        assert f"\n{line}\n" in text


def test_the_verdict_of_the_current_config_wins(runs: Runs) -> None:
    rundir = runs.add("starter")
    rundir.write_text(rundir.config, CONFIG + '[report]\nverdict = "Not known yet."\n')
    runs.configure("starter", '[report]\nverdict = "Shipped."\n')

    text = runs.text()

    assert "- `starter`: Shipped." in text
    assert "Not known yet." not in text


def test_a_config_that_is_not_toml_is_named(runs: Runs) -> None:
    runs.add("starter")
    runs.configure("starter", "verdict")

    with pytest.raises(TrainingError, match=r"starter\.toml is not TOML"):
        runs.text()


def test_a_refused_export_is_listed_even_after_a_later_one(
    runs: Runs,
) -> None:
    good = FileParity("starter-f16.gguf", "f16", 2.009, 0.0045)
    bad = FileParity("starter-q4_k_m.gguf", "q4_k_m", 2.247, 0.1235)
    whole = Parity(9, 2.0, (good,), 200, 0.995)
    for name, parity in (
        ("refused", replace(whole, files=(good, bad))),
        ("since", replace(whole, refused=(bad,))),
        ("well", whole),
    ):
        rundir = runs.add(name)
        rundir.write_json(rundir.parity, asdict(parity))

    text = runs.text()

    for name in ("refused", "since"):
        assert (
            f"- An export of `{name}` was refused: starter-q4_k_m.gguf has an NLL of 2.2470, +12.35% "
            "(the limit is 3%).\n"
        ) in text
    assert "An export of `well`" not in text


def test_a_run_is_listed_with_its_figures_and_its_change_against_the_base(runs: Runs) -> None:
    runs.add("starter")

    assert (
        "| starter | finished | smollm2-135m | 120 | 4.0000 | 3.5000 | -12.5 % | 1.2500 | 812 | 900 "
        "| 61 |"
    ) in runs.text()


def test_a_repeated_seed_run_is_compared_with_the_seed(runs: Runs) -> None:
    rundir = runs.add("seed-baseline")
    line = {"step": 250, "epoch": 0.2, "validation_nll": 3.7}
    rundir.write_text(rundir.metrics_jsonl, json.dumps(line) + "\n")

    text = runs.text()

    assert "| 0.8358 | 0.8190 | smollm2-135m | plain | 3.6000 | 3.5000 |" in text
    assert "| 250 | 0.8799 | 3.7000 |" in text
    assert "/somewhere" not in text


def test_a_sweep_is_shown_with_its_spread_and_its_plot(runs: Runs) -> None:
    runs.add("seed-learning-rates/seed-learning-rates-00-seed-0")
    sweep = RunDirectory(runs.folder / "seed-learning-rates")
    setting = {
        "rank": 1,
        "number": 0,
        "values": {"training.learning_rate": 1e-4},
        "seeds": 3,
        "validation_nll": spread(3.61),
        "test_nll": spread(3.51),
        "test_bits_per_byte": None,
        "tokens_per_s": 5000.0,
    }
    reported = {"in_words": "The best setting against its own: -5.0 %.", "seeds": 3, "rows": 9}
    reported |= {"change": -0.05, "low": -0.06, "high": -0.04}
    sweep.write_json(
        sweep.path / "sweep.json", {"name": "x", "settings": [setting], "gain": reported}
    )
    (sweep.path / "sweep.png").write_bytes(b"plot")

    text = runs.text()

    assert "1 settings on smollm2-135m with plain" in text
    assert "The best setting against its own: -5.0 %." in text
    assert "| 1 | learning_rate 0.0001 | 3 | 3.6100 ± 0.0012 | 3.5100 ± 0.0012 | – | 5000 |" in text
    assert "(plots/seed-learning-rates.png)" in text
    assert (runs.output.parent / "plots" / "seed-learning-rates.png").read_bytes() == b"plot"
    assert "| 0.8482 | – | smollm2-135m | plain | 3.6100 ± 0.0012 | 3.5100 ± 0.0012 |" in text


def test_a_stopped_sweep_is_listed_as_not_finished(runs: Runs) -> None:
    runs.add("rates/rates-00-seed-0")
    runs.add("rates/rates-01-seed-0", "pruned")

    text = runs.text()

    assert "The sweep is not finished: it has 2 runs" in text
    assert "`rates-01-seed-0` was stopped early" in text


def test_exports_of_runs_with_the_same_name_are_both_shown(runs: Runs) -> None:
    for sweep, tokens in (("rates", 201), ("ranks", 202)):
        file = FileParity("starter-f16.gguf", "f16", 2.001, 0.0005)
        rundir = runs.add(f"{sweep}/seed-0")
        rundir.write_json(rundir.parity, asdict(Parity(9, 2.0, (file,), tokens, 0.995)))

    text = runs.text()

    assert "Of 201 tokens" in text
    assert "Of 202 tokens" in text


def test_an_export_is_shown_with_its_parity(runs: Runs) -> None:
    rundir = runs.add("starter")
    file = FileParity("starter-f16.gguf", "f16", 2.009, 0.0045)
    rundir.write_json(rundir.parity, asdict(Parity(9, 2.0, (file,), 200, 0.995)))

    text = runs.text()

    assert "## As exported\n\n### starter\n" in text
    assert "| starter-f16.gguf | 2.0090 | +0.45% |" in text
    assert "99.5% are also the likeliest in transformers" in text


def test_an_evaluation_is_shown_with_samples_and_what_was_not_measured(runs: Runs) -> None:
    runs.evaluate(runs.add("starter"), "a judge's opinion: no judge")

    text = runs.text()

    assert "| valid answers, share | 0.500 | 1.000 |" in text
    assert "- tuned: A drawn sample" in text
    assert "The ideas were not judged blind." in text
    assert "`starter` was not measured for a judge's opinion: no judge." in text


def test_a_run_without_held_out_sources_says_that_forgetting_was_not_measured(runs: Runs) -> None:
    runs.evaluate(runs.add("starter"))
    kept = runs.add("careful")
    held_out = ', held_out = true }, { kind = "dolly", hub = "dolly" }]'
    kept.write_text(kept.config, CONFIG.replace(" }]", held_out))
    runs.evaluate(kept)

    text = runs.text()

    assert "`starter` was not measured for forgetting" in text
    assert "`careful` was not measured" not in text


def test_an_evaluation_without_training_is_reported(runs: Runs) -> None:
    rundir = RunDirectory(runs.folder / "retention")
    rundir.write_text(rundir.evaluated_with, WITH_DOLLY)
    runs.evaluate(rundir, likelihoods={"general": change(-0.018)})

    text = runs.text()

    assert "| retention | only evaluated |" in text
    assert "| general | 51 | 2.000 | 2.000 | 1.000 | 1.000 | -1.8 % [-1.8 %, -1.8 %] |" in text
    assert "not finished" not in text


def test_a_run_that_learnt_no_ideas_is_shown_with_refinements_only(runs: Runs) -> None:
    rundir = runs.add("starter")
    measured = evaluation(system(refined=["Forty bikes"]), system(refined=["Ask Lena"]))
    rundir.write_json(rundir.evaluation_json, plain(measured))

    text = runs.text()

    assert "| refinements: facts kept, share | 0.500 | 0.500 |" in text
    assert "**pump: 40 bikes, no pump. ask Lena**" in text
    assert "- tuned: Title: A Pump — Idea: Ask Lena" in text
    assert "The refinements were not judged blind." in text
    assert "without a grammar" not in text
    assert "The ideas" not in text


def test_an_evaluation_says_which_files_were_compared_and_how_the_adapter_was_applied(
    runs: Runs,
) -> None:
    runs.evaluate(runs.add("merged"))
    rundir = runs.add("shared")
    runs.evaluate(rundir)
    values = rundir.read_json(rundir.evaluation_json)
    both = {"file": "a.gguf with c.gguf", "sha256": f"{'0' * 64} + {'2' * 64}"}
    rundir.write_json(rundir.evaluation_json, values | {"tuned": both})

    text = runs.text()

    assert (
        "### merged on smollm2-135m\n\n"
        "`b.gguf` (one file with the adapter merged in) against `a.gguf` (one file).\n"
    ) in text
    assert (
        "### shared on smollm2-135m\n\n"
        "`a.gguf with c.gguf` (with the shared adapter, which is applied to each token) against "
        "`a.gguf` (one file).\n"
    ) in text


def test_an_evaluation_shows_how_well_its_scores_agree_with_labels(runs: Runs) -> None:
    by_criterion = {
        "spearman": {"novelty": -0.25},
        "error": {"novelty": 2.23},
        "stability": {"novelty": 0.485},
    }
    runs.evaluate(
        runs.add("starter"), agreement={"base": {"notes": 38} | by_criterion, "tuned": None}
    )
    runs.evaluate(runs.add("unscored"))

    text = runs.text()

    assert "| base | novelty | -0.250 | 2.23 | 0.485 |" in text
    scored = (
        "Scores of 38 labelled notes, read from the probabilities of digits, without a score head."
    )
    assert text.count(scored) == 1


def test_blind_answers_beside_the_pages_are_counted(runs: Runs) -> None:
    rundir = runs.add("starter")
    runs.evaluate(rundir)
    _, key = draw(idea_pairs(system(GOOD), system(GOOD)), kind="ideas", seed=0)
    folder = rundir.path / "evaluation"
    rundir.write_json(folder / "blind-ideas-key.json", key_as_json(key))
    tuned, base = ("right", "left") if key.left["1"] == "base" else ("left", "right")
    reader = {"reader": "a colleague"}
    for number, better, more in (("", tuned, {}), ("-2", base, reader)):
        opinion = {"better": better, "left": "useful", "right": "useful"}
        saved = {"page": key.page, "answers": {"1": opinion}} | more
        rundir.write_json(folder / f"blind-ideas-answers{number}.json", saved)

    text = runs.text()

    assert f"Blind readings of the 1 pairs of ideas on the page `{key.page}`." in text
    assert "| 1 | not named | 1 | 1 | 0 | 1.000 | 1.00 [0.21, 1.00] | 1.00 [0.21, 1.00] |" in text
    assert "| 2 | a colleague | 1 | 0 | 1 | 1.000 | 1.00 [0.21, 1.00] | 1.00 [0.21, 1.00] |" in text


def test_answers_to_another_page_are_refused(runs: Runs) -> None:
    rundir = runs.add("starter")
    runs.evaluate(rundir)
    folder = rundir.path / "evaluation"
    rundir.write_json(folder / "blind-ideas-key.json", {"page": "a", "left": {}})
    rundir.write_json(folder / "blind-ideas-answers.json", {"page": "b", "answers": {}})

    with pytest.raises(TrainingError, match="another page"):
        runs.text()


def test_a_score_head_is_listed_with_its_agreement(runs: Runs) -> None:
    figures = {
        "model": "small.gguf",
        "agreement": {
            "notes": 540,
            "spearman": {"novelty": 0.4, "clarity": 0.8},
            "error": {"novelty": 1.0, "clarity": 2.0},
        },
        "pairs": {"right": 53, "pairs": 60},
    }
    RunDirectory(runs.models).write_json(runs.models / "small-score-head.json", figures)
    (runs.models / "small-score-head.npz").touch()

    assert (
        "| small-score-head.npz | small.gguf | 540 | novelty 0.40, clarity 0.80 | 0.60 | 1.50 | 53 of 60 |"
    ) in runs.text()


@pytest.mark.parametrize("status", ["failed", "running"])
def test_a_run_that_did_not_finish_is_named(runs: Runs, status: Status) -> None:
    runs.add("starter", status)

    assert f"`starter` has not finished: its status is {status}." in runs.text()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is not a folder"):
        report(tmp_path / "none", tmp_path / "REPORT.md")


def test_the_seed_has_figures_for_every_step() -> None:
    seed = tomllib.loads(SEED.read_text("utf-8"))

    assert len(seed["run"]) == 5
    for run in seed["run"]:
        for split in ("training", "validation", "test"):
            values = run.get(split, [])
            assert len(values) in (0, len(seed["steps"]))
            assert values == sorted(values, reverse=True)
