"""Reads everything back over REST at one server, and says what of the acknowledged is missing there."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.team_client import Client
from benchmarks.team_ledger import Ledger, missing_comments, missing_ideas

# At a time, so that a server is not flooded.
READERS = 8


async def missing(url: str, boards: Sequence[str], ledger: Ledger) -> list[str]:
    async with Client(url) as client:
        pages = await _each(client, (f"/ideas?board={board}&limit=100" for board in boards))
        ideas = [idea for page in pages for idea in page]
        talked = {idea["id"] for idea in ideas if idea["comments"]}
        talked |= {idea_id for idea_id, _ in ledger.comments.values()}
        pages = await _each(client, (f"/ideas/{one}/comments?limit=1000" for one in sorted(talked)))
        comments = [comment for page in pages for comment in page]
        found = [*missing_ideas(ledger, ideas), *missing_comments(ledger, comments)]
        return found + await _missing_runs(client, ledger.runs)


async def _each(client: Client, paths: Iterable[str]) -> list[list[dict[str, Any]]]:
    room = asyncio.Semaphore(READERS)

    async def read(path: str) -> list[dict[str, Any]]:
        async with room:
            return await _all_pages(client, path)

    return await asyncio.gather(*(read(path) for path in paths))


async def _all_pages(client: Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        answer = await client.get(following)
        if answer.response is None or answer.status == 404:
            # What is not there is missed by whoever compares.
            return items
        items += answer.response.raise_for_status().json()
        following = answer.following
    return items


async def _missing_runs(client: Client, run_ids: Sequence[str]) -> list[str]:
    room = asyncio.Semaphore(READERS)

    async def status(run_id: str) -> int:
        async with room:
            return (await client.get(f"/runs/{run_id}")).status

    found = await asyncio.gather(*(status(run_id) for run_id in run_ids))
    pairs = zip(run_ids, found, strict=True)
    return [f"the run {run_id} is answered with {code}" for run_id, code in pairs if code != 200]
