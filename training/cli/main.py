"""The command line: `ideapool-train validate | prepare | train | sweep | export | …`.

It reads configs and passes them on. Each command imports what it needs when it runs, so that
`--help` and `validate` answer at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from service.backend import sources
from service.cli.progress import ProgressLine
from service.engine.catalog import read_catalog
from service.engine.files.build import fetch_and_build
from service.errors import ServiceError
from service.settings import Settings
from training.cli.data_commands import DATA, add_data_commands
from training.config import CATALOG, RunConfig, dump_config, read_config
from training.errors import ConfigProblems, DataProblem, TrainingError
from training.runs.provenance import recorded_config, report_differences
from training.runs.run_directory import RunDirectory

Command = Callable[[RunConfig, argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 if a config or its data cannot be used, 1 for other failures."""
    options = build_parser().parse_args(arguments)
    try:
        _check_single_process()
        options.command(options)
    except (ConfigProblems, DataProblem) as error:
        print(f"ideapool-train: {error.detail}", file=sys.stderr)
        return 2
    except ServiceError as error:
        print(f"ideapool-train: {error.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ideapool-train", description="Makes the models that Ideapool serves from your data."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("validate", None, "check configs and list every problem"),
        ("prepare", prepare, "read, filter and split the data, and write a report on it"),
        ("train", train, "prepare the data and train an adapter"),
        ("sweep", sweep, "train every setting of `[sweep]` and rank them"),
        ("export", export, "make GGUF files of the adapter and of the merged model"),
        ("evaluate", evaluate, "compare the base and the tuned model as they are served"),
        ("all", everything, "train (or sweep, with a `[sweep]`), then export and evaluate"),
    ):
        one = commands.add_parser(name, help=text)
        one.add_argument("configs", nargs="+", type=Path, metavar="CONFIG")
        one.add_argument(
            "--set",
            dest="overrides",
            action="append",
            default=[],
            type=_override,
            metavar="KEY=VALUE",
            help="override a dotted key, such as data.sources.0.first=100",
        )
        one.set_defaults(command=lambda options, run=command: _each_config(options, run))
        if command is not None:
            one.add_argument(
                "--dry-run", action="store_true", help="show what would be done, and do nothing"
            )
        if command in (train, sweep, everything):
            one.add_argument(
                "--resume", action="store_true", help="continue a run that was stopped"
            )
        if command in (evaluate, everything):
            one.add_argument(
                "--base", type=Path, help="GGUF of the base; default: the config's base as served"
            )
        if command is evaluate:
            one.add_argument(
                "--tuned", type=Path, help="GGUF of the tuned model; default: the exported one"
            )
            _add_adapter(one, "GGUF adapter to apply to --tuned, which then defaults to the base")
    _add_score_head(commands.add_parser("score-head", help="train a score head on embeddings"))
    add_data_commands(commands, _say)
    runs = commands.add_parser("report", help="write REPORT.md from the run directories")
    runs.add_argument("runs", nargs="?", type=Path, default=Path("runs"), metavar="RUNS")
    runs.set_defaults(command=report)
    return parser


def _check_single_process() -> None:
    """Raises `TrainingError` if a launcher started several processes, which would share a folder."""
    if int(os.environ.get("WORLD_SIZE") or 1) > 1:
        raise TrainingError(
            "Training runs in one process, but a launcher has started several. Start "
            "`ideapool-train` without a launcher."
        )


