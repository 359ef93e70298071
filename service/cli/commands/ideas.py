"""`ideapool ideas` and `ideapool keep`: lists, prints and edits the ideas on the boards."""

import argparse
from typing import Any, get_args

from service.api_client.lookups import board_id, find_ideas
from service.api_client.rest import Rest, given
from service.cli.commands.asking import read_text
from service.cli.commands.boards import add_option
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note, paragraph
from service.errors import InvalidInput
from service.schemas.fields import Sort, Status


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_reading(actions)
    _add_writing(actions)


def add_keep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "suggestion_ids", nargs="+", metavar="ID", help="id of a suggestion, from `brainstorm`"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_talk(parser, _keep)


def _add_reading(actions: Any) -> None:
    for name, text in (("list", "list ideas, newest first"), ("search", "find ideas by words")):
        parser = actions.add_parser(name, help=text)
        if name == "search":
            parser.add_argument(
                "words", nargs="+", help="every word must occur, as a word or its beginning"
            )
            parser.add_argument(
                "--exact", action="store_true", help="do not correct words that no idea contains"
            )
        add_option(parser, "only ideas of this board")
        parser.add_argument(
            "--tag", action="append", help="only ideas with this tag; repeat it for several"
        )
        parser.add_argument(
            "--status", choices=get_args(Status), help="only ideas with this status"
        )
        parser.add_argument(
            "--star",
            action=argparse.BooleanOptionalAction,
            help="only starred ideas, or only the others",
        )
        parser.add_argument(
            "--archived",
            action=argparse.BooleanOptionalAction,
            help="only archived ideas, or only the others",
        )
        parser.add_argument(
            "--deleted", action="store_true", help="those in the trash instead of the others"
        )
        parser.add_argument("--round", metavar="ID", help="only ideas of this writing round")
        parser.add_argument("--sort", choices=get_args(Sort), help="default: new")
        parser.add_argument(
            "--limit", type=int, default=30, help="largest number of ideas (default: 30)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
        if name == "list":
            parser.set_defaults(words=[], exact=False)
        add_talk(parser, _list, check=_check_limit)
    show = actions.add_parser("show", help="show an idea with its latest evaluation")
    show.add_argument("idea_id", metavar="ID")
    show.add_argument("--json", action="store_true", help="print JSON")
    add_talk(show, _show)
    export = actions.add_parser("export", help="print an idea with scores, lineage and link")
    export.add_argument("idea_id", metavar="ID")
    export.add_argument(
        "--format", choices=("markdown", "json"), default="markdown", help="default: markdown"
    )
    add_talk(export, _export)


def _add_writing(actions: Any) -> None:
    for name, text, command in (
        ("add", "add an idea", _add),
        ("edit", "change the given fields of an idea", _edit),
    ):
        parser = actions.add_parser(name, help=text)
        if name == "edit":
            parser.add_argument("idea_id", metavar="ID")
            parser.add_argument("--title")
        else:
            parser.add_argument("title")
            parser.add_argument("--round", metavar="ID", help="write it in this writing round")
        parser.add_argument("--body", help="the text; - reads standard input")
        add_option(parser, "put it on this board")
        parser.add_argument("--status", choices=get_args(Status))
        parser.add_argument("--star", action=argparse.BooleanOptionalAction)
        parser.add_argument("--tag", action="append", help="repeat it for several; '' removes all")
        parser.add_argument("--json", action="store_true", help="print JSON")
        add_talk(parser, command)
    for name, text in (("delete", "move ideas to the trash"), ("restore", "restore deleted ideas")):
        parser = actions.add_parser(name, help=text)
        parser.add_argument("idea_ids", nargs="+", metavar="ID")
        if name == "delete":
            parser.add_argument(
                "--for-good", action="store_true", help="what is in the trash; cannot be undone"
            )
        add_talk(parser, _delete if name == "delete" else _restore)


def _check_limit(options: argparse.Namespace) -> None:
    if options.limit < 1:
        raise InvalidInput("--limit must be 1 or more.")


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    query = {
        "q": " ".join(options.words) or None,
        "exact": options.exact or None,
        "board": await board_id(rest, options.board),
        "tag": options.tag,
        "status": options.status,
        "star": options.star,
        "archived": options.archived,
        "deleted": options.deleted,
        "round": options.round,
        "sort": options.sort,
    }
    found = await find_ideas(rest, query, options.limit)
    if found.corrected:
        note(f"Nothing contains “{query['q']}”. Ideas with “{found.corrected}”:")
    if options.json:
        as_json(found.ideas)
        return 0
    for idea in found.ideas:
        line(f"{idea['id']}  {facts([_title(idea), *_facts(idea)])}")
    if found.has_more:
        note(f"There are more than {options.limit}. --limit shows more.")
    return 0


async def _show(rest: Rest, options: argparse.Namespace) -> int:
    idea = await rest.get(f"/ideas/{options.idea_id}")
    evaluations = await rest.get(f"/ideas/{options.idea_id}/evaluations", limit=1)
    if options.json:
        as_json(idea | {"evaluation": evaluations[0] if evaluations else None})
        return 0
    line(_title(idea))
    line(facts([idea["id"], *_facts(idea), f"version {idea['version']}"]))
    if idea["body"]:
        line()
        paragraph(idea["body"])
    if evaluations:
        newest = evaluations[0]
        scores = facts(f"{name} {score:.1f}" for name, score in newest["scores"].items())
        is_stale = newest["idea_version"] != idea["version"]
        line()
        line(f"Evaluation{' of an older text' if is_stale else ''}: {scores}")
    return 0


async def _export(rest: Rest, options: argparse.Namespace) -> int:
    path = f"/ideas/{options.idea_id}/export"
    handed = await rest.call("GET", path, query={"format": options.format})
    if options.format == "json":
        as_json(handed.json())
    else:
        paragraph(handed.text)
    return 0


async def _add(rest: Rest, options: argparse.Namespace) -> int:
    fields = await _fields(rest, options) | given(round_id=options.round)
    idea = await rest.post("/ideas", fields)
    if options.round and idea["round_id"] is None:
        note("The writing round was over, so the idea is on the board as usual.")
    return _print(idea, options, "added")


async def _edit(rest: Rest, options: argparse.Namespace) -> int:
    fields = await _fields(rest, options)
    if not fields:
        raise InvalidInput("Say what to change, for example --title or --status.")
    changed = await rest.call("PATCH", f"/ideas/{options.idea_id}", body=fields)
    return _print(changed.json(), options, "changed")


async def _fields(rest: Rest, options: argparse.Namespace) -> dict[str, Any]:
    tags = options.tag and [tag for tag in options.tag if tag]
    return given(
        title=options.title,
        body=read_text(options.body),
        board_id=await board_id(rest, options.board),
        status=options.status,
        star=options.star,
        tags=tags,
    )


async def _delete(rest: Rest, options: argparse.Namespace) -> int:
    for idea_id in options.idea_ids:
        if options.for_good:
            await rest.call("DELETE", f"/ideas/{idea_id}", query={"for_good": True})
            note(f"Deleted for good: {idea_id}")
            continue
        await rest.call("DELETE", f"/ideas/{idea_id}")
        note(f"Deleted. To undo: ideapool ideas restore {idea_id}")
    return 0


async def _restore(rest: Rest, options: argparse.Namespace) -> int:
    for idea_id in options.idea_ids:
        idea = await rest.post(f"/ideas/{idea_id}/restore")
        line(f"{idea['id']}  {_title(idea)}")
    return 0


async def _keep(rest: Rest, options: argparse.Namespace) -> int:
    ideas = [await rest.post(f"/suggestions/{one}/keep") for one in options.suggestion_ids]
    if options.json:
        as_json(ideas)
        return 0
    for idea in ideas:
        line(f"{idea['id']}  {_title(idea)}")
    return 0


def _print(idea: dict[str, Any], options: argparse.Namespace, done: str) -> int:
    if options.json:
        as_json(idea)
    else:
        line(f"{idea['id']}  {_title(idea)}")
        note(f"The idea was {done}.")
    return 0


def _title(idea: dict[str, Any]) -> str:
    return f"{'★ ' if idea['star'] else ''}{idea['title']}"


def _facts(idea: dict[str, Any]) -> list[str]:
    score = "" if idea["score"] is None else f"score {idea['score']:.1f}"
    return [idea["status"], " ".join(f"#{tag}" for tag in idea["tags"]), score]
