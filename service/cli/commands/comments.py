"""`ideapool comments` and `ideapool like`: what people say about ideas, and which they like."""

import argparse
from typing import Any

from service.api_client.rest import Rest
from service.cli.commands.asking import read_text
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note, paragraph


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="COMMAND")

    shown = actions.add_parser("list", help="list the comments on an idea, oldest first")
    shown.add_argument("idea_id", metavar="IDEA")
    shown.add_argument("--json", action="store_true", help="print JSON")
    add_talk(shown, _list)

    for name, text, command in (
        ("add", "comment on an idea", _add),
        ("edit", "change a comment of your own", _edit),
    ):
        writing = actions.add_parser(name, help=text)
        if name == "add":
            writing.add_argument("idea_id", metavar="IDEA")
        else:
            writing.add_argument("comment_id", metavar="ID")
        writing.add_argument("text", help="Markdown; - reads standard input")
        writing.add_argument("--json", action="store_true", help="print JSON")
        add_talk(writing, command)

    for name, text, command in (
        ("delete", "delete comments", _delete),
        ("restore", "restore deleted comments, within a day", _restore),
    ):
        several = actions.add_parser(name, help=text)
        several.add_argument("comment_ids", nargs="+", metavar="ID")
        add_talk(several, command)


def add_like(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("idea_ids", nargs="+", metavar="IDEA", help="id of an idea")
    parser.add_argument("--undo", action="store_true", help="take your likes back")
    add_talk(parser, _like)


async def _list(rest: Rest, options: argparse.Namespace) -> int:
    comments = await rest.all(f"/ideas/{options.idea_id}/comments")
    if options.json:
        as_json(comments)
        return 0
    for place, comment in enumerate(comments):
        if place:
            line()
        _print(comment)
    return 0


async def _add(rest: Rest, options: argparse.Namespace) -> int:
    body = {"body": read_text(options.text)}
    return _done(await rest.post(f"/ideas/{options.idea_id}/comments", body), options)


async def _edit(rest: Rest, options: argparse.Namespace) -> int:
    body = {"body": read_text(options.text)}
    changed = await rest.call("PATCH", f"/comments/{options.comment_id}", body=body)
    return _done(changed.json(), options)


async def _delete(rest: Rest, options: argparse.Namespace) -> int:
    for comment_id in options.comment_ids:
        await rest.call("DELETE", f"/comments/{comment_id}")
        note(f"Deleted. To undo: ideapool comments restore {comment_id}")
    return 0


async def _restore(rest: Rest, options: argparse.Namespace) -> int:
    for comment_id in options.comment_ids:
        _print(await rest.post(f"/comments/{comment_id}/restore"))
    return 0


async def _like(rest: Rest, options: argparse.Namespace) -> int:
    for idea_id in options.idea_ids:
        await rest.call("DELETE" if options.undo else "PUT", f"/ideas/{idea_id}/like")
        idea = await rest.get(f"/ideas/{idea_id}")
        likes = f"likes: {idea['likes']}"
        line(f"{idea_id}  {facts([idea['title'], likes])}")
    return 0


def _done(comment: dict[str, Any], options: argparse.Namespace) -> int:
    if options.json:
        as_json(comment)
    else:
        _print(comment)
    return 0


def _print(comment: dict[str, Any]) -> None:
    author = comment["author"]["name"] if comment["author"] else ""
    edited = "edited" if comment["edited_at"] else ""
    line(facts([comment["id"], author, comment["created_at"][:16].replace("T", " "), edited]))
    paragraph(comment["body"])