def _add_adapter(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--adapter", type=Path, metavar="FILE", help=text)
    parser.add_argument(
        "--any-base", action="store_true", help="use the adapter even if it names another base"
    )


def _add_score_head(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gguf", type=Path, help="GGUF file that is served")
    _add_adapter(parser, "GGUF adapter to apply to it")
    parser.add_argument("target", type=Path, help="score head to write, *.npz")
    records = [DATA / "ideation" / "evaluate.jsonl"]
    parser.add_argument(
        "--records",
        type=Path,
        nargs="+",
        default=records,
        help="files of labelled notes; default: ideation/evaluate.jsonl",
    )
    for name, path in (
        ("pairs", DATA / "plain" / "pairs.jsonl"),
        ("praise", DATA / "plain" / "praise.jsonl"),
    ):
        parser.add_argument(f"--{name}", type=Path, default=path, help=f"default: {path.name}")
    parser.set_defaults(command=score_head)


def _override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _each_config(options: argparse.Namespace, command: Command | None) -> None:
    """Checks all configs before it works on the first one."""
    configs = _read_all(options.configs, dict(options.overrides))
    for path, config in configs.items():
        if command is None:
            _say(f"{path} is valid")
        elif options.dry_run:
            _describe(config)
        else:
            command(config, options)


def _read_all(paths: Sequence[Path], overrides: Mapping[str, str]) -> dict[Path, RunConfig]:
    configs: dict[Path, RunConfig] = {}
    failures: list[ConfigProblems] = []
    for path in paths:
        try:
            configs[path] = read_config(path, overrides)
        except ConfigProblems as error:
            failures.append(error)
    if len(failures) > 1:
        raise ConfigProblems(
            f"{len(failures)} of {len(paths)} configs",
            [f"{error.config}: {one}" for error in failures for one in error.problems],
        )
    if failures:
        raise failures[0]
    return configs


def _describe(config: RunConfig) -> None:
    rundir = _rundir(config)
    state = "exists already" if rundir.path.exists() else "would be created"
    trials = f" {config.sweep.runs} runs in a sweep." if config.sweep is not None else ""
    _say(f"# {rundir.path} {state}.{trials}\n{dump_config(config)}")


def _served_base(config: RunConfig, rundir: RunDirectory) -> Path:
    """The GGUF of the base as the service runs it without an adapter. Raises `TrainingError`."""
    from training.export.export import base_gguf

    if config.base.gguf is not None:
        return config.base.gguf
    if config.base.model is None:
        return base_gguf(config, rundir, report=_say)
    settings = Settings()
    model = next(one for one in read_catalog(CATALOG).model if one.name == config.base.model)
    progress = ProgressLine(sys.stdout)
    try:
        return fetch_and_build(
            model, settings.models_dir.absolute(), sources(settings), progress.show
        )
    finally:
        progress.close()


def _rundir(config: RunConfig) -> RunDirectory:
    return RunDirectory(config.output / config.name)


def _chosen(config: RunConfig) -> tuple[RunConfig, RunDirectory]:
    """The best run of the config's sweep, or its own run if it was trained without one.

    The config that is returned is the one recorded with the run, with the `[export]` and
    `[evaluation]` of the given config.
    """
    rundir = _rundir(config)
    report_differences(config, rundir, _say)
    is_swept = (rundir.path / "sweep.json").exists() or not rundir.manifest.exists()
    if config.sweep is None or not is_swept:
        return recorded_config(config, rundir), rundir
    from training.sweeping.best_run import choose_best_run

    return choose_best_run(config, rundir.path)


def prepare(config: RunConfig, _options: argparse.Namespace) -> None:
    from training.learning.train import check_no_run, open_base, prepare_data

    rundir = _rundir(config)
    check_no_run(rundir)
    prepare_data(config, rundir, open_base(config, _say), _say)
    _say(f"See {rundir.data / 'report.md'}")


def train(config: RunConfig, options: argparse.Namespace) -> None:
    from training.learning.train import train as train_run

    train_run(config, _rundir(config), resume=options.resume, report=_say)


def sweep(config: RunConfig, options: argparse.Namespace) -> None:
    from training.sweeping.sweep import sweep as run_sweep

    run_sweep(config, _rundir(config).path, resume=options.resume, report=_say)


def export(config: RunConfig, options: argparse.Namespace) -> None:
    from training.export.export import export as export_run
    from training.export.export import is_exported

    chosen, rundir = _chosen(config)
    if getattr(options, "resume", False) and is_exported(chosen, rundir):
        _say(f"{rundir.export} is already finished")
    else:
        export_run(chosen, rundir, report=_say)


def evaluate(config: RunConfig, options: argparse.Namespace) -> None:
    from training.evaluation.evaluate import evaluate as compare
    from training.export.export import tuned_gguf, write_card
    from training.inference.served import source_of

    chosen, rundir = _chosen(config)
    base = options.base or _served_base(chosen, rundir)
    tuned, adapter = getattr(options, "tuned", None), getattr(options, "adapter", None)
    if adapter is not None:
        source = source_of(tuned or base, adapter, any_base=options.any_base)
    else:
        source = tuned or tuned_gguf(chosen, rundir)
    compare(chosen, rundir, base=base, tuned=source, report=_say)
    write_card(rundir)


def everything(config: RunConfig, options: argparse.Namespace) -> None:
    for command in (train if config.sweep is None else sweep, export, evaluate):
        command(config, options)


def score_head(options: argparse.Namespace) -> None:
    from training.inference.served import source_of
    from training.score_head.fit import train_head

    train_head(
        source_of(options.gguf, options.adapter, any_base=options.any_base),
        options.records,
        options.pairs,
        options.praise,
        target=options.target,
        report=_say,
    )


def report(options: argparse.Namespace) -> None:
    from training.report import report as write_report

    _say(f"See {write_report(options.runs)}")


def _say(line: str) -> None:
    print(line, flush=True)
