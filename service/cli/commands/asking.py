"""`ideapool brainstorm | refine | evaluate`: asks a model and prints its answer as it arrives."""

import argparse
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, get_args

from service.api_client.lookups import board_id, rubric_id
from service.api_client.rest import Event, Rest, given
from service.cli.commands.boards import add_option
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note, paragraph
from service.errors import InvalidInput
from service.prompts.languages import IDEA_LANGUAGES
from service.prompts.tasks import is_usual
from service.schemas.fields import IdeaSource, MethodId

BAR_WIDTH = 20


def add_brainstorm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", help="what the ideas are about")
    parser.add_argument(
        "--idea", metavar="ID", help="branch from this idea instead of giving a topic"
    )
    parser.add_argument("--n", type=int, help="number of ideas the model writes (default: 8)")
    parser.add_argument("--method", choices=get_args(MethodId), help="brainstorming method")
    parser.add_argument(
        "--context", help="background that the ideas should fit; - reads standard input"
    )
    parser.add_argument(
        "--source",
        action="append",
        choices=get_args(IdeaSource),
        help="take ideas only from here: the idea bank, or the model (default: both)",
    )
    add_option(parser, "use the goal and ideas of this board")
    parser.add_argument("--seed", type=int, help="the same seed gives the same ideas")
    parser.add_argument("--creativity", type=float, metavar="0..1", help="default: 0.5")
    _add_language(parser)
    parser.add_argument("--keep", action="store_true", help="keep every suggestion as an idea")
    parser.add_argument(
        "--json", action="store_true", help="print the whole answer as JSON at the end"
    )
    add_talk(parser, _brainstorm, check=_check_topic, needs_models=True)


def add_refine(parser: argparse.ArgumentParser) -> None:
    _add_idea(parser)
    parser.add_argument("--instruction", help="what to change, for example 'shorter'")
    parser.add_argument("--only", metavar="PASSAGE", help="refine only this passage of the text")
    parser.add_argument(
        "--accept", action="store_true", help="replace the idea's text with the new one"
    )
    add_talk(parser, _refine, check=_check_refinement, needs_models=True)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_idea(parser)
    parser.add_argument(
        "--criteria",
        metavar="NAMES",
        help="criteria, separated by commas (default: those of the rubric)",
    )
    parser.add_argument(
        "--rubric", metavar="NAME", help="a rubric of the idea's board, by name or id"
    )
    add_talk(parser, _evaluate, check=_check_evaluation, needs_models=True)


