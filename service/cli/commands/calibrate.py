"""`ideapool calibrate`: fits a score head to the model that is served, so that its scores are not rough."""

import argparse
import asyncio
import sys
from typing import Any
from urllib.parse import quote

from service.api_client.rest import Rest
from service.cli.connection.connect import add_talk
from service.cli.printing import as_json, line, note
from service.cli.progress import ProgressLine
from service.errors import InvalidInput, ServerRefused

EVALUATES = "general"
POLL_S = 0.5
# Of a model that is getting ready; about a minute.
READY_POLLS = 120


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        nargs="?",
        default=EVALUATES,
        metavar="MODEL",
        help="a served model, or a role (default: the model that evaluates)",
    )
    parser.add_argument(
        "--anyway",
        action="store_true",
        help="also where the catalog names a head for the model, to compare the figures",
    )
    parser.add_argument("--show", action="store_true", help="show the figures of the last time")
    parser.add_argument(
        "--remove", action="store_true", help="stop it, or delete the calibrated head"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_talk(parser, _calibrate, check=_check, needs_models=True)


def _check(options: argparse.Namespace) -> None:
    if options.anyway + options.show + options.remove > 1:
        raise InvalidInput("Give only one of --anyway, --show and --remove.")


async def _calibrate(rest: Rest, options: argparse.Namespace) -> int:
    path = f"/models/{quote(options.model, safe='')}/calibration"
    if options.remove:
        await rest.call("DELETE", path)
        note("Removed. Scores of this model are rough unless the catalog names a head for it.")
        return 0
    if options.show:
        found = await _known(rest, path)
    else:
        await rest.post(path, {"anyway": options.anyway})
        found = await _followed(rest, path)
    if options.json:
        as_json(found)
    else:
        _show(found)
    if found["error"] is not None:
        raise ServerRefused(found["error"]["detail"])
    return 0


async def _known(rest: Rest, path: str) -> dict[str, Any]:
    """The calibration as it is; waits a while for a model that is getting ready."""
    found: dict[str, Any] = await rest.get(path)
    for _ in range(READY_POLLS):
        if found["scores_from"] is not None:
            break
        await asyncio.sleep(POLL_S)
        found = await rest.get(path)
    return found


async def _followed(rest: Rest, path: str) -> dict[str, Any]:
    """The calibration once it is over. Its progress is shown on standard error."""
    progress = ProgressLine(sys.stderr)
    try:
        while (found := await rest.get(path))["state"] == "running":
            progress.tell(found["model"], *_progress(found))
            await asyncio.sleep(POLL_S)
    finally:
        progress.close()
    if found["state"] == "none":
        raise ServerRefused("The calibration was stopped.")
    return dict(found)


def _progress(found: dict[str, Any]) -> tuple[str, str]:
    if found["step"] == "fitting":
        return "fitting the scores", ""
    if not found["done"]:
        return "getting ready", ""
    left = found["seconds_left"]
    seconds = "" if left is None else f", {left:.0f} s left"
    return "reading labelled notes", f" {found['done']} of {found['total']}{seconds}"


def _show(found: dict[str, Any]) -> None:
    figures = found["figures"]
    if figures is not None:
        line(
            f"{figures['model']}, on {figures['notes']} notes about {figures['subjects']} subjects. "
            "Each was scored by a fit to notes on other subjects:"
        )
        line()
        line(f"{'criterion':12} {'error':>5}  {'one score':>9}  {'order':>5}")
        for one in figures["criteria"]:
            order = one["rank_correlation"]
            line(
                f"{one['criterion']:12} {one['error']:5.2f}  {one['fixed_error']:9.2f}  "
                f"{'–' if order is None else f'{order:.2f}':>5}"
                f"{'' if one['is_used'] else '  left out: not clearly better'}"
            )
        line()
        line("error: how far off a score is on average, of ten points")
        line("one score: the same if every note got the same score, the best one for that")
        line("order: how well scores put notes in order; 1 is perfectly, 0 not at all (Spearman)")
        line()
    line(_SOURCES.get(found["scores_from"], "Where scores come from is known once it is loaded."))
    if found["is_outdated"]:
        line("A head was calibrated for former weights of this model. It is not used any more.")


_SOURCES = {
    "catalog": "Scores of this model come from the head that the catalog names.",
    "calibration": "Scores of this model come from the calibrated head now. No restart is needed.",
    "digits": "Scores of this model are rough: no score head is used. `ideapool calibrate` makes one.",
}
