"""Waits for an import: shows how far it is, and stops it with Ctrl-C."""

import asyncio
import sys
from typing import Any

from service.api_client.rest import Rest, segment
from service.cli.printing import note
from service.cli.progress import ProgressLine
from service.errors import ServerRefused
from service.schemas.imports import UNDER_WAY

POLL_S = 0.3
Json = dict[str, Any]


async def carried_out(rest: Rest, query: Json, file: tuple[bytes, str], *, name: str) -> Json:
    """Returns the answer to the import. Ctrl-C stops it, and what it has written is told.

    Raises: ServerUnreachable, ServerRefused
    """
    begun = asyncio.create_task(
        rest.call("POST", "/import", query=query, file=file, headers={"Prefer": "respond-async"})
    )
    try:
        # Shielded: only the answer says which import is to be stopped.
        answer = await asyncio.shield(begun)
        if answer.status_code != 202:
            done: Json = answer.json()
            return done
        return _result(await _followed(rest, answer.json(), name))
    except asyncio.CancelledError:
        answer = await begun
        if answer.status_code == 202:
            note(_told(await _stopped(rest, answer.json()["id"])))
        raise


async def _followed(rest: Rest, found: Json, name: str) -> Json:
    progress = ProgressLine(sys.stderr)
    try:
        while found["status"] in UNDER_WAY:
            amount = "" if found["total"] is None else f" {_amount(found)}. Ctrl-C stops"
            progress.tell(name, found["status"], amount)
            await asyncio.sleep(POLL_S)
            found = await rest.get(f"/imports/{segment(found['id'])}")
    finally:
        progress.close()
    return found


async def _stopped(rest: Rest, import_id: str) -> Json:
    found: Json = await rest.post(f"/imports/{segment(import_id)}/stop")
    while found["status"] in UNDER_WAY:
        await asyncio.sleep(POLL_S)
        found = await rest.get(f"/imports/{segment(import_id)}")
    return found


def _result(found: Json) -> Json:
    if found["result"] is None:
        error = found["error"]
        raise ServerRefused(_told(found) if error is None else error["detail"])
    # The answer to who waits lists the first ideas, which nobody reads here.
    result: Json = found["result"]
    return result


def _told(found: Json) -> str:
    if found["result"] is not None:
        return "The import was done already."
    if found["total"] is None:
        return "Stopped. Nothing was imported."
    return f"Stopped. {_amount(found)} were imported. Import the file again to add the rest."


def _amount(found: Json) -> str:
    return f"{found['written']:,} of {found['total']:,} ideas"