def _add_idea(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("idea_id", nargs="?", metavar="IDEA_ID", help="id of an idea")
    parser.add_argument("--title", help="title of a text that is not on a board")
    parser.add_argument("--body", help="body of that text; - reads standard input")
    parser.add_argument("--seed", type=int, help="the same seed gives the same answer")
    _add_language(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def _add_language(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language",
        metavar="CODE",
        choices=sorted(IDEA_LANGUAGES),
        help=f"language of the answer (default: the board's): {', '.join(sorted(IDEA_LANGUAGES))}",
    )


def read_text(value: str | None) -> str | None:
    """Reads standard input for `-`."""
    return sys.stdin.read() if value == "-" else value


def _check_topic(options: argparse.Namespace) -> None:
    if (options.topic is None) == (options.idea is None):
        raise InvalidInput("Give either a topic or --idea ID.")


def _check_text(options: argparse.Namespace) -> None:
    if (options.idea_id is None) == (options.title is None):
        raise InvalidInput("Give either an IDEA_ID or --title and --body.")


def _check_refinement(options: argparse.Namespace) -> None:
    _check_text(options)
    if options.accept and options.idea_id is None:
        raise InvalidInput(
            "--accept needs an IDEA_ID. A text that is not on a board cannot be changed."
        )


def _check_evaluation(options: argparse.Namespace) -> None:
    _check_text(options)
    if options.rubric is not None and options.idea_id is None:
        raise InvalidInput("--rubric needs an IDEA_ID, because rubrics belong to a board.")
    if options.rubric is not None and options.criteria is not None:
        raise InvalidInput("Give either --criteria or --rubric.")


async def _brainstorm(rest: Rest, options: argparse.Namespace) -> int:
    task = given(
        topic=options.topic,
        idea_id=options.idea,
        board_id=await board_id(rest, options.board),
        n=options.n,
        method=options.method,
        context=read_text(options.context),
        seed=options.seed,
        creativity=options.creativity,
        language=options.language,
        sources=options.source,
    )
    count, answer = 0, {}
    async with aclosing(_events(rest, "/brainstorm", task)) as events:
        async for event in events:
            if event.name == "result":
                answer = event.data
            elif event.name == "suggestion":
                count += 1
                if not options.json:
                    _show_suggestion(count, event.data)
                if options.keep:
                    await rest.post(f"/suggestions/{event.data['id']}/keep")
    if options.json:
        as_json(answer)
    else:
        _note_end(count, answer, is_kept=options.keep)
    return 0


def _note_end(count: int, answer: dict[str, Any], *, is_kept: bool) -> None:
    why = answer.get("incomplete")
    if why is not None:
        dropped = f"{why['repeats']} repeats and {why['unusable']} unusable drafts were left out."
        is_over = why["reason"] == "deadline"
        end = "The time for one run was over." if is_over else "The model found nothing new."
        note(f"{end} {dropped}")
    if is_kept:
        note(f"Kept {count} ideas.")
    else:
        note("To keep a suggestion: ideapool keep ID")


def _show_suggestion(number: int, suggestion: dict[str, Any]) -> None:
    line(f"{number}. {suggestion['title']}")
    paragraph(suggestion["text"], "   ")
    like = suggestion.get("similar_to")
    source = suggestion["angle"]
    if suggestion["origin"] == "bank":
        source = f"from the idea bank, for “{suggestion['written_for']}”"
    elif suggestion["origin"] == "board":
        source = f"from another board, for “{suggestion['written_for']}”"
    line("   " + facts([suggestion["id"], source, f"like {like}" if like else ""]))
    line()


async def _refine(rest: Rest, options: argparse.Namespace) -> int:
    task = _idea(options) | given(instruction=options.instruction, selection=options.only)
    answer = await _answer(rest, "/refine", task)
    if options.accept:
        await rest.post(f"/runs/{answer['run_id']}/accept")
    if options.json:
        as_json(answer)
        return 0
    line(answer["title"])
    line()
    paragraph(answer["body"])
    if answer["changes"]:
        line()
        _show_points("The model's own note, not checked", answer["changes"])
    if answer["left_out"]:
        note(f"Left out: {', '.join(answer['left_out'])}.")
    if answer["unmet"]:
        note(f"Not as you asked; missing: {', '.join(answer['unmet'])}.")
    if options.accept:
        note("The idea now has this text. Its versions keep the old one.")
    return 0


async def _evaluate(rest: Rest, options: argparse.Namespace) -> int:
    names = None if options.criteria is None else options.criteria.split(",")
    criteria = None if names is None else [name.strip() for name in names]
    task = _idea(options) | given(
        criteria=criteria, rubric_id=await rubric_id(rest, options.idea_id, options.rubric)
    )
    answer = await _answer(rest, "/evaluate", task)
    if options.json:
        as_json(answer)
        return 0
    scores = answer["scores"] | {"overall": answer["overall"]}
    width = max(map(len, scores))
    for name, score in scores.items():
        bar = "█" * round(score / 10 * BAR_WIDTH)
        off = answer["spread"].get(name)
        line(f"{name:{width}}  {score:4.1f}  {'' if off is None else f'±{off:.1f}':5} {bar}")
    if not answer["scoring"]["calibrated"]:
        line("Rough scores: the model's own estimates, not calibrated.")
        if any(
            one["name"] in answer["scoring"]["uncalibrated"]
            and is_usual(one["name"], one["description"])
            for one in answer["criteria"]
        ):
            line("`ideapool calibrate` fits its scores to labelled notes.")
    for heading in ("strengths", "concerns"):
        line()
        _show_points(heading.capitalize(), answer[heading])
    line()
    paragraph(f"Next step: {answer['next_step']}")
    return 0


def _show_points(heading: str, points: list[str]) -> None:
    line(f"{heading}:")
    for point in points:
        paragraph(f"- {point}", "  ")


def _idea(options: argparse.Namespace) -> dict[str, Any]:
    return given(
        idea_id=options.idea_id,
        title=options.title,
        body=read_text(options.body),
        seed=options.seed,
        language=options.language,
    )


async def _answer(rest: Rest, path: str, task: dict[str, Any]) -> dict[str, Any]:
    async with aclosing(_events(rest, path, task)) as events:
        return [event.data async for event in events][-1]


async def _events(rest: Rest, path: str, task: dict[str, Any]) -> AsyncGenerator[Event, None]:
    """Yields the events of a run up to its result, and tells a waiting person about the queue."""
    is_watched = sys.stderr.isatty()
    async with aclosing(rest.result(rest.events(path, task))) as events:
        async for event in events:
            if is_watched and event.name == "queued" and event.data["position"] > 1:
                note(f"Waiting, number {event.data['position']} in the queue. Ctrl-C stops.")
            elif is_watched and event.name == "started":
                note(f"{event.data['model']} is writing. Ctrl-C stops.")
            yield event
