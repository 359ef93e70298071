"""The command line: `ideapool-train validate | prepare | train | sweep | export | …`.

Reads configs and hands them on. What trains or measures is imported by the command that needs it,
so that help and checks come at once.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from service.engine.build import obtain
from service.engine.catalog import read_catalog
from service.errors import ServiceError
from service.progress import ProgressLine
from service.settings import Settings
from service.word_vectors import FILE as WORD_VECTORS
from training.config import CATALOG, RunConfig, dump_config, read_config
from training.errors import ConfigProblems, DataProblem, TrainingError
from training.provenance import own_config, tell_differences
from training.records.rows import OWN_TASKS
from training.rundir import RunDir

DATA = Path(__file__).resolve().parent / "data"
Command = Callable[[RunConfig, argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 where a config or its data cannot work, 1 for other failures."""
    options = _parser().parse_args(arguments)
    try:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ideapool-train", description="From data to the models that Ideapool serves."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("validate", None, "list every problem of configs"),
        ("prepare", prepare, "read, filter and divide the data, and report on it"),
        ("train", train, "train an adapter; prepares the data first"),
        ("sweep", sweep, "train every setting of `[sweep]` and rank them"),
        ("export", export, "make GGUF files of the adapter and of base and adapter together"),
        ("evaluate", evaluate, "compare base and tuned model as they are served"),
        ("all", everything, "train or, with a `[sweep]`, sweep; then export and evaluate"),
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
            help="another value for a dotted key, such as data.sources.0.first=100",
        )
        one.set_defaults(command=lambda options, run=command: _each_config(options, run))
        if command is not None:
            one.add_argument("--dry-run", action="store_true", help="only say what would be done")
        if command in (train, sweep, everything):
            one.add_argument("--resume", action="store_true", help="go on where a run was stopped")
        if command in (evaluate, everything):
            one.add_argument("--base", type=Path, help="GGUF; default: the config's base as served")
        if command is evaluate:
            one.add_argument("--tuned", type=Path, help="GGUF; default: what `export` left")
    _add_score_head(commands.add_parser("score-head", help="train scores on embeddings"))
    _add_distil(commands.add_parser("distil", help="let a bigger model write records"))
    _add_drafts(commands)
    _add_likeness(commands)
    runs = commands.add_parser("report", help="write REPORT.md from the runs there are")
    runs.add_argument("runs", nargs="?", type=Path, default=Path("runs"), metavar="RUNS")
    runs.set_defaults(command=report)
    return parser


