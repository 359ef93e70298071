"""Ideapool beside other servers on the same file with the same threads: `make bench`.

Starts one server after the other, round after round, asks each the same with ever more clients,
and prints medians, their spread and how they stand to the targets. Whatever else runs on the
machine spoils the figures; how much did is part of the report.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Level, measure
from benchmarks.peers import PEER_BIN, Peer, Setup, always, running, tuned
from benchmarks.processes import thread_settings
from benchmarks.results import COMPILED, OURS, PACKAGED, Ceiling, Quantisation, Report
from benchmarks.summary import markdown
from benchmarks.workload import LOADS, Load
from service.backend import sources
from service.cli.progress import ProgressLine
from service.engine.catalog import CatalogModel, read_catalog
from service.engine.files.build import fetch_and_build
from service.engine.files.download import fetch
from service.engine.host import usable_cpus
from service.settings import PROJECT_ROOT, Settings

PUBLISHED = PROJECT_ROOT / "docs" / "bench"
SEQUENCES = (1, 8, 16)
LEVELS_AGAIN = (1, 4, 8, 16)


class Bench:
    """A run: what it measures with and what it has found."""

    def __init__(self, setup: Setup, options: argparse.Namespace) -> None:
        self._setup = setup
        self._options = options
        self._threads: dict[str, str] = {}
        self.failures: list[str] = []
        self.report = Report({"machine": _machine(), "setup": _describe(setup, options)})

    def run(self) -> None:
        peers = [peer for peer in self._peers() if self._is_wanted(peer)]
        for round in range(self._options.rounds):
            # Another one goes first each time: a machine gets warm, and a neighbour comes and goes.
            turn = round % len(peers)
            for peer in peers[turn:] + peers[:turn]:
                self._measure(peer, round)
            if self._is_asked(OURS) and "new" in self._options.loads:
                self._find_ceilings(round)
        if self._options.kinds:
            self._compare_kinds()

    def _is_asked(self, name: str) -> bool:
        only = self._options.only
        return not only or any(part.lower() in name.lower() for part in only)

    def _is_wanted(self, peer: Peer) -> bool:
        if not peer.is_installed:
            self._fail(
                f"{peer.name} is not installed: {peer.program} is missing (see `make bench`)"
            )
        return self._is_asked(peer.name) and peer.is_installed

    def _peers(self) -> list[Peer]:
        peers = always()
        for name in (PACKAGED, COMPILED):
            variants = tuned(name)
            if self._is_wanted(next(iter(variants.values()))):
                peers.append(self._fastest(variants))
        return peers

    def _fastest(self, variants: dict[str, Peer]) -> Peer:
        """By the geometric mean over a short try at few, some and many clients."""
        rates = {}
        counts = [one for one in self._options.levels if one in self._options.tried]
        for variant, peer in variants.items():
            with running(peer, self._setup) as server:
                samples = [
                    measure(server, self._level(clients, share=0.5), round=-1)
                    for clients in counts or self._options.levels[:1]
                ]
            rates[variant] = statistics.geometric_mean(max(0.1, one.rate) for one in samples)
            self.report.tried[f"{peer.name}, {variant}"] = rates[variant]
            print(f"tried {peer.name}, {variant}: {rates[variant]:.0f} tokens/s", flush=True)
        best = max(rates, key=lambda variant: rates[variant])
        self.report.settings[variants[best].name] = best
        return variants[best]

    def _level(self, clients: int, load: Load = "new", *, share: float = 1.0) -> Level:
        # A queue of more clients takes longer to come round, and a chat has more turns.
        seconds = share * self._options.seconds * (1 + clients / 12) * (2 if load == "chats" else 1)
        return Level(clients, seconds, self._options.max_tokens, load)

    def _loads(self) -> Iterator[tuple[Load, int]]:
        for load in self._options.loads:
            for clients in self._options.levels:
                if load == "new" or clients in LEVELS_AGAIN:
                    yield load, clients

    def _measure(self, peer: Peer, round: int) -> None:
        try:
            with running(peer, self._setup) as server:
                if peer.name == OURS:
                    self._threads = thread_settings(server.process.pid)
                for load, clients in self._loads():
                    sample = measure(server, self._level(clients, load), round=round)
                    self.report.samples.append(sample)
                    print(
                        f"round {round + 1} of {self._options.rounds}  {peer.name:36}"
                        f"{load:9}{clients:3} clients  {sample.rate:7.1f} tokens/s  first token "
                        f"{sample.first_p50[0] * 1000:.0f} ms", *sample.complaints, flush=True,
                    )  # fmt: skip
        except (RuntimeError, OSError) as error:
            self._fail(f"{peer.name}: {error}")

    def _find_ceilings(self, round: int) -> None:
        counts = [count for count in SEQUENCES if count in self._options.levels]
        options = ["--seconds", str(self._options.seconds), "--sequences", _csv(counts)]
        options += ["--max-tokens", str(self._options.max_tokens)]
        for found in self._decode("ceilings", self._setup.model, *options):
            ceiling = replace(Ceiling(**json.loads(found)), round=round)
            self.report.ceilings.append(ceiling)
            print(
                f"round {round + 1} of {self._options.rounds}  {'bare decode loop':36}"
                f"{ceiling.sequences:3}          {ceiling.rate:7.1f} tokens/s",
                flush=True,
            )

    def _compare_kinds(self) -> None:
        print("comparing quantisations", flush=True)
        for found in self._decode("kinds", self._options.base):
            raw = json.loads(found)
            raw["step_ms"] = {int(count): ms for count, ms in raw["step_ms"].items()}
            self.report.quantisations.append(Quantisation(**raw))

    def _decode(self, what: str, path: Path, *options: str) -> Iterator[str]:
        """Lines of `bench_decode`, run with the threads and the OpenMP settings our child has."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.bench_decode", what, str(path)),
                *("--threads", str(self._setup.threads), *options),
            ],
            env=os.environ | self._threads,
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout:
            yield from process.stdout
        if process.wait() != 0:
            self._fail(f"bench_decode {what} ended with status {process.returncode}")

    def _fail(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
        self.failures.append(text)


def _machine() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{usable_cpus()} CPUs ({names[0] if names else platform.machine()}), no GPU used"


def _describe(setup: Setup, options: argparse.Namespace) -> str:
    return (
        f"{setup.model.name}, {setup.threads} threads, {setup.slots} slots of {setup.context} "
        f"tokens, answers of at most {options.max_tokens} tokens, {options.rounds} rounds on "
        f"{time.strftime('%Y-%m-%d')}"
    )


def _csv(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _files(model: CatalogModel, settings: Settings) -> tuple[Path, Path]:
    """As the model comes, and as it is served; fetched and built where that is still to be done."""
    line = ProgressLine(sys.stderr)
    with contextlib.closing(line):
        folder, where = settings.models_dir.absolute(), sources(settings)
        base = fetch(model, folder, where, line.show)
        return base, fetch_and_build(model, folder, where, line.show)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--model", default="small", help="a set of the catalog (small)")
    parser.add_argument(
        "--loads", type=_words, default=LOADS, help=f"what is asked ({','.join(LOADS)})"
    )
    parser.add_argument("--levels", type=_numbers, help="numbers of clients (1,2,4,8,16,32)")
    parser.add_argument("--rounds", type=int, help="how often all servers take their turn (5)")
    parser.add_argument("--seconds", type=float, help="for one client; more clients take longer")
    parser.add_argument("--slots", type=int, default=32, help="of the tuned servers and ours (32)")
    parser.add_argument("--context", type=int, default=1024, help="tokens of a slot (1024)")
    parser.add_argument("--max-tokens", type=int, default=64, help="of an answer (64)")
    parser.add_argument(
        "--only", type=_words, default=(), help="those whose names have one of these words"
    )
    parser.add_argument("--quick", action="store_true", help="one round with 1 and 8 clients")
    parser.add_argument("--output", type=Path, help="folder for results.json, table and charts")
    parser.add_argument("--publish", action="store_true", help="the same into docs/bench")
    options = parser.parse_args()
    # A larger model needs longer for the same number of answers.
    seconds = 3.0 if options.model == "small" else 20.0
    options.levels = options.levels or ([1, 8] if options.quick else [1, 2, 4, 8, 16, 32])
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or seconds
    options.tried = [8] if options.quick else [1, 8, 32]
    options.kinds = not options.quick and not options.only
    options.output = PUBLISHED if options.publish else options.output
    return options


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _write(report: Report, text: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report.write(folder / "results.json")
    (folder / "results.md").write_text(text)
    charts = [str(PEER_BIN / "python"), "-m", "benchmarks.charts", str(folder)]
    subprocess.run(charts, cwd=PROJECT_ROOT, check=True)
    print(f"Written to {folder}")


def main() -> int:
    options = _options()
    settings = Settings()
    model = read_catalog(settings.catalog).select(options.model).models[0]
    options.base, path = _files(model, settings)
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(
            path, usable_cpus(), options.slots, options.context, model.cache, Path(folder)
        )
        bench = Bench(setup, options)
        bench.run()
    text = markdown(bench.report)
    print(f"\n{text}")
    if options.output:
        _write(bench.report, text, options.output.absolute())
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
