"""Plots of the loss of one run, or of the trials of a sweep."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.learning.metrics import StepMetrics

NLL = "NLL per token of the answers"


def draw_curves(path: Path, runs: Mapping[str, Sequence[StepMetrics]], *, loss: str = NLL) -> None:
    """Plots the validation losses as lines with dots; for a single run, the training loss as well."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, measured in runs.items():
        if len(runs) == 1:
            points = [(one.step, one.loss) for one in measured if one.loss is not None]
            axes.plot(*_columns(points), color="0.75", label="training, mean since the last point")
        points = [(m.step, m.validation_nll) for m in measured if m.validation_nll is not None]
        label = "validation" if len(runs) == 1 else name
        if points:
            axes.plot(*_columns(points), marker="o", markersize=3, linewidth=1, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel(loss)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
