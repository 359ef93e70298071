"""The commands without a config: they make data, or the word vectors that ideas are compared with.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import TypeAlias

from service.analysis.idea_bank import FOLDER as BANK
from service.analysis.sentence_encoder import FILE as ENCODER
from service.analysis.word_vectors import FILE as WORD_VECTORS
from training.data.rows import OWN_TASKS
from training.errors import Report

DATA = Path(__file__).resolve().parents[1] / "datasets"
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_data_commands(commands: Commands, report: Report) -> None:
    """Each command reports its progress and its result to `report`."""
    _add_distil(commands, report)
    _add_drafts(commands, report)
    _add_likeness(commands, report)


def _add_distil(commands: Commands, report: Report) -> None:
    parser = commands.add_parser("distil", help="have a larger model write records")
    parser.add_argument("url", help="an OpenAI-compatible server, up to /v1")
    parser.add_argument("model", help="the teacher's name there")
    parser.add_argument("task", choices=OWN_TASKS)
    parser.add_argument("inputs", type=Path, help="JSONL file of topics or notes")
    parser.add_argument("target", type=Path, help="JSONL file to add the records to")
    parser.add_argument(
        "--count", type=int, default=100, help="number of records the file should have"
    )
    parser.add_argument("--licence", required=True, help="licence of the teacher's output")
    parser.set_defaults(command=partial(distil, report=report))


def _add_drafts(commands: Commands, report: Report) -> None:
    drawn = commands.add_parser("draft", help="draw several ideas for each topic to choose from")
    drawn.add_argument("gguf", type=Path, help="the model that writes them")
    drawn.add_argument("topics", type=Path, help="JSONL file of topics")
    drawn.add_argument("target", type=Path, help="JSONL file to write the drafts to")
    drawn.add_argument("--count", type=int, default=4, help="drafts for each topic")
    drawn.set_defaults(command=partial(draft, report=report))
    chosen = commands.add_parser("choose", help="turn the chosen drafts into records")
    _add_answers(chosen, "choices", '{"id": "…", "best": 2 or null, "title": "…"}')
    chosen.set_defaults(command=partial(choose, report=report))
    graded = commands.add_parser(
        "grade", help="add a reader's grades to the drafts, for learning preferences"
    )
    _add_answers(graded, "grades", '{"id": "…", "grades": [2, 0, 1]}')
    graded.set_defaults(command=partial(grade, report=report))


def _add_answers(parser: argparse.ArgumentParser, name: str, line: str) -> None:
    """Adds the arguments of a command that combines drafts with a reader's answers."""
    parser.add_argument("drafts", type=Path, help="file that `draft` has written")
    parser.add_argument(name, type=Path, help=f"JSONL file of {line}")
    parser.add_argument("target", type=Path, help="JSONL file to write")
    parser.add_argument("--source", required=True, help="who wrote the drafts and who read them")
    parser.add_argument("--licence", required=True, help="licence of the drafts")


def _add_likeness(commands: Commands, report: Report) -> None:
    vectors = commands.add_parser(
        "word-vectors", help="make the word vectors that ideas are compared with"
    )
    vectors.add_argument("target", nargs="?", type=Path, default=WORD_VECTORS, metavar="TARGET")
    vectors.set_defaults(command=partial(word_vectors, report=report))
    encoder = commands.add_parser(
        "sentence-encoder", help="make the encoder by which ideas of the idea bank are found"
    )
    encoder.add_argument("target", nargs="?", type=Path, default=ENCODER, metavar="TARGET")
    encoder.set_defaults(command=partial(sentence_encoder, report=report))
    bank = commands.add_parser(
        "idea-bank", help="build the idea bank from files of topics with their ideas"
    )
    bank.add_argument("sources", nargs="*", type=Path, metavar="FILE", help="default: our own")
    bank.add_argument(
        "--translation",
        action="append",
        type=Path,
        metavar="FILE",
        help="topics in another language, such as sv.tsv; may be repeated; default: our own",
    )
    bank.add_argument("--folder", type=Path, default=BANK, help="where the bank is written")
    bank.set_defaults(command=partial(idea_bank, report=report))
    measured = commands.add_parser("likeness", help="measure how well similar ideas are found")
    pairs = DATA / "similarity" / "pairs.jsonl"
    measured.add_argument("pairs", nargs="?", type=Path, default=pairs, metavar="PAIRS")
    measured.set_defaults(command=partial(likeness, report=report))


def distil(options: argparse.Namespace, report: Report) -> None:
    from training.synthesis.distil import DistilJob
    from training.synthesis.distil import distil as ask_teacher

    order = DistilJob(
        options.url,
        options.model,
        options.task,
        options.inputs,
        options.count,
        options.licence,
    )
    ask_teacher(order, options.target, report=report)


def draft(options: argparse.Namespace, report: Report) -> None:
    from training.synthesis.rejection_sampling import draw_drafts

    drawn = draw_drafts(options.gguf, options.topics, options.target, options.count, report=report)
    report(f"{drawn} drafts in {options.target}")


def choose(options: argparse.Namespace, report: Report) -> None:
    from training.synthesis.rejection_sampling import choose_drafts

    chosen = choose_drafts(options.drafts, options.choices, options.target, **_provenance(options))
    report(f"{chosen} records in {options.target}")


def grade(options: argparse.Namespace, report: Report) -> None:
    from training.synthesis.rejection_sampling import grade_drafts

    graded = grade_drafts(options.drafts, options.grades, options.target, **_provenance(options))
    report(f"{graded} graded drafts in {options.target}")


def _provenance(options: argparse.Namespace) -> dict[str, str]:
    return {"source": options.source, "licence": options.licence}


def word_vectors(options: argparse.Namespace, report: Report) -> None:
    from training.export.word_vectors import make_word_vectors

    make_word_vectors(options.target, report)


def sentence_encoder(options: argparse.Namespace, report: Report) -> None:
    from training.export.sentence_encoder import make_sentence_encoder

    make_sentence_encoder(options.target, report)


def idea_bank(options: argparse.Namespace, report: Report) -> None:
    from training.export.idea_bank import build_idea_bank

    folder = DATA / "bank"
    sources = options.sources or sorted(folder.glob("*.jsonl"))
    ours = () if options.sources else sorted((folder / "translations").glob("*.tsv"))
    build_idea_bank(sources, options.folder, report, options.translation or ours)


def likeness(options: argparse.Namespace, report: Report) -> None:
    from training.evaluation.likeness import measure_likeness

    sets = [DATA / name / "brainstorm.jsonl" for name in ("ideation", "plain")]
    measure_likeness(options.pairs, sets, report)
