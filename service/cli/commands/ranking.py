"""`ideapool rank show | vote | compare`: ranks ideas by comparing them in pairs."""

import argparse
import sys
from contextlib import aclosing
from typing import Any, get_args

from service.api_client.lookups import chosen_board
from service.api_client.rest import Rest, given
from service.cli.commands.boards import add_option
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, facts, line, note, paragraph
from service.errors import ServerRefused
from service.schemas.fields import Judge

FORMATS = ("text", "json", "markdown", "csv")
_OUTCOMES = {"1": "first", "2": "second", "=": "tie"}
_KEYS = "Type 1, 2 or = (equal). s skips, u undoes the last vote, q quits"


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="COMMAND")

    show = actions.add_parser("show", help="show the ranking")
    add_option(show, "the board to rank (default: the oldest)")
    show.add_argument("--by", choices=get_args(Judge), default="people", help="default: people")
    show.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    add_talk(show, _show)

    vote = actions.add_parser("vote", help="choose between two ideas at a time")
    add_option(vote, "the board to rank (default: the oldest)")
    add_talk(vote, _vote)

    compare = actions.add_parser("compare", help="let the model compare pairs of ideas")
    add_option(compare, "the board to rank (default: the oldest)")
    compare.add_argument("--pairs", type=int, help="largest number of pairs (default: 20)")
    compare.add_argument("--seed", type=int, help="breaks ties between equally informative pairs")
    compare.add_argument(
        "--json", action="store_true", help="print the whole answer as JSON at the end"
    )
    add_talk(compare, _compare, needs_models=True)


async def _show(rest: Rest, options: argparse.Namespace) -> int:
    path = f"/boards/{await chosen_board(rest, options.board)}/ranking"
    if options.format in ("markdown", "csv"):
        query = {"by": options.by, "format": options.format}
        sys.stdout.write((await rest.call("GET", path, query=query)).text)
        return 0
    ranking = await rest.get(path, by=options.by)
    if options.format == "json":
        as_json(ranking)
        return 0
    for idea in ranking["ideas"]:
        rank = "  -" if idea["rank"] is None else f"{idea['rank']:3}"
        score = "" if idea["rank"] is None else f"{idea['score']:.0f} of 100"
        likely = f"likely {idea['low']:.0f} to {idea['high']:.0f}" if score else "not compared"
        line(f"{rank}  {facts([idea['title'], score, likely])}")
    note(
        f"{ranking['comparisons']} comparisons by {'people' if options.by == 'people' else 'the model'}."
    )
    return 0


async def _vote(rest: Rest, options: argparse.Namespace) -> int:
    path = f"/boards/{await chosen_board(rest, options.board)}/comparisons"
    note(f"Which one first? {_KEYS}.")
    skipped: list[str] = []
    votes: list[str] = []
    while (pair := await _next_pair(rest, path, skipped)) is not None:
        _ask(pair)
        answer = sys.stdin.readline()
        if not answer or answer.strip() == "q":
            break
        await _apply(rest, path, answer.strip().casefold(), pair, skipped, votes)
    note(f"{len(votes)} votes. See the ranking: ideapool rank show")
    return 0


async def _next_pair(rest: Rest, path: str, skipped: list[str]) -> Any:
    try:
        return await rest.get(f"{path}/next", skip=skipped)
    except ServerRefused as refused:
        if refused.status != 409:
            raise
        note(refused.detail)
        return None


def _ask(pair: dict[str, Any]) -> None:
    for key, side in (("1", "first"), ("2", "second")):
        line(f"{key}. {pair[side]['title']}")
        if pair[side]["body"]:
            paragraph(pair[side]["body"], "   ")
    if sys.stdin.isatty():
        sys.stderr.write("> ")
        sys.stderr.flush()


async def _apply(
    rest: Rest, path: str, answer: str, pair: Any, skipped: list[str], votes: list[str]
) -> None:
    first, second = pair["first"], pair["second"]
    if answer in _OUTCOMES:
        vote = {
            "first_id": first["id"],
            "first_version": first["version"],
            "second_id": second["id"],
            "second_version": second["version"],
            "outcome": _OUTCOMES[answer],
        }
        votes.append((await rest.post(path, vote))["id"])
    elif answer == "s":
        skipped.append(f"{first['id']}.{second['id']}")
        del skipped[:-8]
    elif answer == "u" and votes:
        await rest.call("DELETE", f"{path}/{votes.pop()}")
        note("The last vote was undone.")
    else:
        note(f"Please answer. {_KEYS}.")


async def _compare(rest: Rest, options: argparse.Namespace) -> int:
    board = await chosen_board(rest, options.board)
    task = given(board_id=board, pairs=options.pairs, seed=options.seed)
    ideas = {
        one["idea_id"]: one["title"]
        for one in (await rest.get(f"/boards/{board}/ranking"))["ideas"]
    }
    answer: dict[str, Any] = {}
    async with aclosing(rest.result(rest.events("/rank", task))) as events:
        async for event in events:
            if event.name == "result":
                answer = event.data
            elif event.name == "comparison" and not options.json:
                _show_comparison(event.data, ideas)
    if options.json:
        as_json(answer)
    else:
        note("This is a weak signal. See the ranking: ideapool rank show --by model")
    return 0


def _show_comparison(made: dict[str, Any], titles: dict[str, str]) -> None:
    first, second = (titles.get(made[f"{side}_id"], "?") for side in ("first", "second"))
    words = {
        "first": f"“{first}” before “{second}”",
        "second": f"“{second}” before “{first}”",
        "tie": f"“{first}” and “{second}” are equal",
    }
    line(words[made["outcome"]])
