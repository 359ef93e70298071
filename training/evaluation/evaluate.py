"""Compares the base and the tuned model as they are served, and writes the result.

The baseline is the untuned base with the service's own prompts and grammars.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from random import Random
from typing import Any

from training.config import RunConfig, dump_config
from training.errors import Report, TrainingError
from training.evaluation import blind
from training.evaluation.comparison import Comparison, compare, idea_pairs, pairs_of_notes
from training.evaluation.embedder import Embed, open_embedder
from training.evaluation.evaluation_text import as_markdown
from training.evaluation.judge import Judgement, Pair, judge, summarise
from training.evaluation.prompt_sets import PromptSets, read_sets
from training.evaluation.system import SystemResult, measure
from training.inference.endpoint import open_endpoint
from training.inference.served import Kept, Source, files_of
from training.runs.run_directory import RunDirectory, now

SAMPLES = 12
"""The number of sample pairs of each kind."""
KEPT = "kept.jsonl"
"""Answers of an unfinished evaluation; the next one reuses them."""
TASKS = {
    "refinements": "Rewrite this note without losing what it says.",
    "assessments": "Tell this note's author its strengths, its weak points and a next step.",
}
"""The tasks as a judge reads them, before the note."""
Pairs = Mapping[str, Sequence[Pair]]
"""The answers of both models in pairs, by kind."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`judgements` is by kind of answer; `not_measured` lists what is missing, with the reason."""

    name: str
    finished_at: str
    base: dict[str, str]
    tuned: dict[str, str]
    ideas_per_prompt: int
    max_tokens_per_idea: int
    seeds: tuple[int, ...]
    comparison: Comparison
    judgements: dict[str, Judgement]
    samples: tuple[Pair, ...]
    not_measured: tuple[str, ...]


def evaluate(
    config: RunConfig,
    rundir: RunDirectory,
    *,
    base: Source,
    tuned: Source,
    report: Report,
    embed: Embed | None = None,
) -> Evaluation:
    """Writes evaluation.json, evaluation.md and the pages to judge blind to the run's directory.

    Raises `TrainingError` if a file or the test rows are missing, and the `ServiceError`s of the
    engine.
    """
    for path in (*files_of(base), *files_of(tuned)):
        if not path.is_file():
            raise TrainingError(
                f"{path} does not exist. Export the run first, or name another file."
            )
    sets = read_sets(config, rundir)
    report(
        f"{len(sets.prompts)} prompts, {len(sets.rows)} held-out rows, {len(sets.notes)} notes to "
        f"refine, {len(sets.labelled)} labelled notes"
    )
    embed = embed or open_embedder()
    answers = rundir.evaluation / KEPT
    kept = Kept(answers)
    results = {
        side: measure(source, sets, config, embed, kept=kept, report=_prefixed(side, report))
        for side, source in (("base", base), ("tuned", tuned))
    }
    pairs = _pairs(sets, results)
    evaluation = Evaluation(
        name=config.name,
        finished_at=now(),
        base=_file(results["base"]),
        tuned=_file(results["tuned"]),
        ideas_per_prompt=config.evaluation.ideas_per_prompt,
        max_tokens_per_idea=config.evaluation.max_tokens_per_idea,
        seeds=config.evaluation.seeds,
        comparison=compare(results["base"], results["tuned"]),
        judgements=_judgements(config, pairs, report),
        samples=tuple(
            one
            for kind in pairs.values()
            for one in Random(config.seed).sample(kind, min(SAMPLES, len(kind)))
        ),
        not_measured=tuple(_missing(config, sets)),
    )
    rundir.write_text(rundir.evaluated_with, dump_config(config))
    _write_answers(rundir, results)
    _write_pages(config, rundir, pairs)
    rundir.write_json(rundir.evaluation_json, plain(evaluation))
    rundir.write_text(rundir.evaluation_md, as_markdown(plain(evaluation)))
    answers.unlink(missing_ok=True)
    report(f"See {rundir.evaluation_md}")
    return evaluation


def plain(value: Any) -> Any:
    """The value as JSON types, with null for NaN and infinity."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _prefixed(side: str, report: Report) -> Report:
    return lambda line: report(f"{side}: {line}")


def _pairs(sets: PromptSets, results: Mapping[str, SystemResult]) -> Pairs:
    base, tuned = results["base"], results["tuned"]
    rewritten = [
        (note.id, f"{note.title}: {note.body} (wish: {note.instruction or 'none'})")
        for note in sets.notes
    ]
    assessed = [(note.id, f"{note.title}: {note.body}") for note in sets.labelled]
    return {
        "ideas": idea_pairs(base, tuned),
        "refinements": pairs_of_notes(rewritten, base.refined, tuned.refined),
        "assessments": pairs_of_notes(assessed, base.assessments, tuned.assessments),
    }


def _judgements(config: RunConfig, pairs: Pairs, report: Report) -> dict[str, Judgement]:
    url, model = config.evaluation.judge_url, config.evaluation.judge_model
    if url is None or model is None:
        return {}
    asked = {
        kind: [replace(one, request=f"{TASKS.get(kind, '')} {one.request}".strip()) for one in some]
        for kind, some in pairs.items()
        if some
    }
    with open_endpoint(url, model) as endpoint:
        return {
            kind: summarise(model, judge(endpoint, some, report=report))
            for kind, some in asked.items()
        }


def _missing(config: RunConfig, sets: PromptSets) -> list[str]:
    reasons = {
        "a judge's opinion: the config has no `evaluation.judge_url`": (
            config.evaluation.judge_url is None
        ),
        "ideas: no training row is a brainstorm": not sets.prompts,
        "other prompts: the config has no `evaluation.prompts`": (
            bool(sets.prompts) and config.evaluation.prompts is None
        ),
        "refinements: no test row is a refinement": not sets.notes,
        "scores: no test row has labels": not sets.labelled,
    }
    return [reason for reason, is_missing in reasons.items() if is_missing]


def _file(result: SystemResult) -> dict[str, str]:
    return {"file": result.file, "sha256": result.sha256}


def _write_answers(rundir: RunDirectory, results: dict[str, SystemResult]) -> None:
    for side, result in results.items():
        rundir.write_json(
            rundir.evaluation / f"answers-{side}.json",
            {
                "ideas": plain(result.ideas),
                "refinements": plain(result.refined),
                "assessments": plain(result.assessments),
            },
        )


def _write_pages(config: RunConfig, rundir: RunDirectory, pairs: Pairs) -> None:
    folder = rundir.evaluation
    for kind, some in pairs.items():
        if some:
            page, key = blind.draw(some, kind=kind, seed=config.seed)
            rundir.write_text(folder / blind.PAGE.format(kind=kind), page)
            rundir.write_json(folder / blind.KEY.format(kind=kind), blind.key_as_json(key))
