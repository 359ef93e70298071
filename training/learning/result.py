"""The result of a run, as it is stored in result.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from training.data.graded import best_places
from training.learning.likelihood import RowNll, total
from training.learning.preference import Preferred, preferred
from training.learning.tokens import Tokens
from training.learning.trainer import Fitted, Job
from training.runs.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class TooLong:
    """Rows longer than `data.max_tokens`: with their answer `cut`, or `left_out` without any of it."""

    cut: int
    left_out: int


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The figures of the best step, and of the base without the adapter.

    NLL is in nats per token of the answers. `rows` and `too_long` are by split. `tasks` has the same
    figures for each task of the test rows. `tokens` is counted as in `StepMetrics`. Of graded drafts,
    the likelihoods count only the best of each prompt, and `preferred` counts all.
    """

    name: str
    steps: int
    best_step: int
    rows: Mapping[str, int]
    test_nll: float | None
    test_bits_per_byte: float | None
    base_test_nll: float | None
    base_test_bits_per_byte: float | None
    validation_nll: float | None
    validation_bits_per_byte: float | None
    tokens: int
    seconds: float
    tokens_per_s: float
    peak_memory_mb: int
    adapter_bytes: int
    tasks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    preferred: Preferred | None = None
    too_long: Mapping[str, TooLong] = field(default_factory=dict)


_RESULT = TypeAdapter(TrainResult)


def read_result(rundir: RunDirectory) -> TrainResult:
    """Raises `TrainingError` if there is none."""
    return _RESULT.validate_python(rundir.read_json(rundir.result))


def result_of(
    job: Job, fitted: Fitted, base_test: Sequence[RowNll], too_long: Mapping[str, TooLong]
) -> TrainResult:
    last, splits = fitted.measured[-1], job.splits
    best = best_places([row.prompt for row in splits.test], [row.grade for row in splits.test])
    rows = [splits.test[place] for place in best]
    tuned_rows, base_rows = ([own[place] for place in best] for own in (fitted.test, base_test))
    tuned, untuned = total(tuned_rows), total(base_rows)
    has_test, tokens, seconds = bool(fitted.test), last.tokens or 0, last.seconds or 0.0
    return TrainResult(
        name=job.config.name,
        steps=fitted.steps,
        best_step=fitted.best_step,
        rows={name: len(getattr(splits, name)) for name in ("train", "validation", "test")},
        test_nll=tuned.nll_per_token if has_test else None,
        test_bits_per_byte=tuned.bits_per_byte if has_test else None,
        base_test_nll=untuned.nll_per_token if has_test else None,
        base_test_bits_per_byte=untuned.bits_per_byte if has_test else None,
        validation_nll=fitted.validation_nll,
        validation_bits_per_byte=next(
            (
                one.validation_bits_per_byte
                for one in fitted.measured
                if one.step == fitted.best_step and one.validation_bits_per_byte is not None
            ),
            None,
        ),
        tokens=tokens,
        seconds=seconds,
        tokens_per_s=round(tokens / max(1e-6, seconds), 1),
        peak_memory_mb=max(one.peak_memory_mb or 0 for one in fitted.measured),
        adapter_bytes=sum(path.stat().st_size for path in job.rundir.adapter.glob("*.safetensors")),
        tasks=_by_task(rows, tuned_rows, base_rows),
        preferred=preferred(splits.test, fitted.test, base_test),
        too_long=too_long,
    )


def in_words(result: TrainResult) -> str:
    if result.test_nll is None or result.base_test_nll is None:
        return f"{result.name}: finished after {result.steps} steps, without test rows"
    change = 100 * (result.test_nll / result.base_test_nll - 1)
    text = (
        f"{result.name}: test NLL {result.test_nll:.4f}, base {result.base_test_nll:.4f} "
        f"({change:+.1f} %), best step {result.best_step} of {result.steps}"
    )
    if result.preferred is None:
        return text
    return f"{text}, {100 * result.preferred.right:.0f} % of {result.preferred.pairs} pairs right"


def _by_task(
    rows: Sequence[Tokens], tuned: Sequence[RowNll], untuned: Sequence[RowNll]
) -> dict[str, dict[str, float]]:
    found = {}
    for task in dict.fromkeys(row.task for row in rows):
        chosen = [index for index, row in enumerate(rows) if row.task == task]
        after, before = (total([nlls[i] for i in chosen]) for nlls in (tuned, untuned))
        found[task] = {
            "rows": after.rows,
            "nll": after.nll_per_token,
            "bits_per_byte": after.bits_per_byte,
            "base_nll": before.nll_per_token,
            "base_bits_per_byte": before.bits_per_byte,
        }
    return found
