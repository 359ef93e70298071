"""Eight ideas side by side or as one list: `python -m benchmarks.bench_ideation --model small`.

The same file and topics for all: our brainstorm with its branches side by side, the same one call
after another, one numbered list asked of llama-server, and that list asked of our own engine. A
list that comes short of eight valid and distinct ideas is asked for the missing ones; one judge
decides for all what counts. Prints every idea, so that it can be read what the times are the times
of. Needs the servers that `make bench` installs.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.idea_ways import N, Outcome, Ways
from benchmarks.peers import Setup, running, tuned
from benchmarks.results import COMPILED
from service.backend import sources
from service.cli.progress import ProgressLine
from service.engine.catalog import CatalogModel, Selection, read_catalog
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.files.build import fetch_and_build
from service.engine.host import usable_cpus
from service.engine.types import REQUIRED_ROLES
from service.settings import PROJECT_ROOT, Settings

TOPICS = (
    "helping children eat more vegetables",
    "more customers for a small bicycle repair shop",
    "sleep better during exam weeks",
    "a quieter open-plan office",
    "less food thrown away in a school canteen",
    "welcoming new colleagues who start from afar",
    "rainy afternoons at a camp site",
    "lending tools among the twelve flats of our house",
    "saving water in a sports hall",
    "a street party that neighbours of all ages come to",
)
MODELS_DIR = PROJECT_ROOT / "data" / "models"


def _show(outcome: Outcome) -> None:
    print(
        f"\n{outcome.topic} · {outcome.way}: {len(outcome.ideas)} of {N} in {outcome.took_s:.1f} s, "
        f"{outcome.dropped} dropped, others used {outcome.foreign_cpu:.0%} of the machine",
        flush=True,
    )
    for idea in outcome.ideas:
        print(f"   {idea.title}: {idea.text}")


FIGURES: dict[str, Callable[[Outcome], float]] = {
    "all eight, s": lambda one: one.seconds,
    "ideas/s": lambda one: one.rate,
    "usable": lambda one: one.usable,
    "tokens": lambda one: one.tokens,
    "resemblance": lambda one: one.resemblance,
    "cosine": lambda one: one.cosine,
    "first words": lambda one: one.first_words,
    "other load": lambda one: one.foreign_cpu,
}


def _summary(outcomes: Sequence[Outcome]) -> str:
    """Medians over the topics, and how much sooner ours is with all eight."""
    ways = list(dict.fromkeys(one.way for one in outcomes))
    lines = [f"{'median over the topics':40}" + "".join(f"{name:>14}" for name in FIGURES)]
    for way in ways:
        mine = [one for one in outcomes if one.way == way]
        medians = [statistics.median(map(figure, mine)) for figure in FIGURES.values()]
        lines.append(f"{way:40}" + "".join(f"{value:14.2f}" for value in medians))
    seconds = {(one.topic, one.way): one.seconds for one in outcomes}
    topics = list(dict.fromkeys(one.topic for one in outcomes))
    for way in ways[1:]:
        ratios = [seconds[topic, way] / seconds[topic, ways[0]] for topic in topics]
        lines.append(
            f"{ways[0]} is {statistics.median(ratios):.2f} times as soon as {way} "
            f"({', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )
    return "\n".join(lines)


async def _run(options: argparse.Namespace, model: CatalogModel, url: str) -> list[Outcome]:
    backend = EmbeddedBackend(
        Selection(None, (model,), dict.fromkeys(model.roles, model)), models_dir=MODELS_DIR
    )
    await backend.start()
    outcomes = []
    async with Ways(backend, url) as ways:
        chosen = [name for name in ways.all if any(part in name for part in options.ways)]
        for number, topic in enumerate(TOPICS[: options.topics]):
            turn = number % len(chosen)
            for name in chosen[turn:] + chosen[:turn]:
                outcomes.append(await ways.measure(name, topic, options.seed))
                _show(outcomes[-1])
    return sorted(outcomes, key=lambda one: chosen.index(one.way))


def _model(name: str) -> CatalogModel:
    """As it is served, from the file that is served, without an adapter, which the peer lacks."""
    model = read_catalog(PROJECT_ROOT / "models" / "catalog.toml").select(name).models[0]
    with contextlib.closing(ProgressLine(sys.stderr)) as line:
        path = fetch_and_build(model, MODELS_DIR, sources(Settings()), line.show)
    return replace(
        model,
        roles=REQUIRED_ROLES,
        path=path,
        hub=None,
        wheels=None,
        sha256=None,
        quantise=None,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="small", help="a set of the catalog (small)")
    parser.add_argument("--topics", type=int, default=len(TOPICS), help="how many of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--ways", type=lambda text: text.split(","), default=[""], help="those with these words"
    )
    parser.add_argument("--output", type=Path, help="a JSON file of everything")
    return parser.parse_args()


def main() -> None:
    options = _options()
    model = _model(options.model)
    assert model.path is not None
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(model.path, usable_cpus(), 1, model.context, model.cache, Path(folder))
        # With one slot it does not matter how slots share the cache.
        peer = next(iter(tuned(COMPILED).values()))
        with running(peer, setup) as server:
            outcomes = asyncio.run(_run(options, model, server.url))
    print(f"\n{model.path.name}, {usable_cpus()} CPUs\n{_summary(outcomes)}")
    if options.output is not None:
        options.output.write_text(json.dumps([one.as_json() for one in outcomes], indent=1) + "\n")


if __name__ == "__main__":
    main()
