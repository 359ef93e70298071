"""Draws `results.json` of a folder: `python -m benchmarks.charts FOLDER`.

Run by the interpreter of `.venv-bench`, which has matplotlib and none of our dependencies.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.ticker import LogLocator

from benchmarks.results import (
    COMPILED,
    DEFAULTS,
    OURS,
    PACKAGED,
    PYTHON,
    Report,
    middle,
    read,
)

INK, FAINT, PAPER = "#1f2430", "#d8dbe2", "#ffffff"
# Told apart by people who see colours differently, and by their markers.
LOOKS = {
    OURS: ("#0b6e4f", "o", 2.6),
    COMPILED: ("#c8553d", "s", 1.6),
    PACKAGED: ("#e39b2d", "^", 1.6),
    DEFAULTS: ("#8a6fb0", "D", 1.6),
    PYTHON: ("#7a8190", "v", 1.6),
}
Figure = Callable[[str, int], float | None]


def draw(report: Report, folder: Path) -> None:
    def rate(server: str, clients: int) -> float | None:
        return report.median(server, clients, lambda one: one.rate)

    def first(share: float) -> Figure:
        def seconds(server: str, clients: int) -> float | None:
            found = report.first_token(server, clients, share)
            # A figure that is only known to be longer would be drawn too low.
            return None if found is None or found[1] else found[0]

        return seconds

    def gap(server: str, clients: int) -> float | None:
        seconds = report.median(server, clients, lambda one: one.gap_p95)
        return None if seconds is None else seconds * 1000

    with _look():
        axes = _axes("Tokens a second over all streams")
        _lines(axes, report, rate)
        _ceiling(axes, report)
        axes.set_ylim(bottom=0)
        _save(axes, folder / "throughput.png")
        for share in (0.5, 0.95):
            axes = _axes(f"Seconds to the first token, p{share * 100:.0f}")
            _lines(axes, report, first(share))
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
            _save(axes, folder / f"first-token-p{share * 100:.0f}.png")
        axes = _axes("Milliseconds between tokens, p95")
        _lines(axes, report, gap)
        axes.set_ylim(bottom=0)
        _save(axes, folder / "between-tokens-p95.png")


def _look() -> Any:
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    return plt.rc_context(
        {
            "figure.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlepad": 14,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": FAINT,
            "font.size": 11,
            "legend.frameon": False,
        }
    )


def _axes(title: str) -> Any:
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(8, 4.5), dpi=110)
    axes.set_title(title)
    axes.set_xlabel("clients")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    return axes


def _lines(axes: Any, report: Report, figure: Figure) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(report.levels, [str(clients) for clients in report.levels])
    for server in [name for name in LOOKS if name in report.servers]:
        colour, marker, width = LOOKS[server]
        known = [(n, value) for n in report.levels if (value := figure(server, n)) is not None]
        axes.plot(
            [clients for clients, _ in known],
            [value for _, value in known],
            color=colour,
            marker=marker,
            linewidth=width,
            label=server,
            zorder=3 if server == OURS else 2,
        )


def _ceiling(axes: Any, report: Report) -> None:
    counts = sorted({one.sequences for one in report.ceilings})
    rates = [middle([one.rate for one in report.ceilings if one.sequences == n]) for n in counts]
    if counts:
        axes.plot(counts, rates, "_", color=INK, markersize=18, label="bare decode loop", zorder=4)


def _save(axes: Any, path: Path) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    axes.figure.savefig(path, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    draw(read(folder / "results.json").under("new"), folder)


if __name__ == "__main__":
    main()