def _add_score_head(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gguf", type=Path, help="the file that is served")
    parser.add_argument("target", type=Path, help="the head to write, *.npz")
    for name, path in (
        ("records", DATA / "ideation" / "evaluate.jsonl"),
        ("pairs", DATA / "plain" / "pairs.jsonl"),
        ("praise", DATA / "plain" / "praise.jsonl"),
    ):
        parser.add_argument(f"--{name}", type=Path, default=path, help=f"default: {path.name}")
    parser.set_defaults(command=score_head)


def _add_distil(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="an OpenAI-compatible server, up to /v1")
    parser.add_argument("model", help="the teacher's name there")
    parser.add_argument("task", choices=OWN_TASKS)
    parser.add_argument("inputs", type=Path, help="JSONL of topics, or of notes")
    parser.add_argument("target", type=Path, help="the JSONL file that records are added to")
    parser.add_argument("--count", type=int, default=100, help="records that file shall have")
    parser.add_argument("--licence", required=True, help="of what the teacher writes")
    parser.set_defaults(command=distil)


def _add_drafts(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    drawn = commands.add_parser("draft", help="draw several ideas for each topic, to choose from")
    drawn.add_argument("gguf", type=Path, help="the model that writes them")
    drawn.add_argument("topics", type=Path, help="JSONL of topics")
    drawn.add_argument("target", type=Path, help="the JSONL file of drafts to write")
    drawn.add_argument("--count", type=int, default=4, help="drafts a topic")
    drawn.set_defaults(command=draft)
    chosen = commands.add_parser("choose", help="make records of the drafts that were chosen")
    _add_answers(chosen, "choices", '{"id": "…", "best": 2 or null, "title": "…"}')
    chosen.set_defaults(command=choose)
    graded = commands.add_parser("grade", help="give the drafts a reader's grades, to prefer among")
    _add_answers(graded, "grades", '{"id": "…", "grades": [2, 0, 1]}')
    graded.set_defaults(command=grade)


def _add_answers(parser: argparse.ArgumentParser, name: str, line: str) -> None:
    """What readers said of drafts, and where to put what comes of it."""
    parser.add_argument("drafts", type=Path, help="what `draft` has written")
    parser.add_argument(name, type=Path, help=f"JSONL of {line}")
    parser.add_argument("target", type=Path, help="the JSONL file to write")
    parser.add_argument("--source", required=True, help="who wrote the drafts and who read them")
    parser.add_argument("--licence", required=True, help="of what was written")


def _add_likeness(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    vectors = commands.add_parser("word-vectors", help="make what ideas are compared with")
    vectors.add_argument("target", nargs="?", type=Path, default=WORD_VECTORS, metavar="TARGET")
    vectors.set_defaults(command=word_vectors)
    measured = commands.add_parser("likeness", help="measure how well alike ideas are found")
    pairs = DATA / "similarity" / "pairs.jsonl"
    measured.add_argument("pairs", nargs="?", type=Path, default=pairs, metavar="PAIRS")
    measured.set_defaults(command=likeness)


def _override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _each_config(options: argparse.Namespace, command: Command | None) -> None:
    """All configs are checked before the first of them is worked on."""
    configs = _read_all(options.configs, dict(options.overrides))
    for path, config in configs.items():
        if command is None:
            _say(f"{path} is right")
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
    state = "is there already" if rundir.path.exists() else "would be made"
    trials = f" {config.sweep.runs} runs in a sweep." if config.sweep is not None else ""
    _say(f"# {rundir.path} {state}.{trials}\n{dump_config(config)}")


def _served_base(config: RunConfig) -> Path:
    """As the service would run it without an adapter. Raises `TrainingError` if it is no GGUF."""
    if config.base.gguf is not None:
        return config.base.gguf
    if config.base.model is None:
        raise TrainingError(f"Name a GGUF of {config.base.hf} with --base to compare with.")
    settings = Settings()
    model = next(one for one in read_catalog(CATALOG).model if one.name == config.base.model)
    progress = ProgressLine(sys.stdout)
    try:
        return obtain(
            model, settings.models_dir.absolute(), hub_url=settings.hub_url, report=progress.show
        )
    finally:
        progress.close()


def _rundir(config: RunConfig) -> RunDir:
    return RunDir(config.output / config.name)


def _chosen(config: RunConfig) -> tuple[RunConfig, RunDir]:
    """The best run of the config's sweep, or its own run if it was trained without sweeping.

    The config is the run's own, but for what is to be exported and evaluated.
    """
    rundir = _rundir(config)
    tell_differences(config, rundir, _say)
    is_swept = (rundir.path / "sweep.json").exists() or not rundir.manifest.exists()
    if config.sweep is None or not is_swept:
        return own_config(config, rundir), rundir
    from training.winner import winner

    return winner(config, rundir.path)


def prepare(config: RunConfig, _options: argparse.Namespace) -> None:
    from training.train import check_no_run, open_base, prepare_data

    rundir = _rundir(config)
    check_no_run(rundir)
    prepare_data(config, rundir, open_base(config, _say), _say)
    _say(f"See {rundir.data / 'report.md'}")


def train(config: RunConfig, options: argparse.Namespace) -> None:
    from training.train import train as train_run

    train_run(config, _rundir(config), resume=options.resume, report=_say)


def sweep(config: RunConfig, options: argparse.Namespace) -> None:
    from training.sweep import sweep as run_sweep

    run_sweep(config, _rundir(config).path, resume=options.resume, report=_say)


def export(config: RunConfig, options: argparse.Namespace) -> None:
    from training.export import export as export_run
    from training.export import is_exported

    chosen, rundir = _chosen(config)
    if getattr(options, "resume", False) and is_exported(chosen, rundir):
        _say(f"{rundir.export} is finished already")
    else:
        export_run(chosen, rundir, report=_say)


def evaluate(config: RunConfig, options: argparse.Namespace) -> None:
    from training.evaluate import evaluate as compare
    from training.export import tuned_gguf

    chosen, rundir = _chosen(config)
    base = options.base or _served_base(chosen)
    tuned = getattr(options, "tuned", None) or tuned_gguf(chosen, rundir)
    compare(chosen, rundir, base=base, tuned=tuned, report=_say)


def everything(config: RunConfig, options: argparse.Namespace) -> None:
    for command in (train if config.sweep is None else sweep, export, evaluate):
        command(config, options)


def score_head(options: argparse.Namespace) -> None:
    from training.score_head import train_head

    train_head(
        options.gguf,
        options.records,
        options.pairs,
        options.praise,
        target=options.target,
        report=_say,
    )


def distil(options: argparse.Namespace) -> None:
    from training.distil import Order
    from training.distil import distil as ask_teacher

    order = Order(
        options.url,
        options.model,
        options.task,
        options.inputs,
        options.count,
        options.licence,
    )
    ask_teacher(order, options.target, report=_say)


def draft(options: argparse.Namespace) -> None:
    from training.rejection_sampling import draw_drafts

    drawn = draw_drafts(options.gguf, options.topics, options.target, options.count, report=_say)
    _say(f"{drawn} drafts in {options.target}")


def choose(options: argparse.Namespace) -> None:
    from training.rejection_sampling import choose_drafts

    chosen = choose_drafts(options.drafts, options.choices, options.target, **_provenance(options))
    _say(f"{chosen} records in {options.target}")


def grade(options: argparse.Namespace) -> None:
    from training.rejection_sampling import grade_drafts

    graded = grade_drafts(options.drafts, options.grades, options.target, **_provenance(options))
    _say(f"{graded} graded drafts in {options.target}")


def _provenance(options: argparse.Namespace) -> dict[str, str]:
    return {"source": options.source, "licence": options.licence}


def word_vectors(options: argparse.Namespace) -> None:
    from training.word_vectors import make_word_vectors

    make_word_vectors(options.target, _say)


def likeness(options: argparse.Namespace) -> None:
    from training.measuring.likeness import measure_likeness

    sets = [DATA / name / "brainstorm.jsonl" for name in ("ideation", "plain")]
    measure_likeness(options.pairs, sets, _say)


def report(options: argparse.Namespace) -> None:
    from training.report import report as write_report

    _say(f"See {write_report(options.runs)}")


def _say(line: str) -> None:
    print(line, flush=True)
