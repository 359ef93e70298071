"""Streams a run as HTML. Each event is a whole snapshot, so that a lost one does no harm."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response
from fastapi.sse import format_sse_event

from service.errors import StorageUnavailable
from service.runs.recorder import LiveRun
from service.runs.service import Runs
from service.web.dependencies import RunsDep, StoreDep
from service.web.pages.responses import fragment
from service.web.pages.run_times import RunTimes
from service.web.pages.views import RunView, view_run
from service.web.sse import EventStream
from service.web.watching import ReaderDep

# Five updates a second look like writing; more would only cost time.
LEAST_GAP_S = 0.2
# The snapshot shows the elapsed time, so it changes every second.
TICK_S = 1.0
router = APIRouter()


@router.get("/runs/{run_id}/live")
async def watch_run(
    request: Request,
    run_id: str,
    store: StoreDep,
    runs: RunsDep,
    reader: ReaderDep,
    best_first: bool = False,
) -> Response:
    """With `best_first`, the page shows the suggestions in that order. Otherwise the end of the run
    does not move them: the page decides whether somebody is using them.
    """
    # An unknown run must be answered with 404 before the stream begins.
    await runs.get(run_id)
    times = RunTimes(store, runs)

    def look() -> tuple[RunView, str]:
        view = view_run(store, run_id, runs, best_first=best_first, times=times)
        return view, fragment(request, "runs/_run.html", {"view": view})

    snapshots = _snapshots(request, run_id, runs, look)
    return EventStream(snapshots, until=reader.until_lost(run_id))


async def _snapshots(
    request: Request, run_id: str, runs: Runs, look: Callable[[], tuple[RunView, str]]
) -> AsyncGenerator[bytes, None]:
    announced = sent = ""
    watched: dict[str, LiveRun | None] = {}
    async with AsyncExitStack() as following:
        watched[run_id] = await following.enter_async_context(runs.followed(run_id))
        while True:
            changes = [live.changed for live in watched.values() if live is not None]
            try:
                view, html = await asyncio.to_thread(look)
            except StorageUnavailable:
                # The page goes on when the database is back.
                await asyncio.sleep(TICK_S)
                continue
            if view.announcement != announced:
                announced = view.announcement
                html += fragment(request, "shared/_announcement.html", {"text": announced})
            if html != sent:
                yield format_sse_event(data_str=html)
                sent = html
            if not view.is_streaming:
                yield format_sse_event(event="done", data_str="over")
                return
            if unwatched := set(view.redrawing) - watched.keys():
                # These runs may have changed before they were watched, so look again at once.
                for one in unwatched:
                    watched[one] = await following.enter_async_context(runs.followed(one))
                continue
            await asyncio.sleep(LEAST_GAP_S)
            await _wait(changes)


async def _wait(changes: list[asyncio.Event]) -> None:
    """Waits for one of the changes, but at most for one tick."""
    if not changes:
        await asyncio.sleep(TICK_S)
        return
    waiting = [asyncio.ensure_future(change.wait()) for change in changes]
    try:
        await asyncio.wait(waiting, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
