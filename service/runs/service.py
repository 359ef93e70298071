"""A run's life: queued -> running -> done | failed | cancelled | interrupted.

A run belongs to the server: its caller may go away and come back. While it is going on, its events
are in memory for everyone who watches; whatever must last is stored at once. Where several servers
share a database, each can also show and stop the runs of the others.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from itertools import takewhile

from service.errors import (
    DeadlineExceeded,
    EngineBusy,
    LeaseLost,
    ServiceError,
    StorageUnavailable,
    describe,
    record,
)
from service.ideation.events import Step
from service.ideation.kinds import Ideation, PlannedRun
from service.ideation.model_client import Ledger
from service.messages import Text
from service.runs.late_ends import LateEnds
from service.runs.mirrors import Mirrors
from service.runs.recorder import (
    LiveRun,
    QueuePosition,
    Recorder,
    RunEvent,
    closing_events,
    replay,
)
from service.runs.refusals import not_done, stopping, too_many
from service.runs.relay import Relay
from service.schemas.run_kinds import RECORDED_KINDS
from service.schemas.runs import RunError, RunPublic, Task
from service.store import Store
from service.store.database import patient
from service.store.keyed_answers import RequestKey
from service.store.own_runs import LOST
from service.store.runs import RunOutcome

# How many runs that are over stay in memory for clients that reconnect, and how many of them, the
# newest, with their deltas.
KEPT_RUNS, KEPT_WITH_DELTAS = 200, 20
_log = logging.getLogger(__name__)


class Runs:
    """Starts, watches and stops runs.

    At most `limit` runs may be waiting or running, for `deadline_s` each. `ended` is called with
    each run that is over.
    """

    def __init__(
        self,
        store: Store,
        ideation: Ideation,
        *,
        limit: int,
        deadline_s: float,
        ended: Callable[[RunPublic], None],
    ) -> None:
        self._store = store
        self._ideation = ideation
        self._recorder = Recorder(store)
        self.relay = Relay(store)
        self.late_ends = LateEnds(store, self._end_late)
        self._mirrors = Mirrors(store)
        self._limit = limit
        self._deadline_s = deadline_s
        self._ended = ended
        self._live: OrderedDict[str, LiveRun] = OrderedDict()
        self._admitted = 0
        self._mean_s = 20.0
        self._closing = False

    @property
    def active(self) -> int:
        return self._admitted

    @property
    def is_closing(self) -> bool:
        return self._closing

    async def start(
        self,
        task: Task,
        *,
        client: str = "",
        redraws: str | None = None,
        key: RequestKey | None = None,
    ) -> RunPublic:
        """Plan, store and begin a run, and return at once. `redraws` as in `NewRun`, `key` as in
        `RunStore.create`.

        The task is only read if there is room: a refusal must be quick.

        Raises:
            EngineBusy: too many runs are waiting already, or the server is stopping.
            ServiceError: what `Ideation.plan` raises.
        """
        if self._closing or self._admitted >= self._limit:
            raise self._busy()
        # Counted before the first await, so that a burst cannot pass the limit.
        self._admitted += 1
        try:
            run, planned = await asyncio.to_thread(self._create, task, redraws, key)
        except BaseException:
            self._admitted -= 1
            raise
        live = LiveRun(run.run_id, model=planned.model)
        if self._store.is_shared:
            live.noted = self._note
        self._live[run.run_id] = live
        self._forget_old()
        live.add_event("queued", {"run_id": run.run_id, "position": self._admitted})
        live.task = asyncio.create_task(self._execute(live, planned, client))
        return run

    @property
    def unfinished(self) -> set[str]:
        """The ids of the runs that this server performs."""
        performed = {live.run_id for live in self._live.values() if not live.is_over}
        return performed | self.late_ends.run_ids

    def live(self, run_id: str) -> LiveRun | None:
        """Returns the run in memory; None if it is only in the store."""
        return self._live.get(run_id) or self._mirrors.live(run_id)

    def look(self, run_id: str) -> LiveRun | None:
        """As `live`, also for a run of another server. Blocking: call it in a thread."""
        live = self.live(run_id)
        return self._mirrors.look(run_id) if live is None and self._store.is_shared else live

    @asynccontextmanager
    async def followed(self, run_id: str) -> AsyncIterator[LiveRun | None]:
        """Keeps the run in memory up to date within the block; None if it is only in the store.

        Raises: NotFound, where another server may have the run.
        """
        live = self._live.get(run_id)
        if live is not None or not self._store.is_shared:
            yield live
            return
        async with self._mirrors.following(run_id) as mirror:
            yield mirror

    def queue_position(self, live: LiveRun | None) -> QueuePosition | None:
        """The position of a waiting run; None if the model works on it or it is over."""
        if live is None or live.status != "queued":
            return None
        if live.run_id not in self._live:
            return live.queue_position
        if not live.position:
            return None
        # A copy, because pages look from threads of their own while runs come and go.
        earlier = takewhile(lambda one: one is not live, list(self._live.values()))
        before = tuple(one.run_id for one in earlier if not one.is_over and one.model == live.model)
        return QueuePosition(
            len(before), is_model_ready=self._ideation.is_ready(live.model), before=before
        )

    async def get(self, run_id: str) -> RunPublic:
        return await asyncio.to_thread(self.read, run_id)

    def read(self, run_id: str) -> RunPublic:
        """As `get`, for threads. A run whose end could not be stored yet has failed for those who look.

        Raises: NotFound.
        """
        run, live = self._store.runs.get(run_id), self._live.get(run_id)
        if run_id not in self.late_ends.run_ids or live is None or live.failure is None:
            return run
        failure = RunError.model_validate(record(describe(live.failure)))
        return run.model_copy(update={"status": "failed", "error": failure})

    async def wait(self, run_id: str) -> RunPublic:
        """Wait until the run is done.

        Raises:
            Conflict: somebody stopped it.
            EngineBusy: its server stopped.
            Exception: the error that made it fail.
        """
        async with self.followed(run_id) as live:
            await _end_of(live)
        if live is not None and live.failure is not None:
            raise live.failure
        run = await self.get(run_id)
        if run.status != "done":
            raise not_done(run)
        return run

    async def watch(self, run_id: str, after: int = 0) -> AsyncGenerator[RunEvent, None]:
        """Yields all events after number `after`, past and future, until the run is over.

        Raises: NotFound.
        """
        async with self.followed(run_id) as live:
            if live is None:
                for event in replay(await self.get(run_id)):
                    if event.id > after:
                        yield event
                return
            async with aclosing(_events_of(live, after)) as events:
                async for event in events:
                    yield event

    async def cancel(self, run_id: str) -> RunPublic:
        """Stop the run and free the model. What it has made is kept."""
        if self._store.is_shared and run_id not in self._live:
            await asyncio.to_thread(self._store.replicas.request_stop, run_id)
        self.abandon(run_id)
        async with self.followed(run_id) as live:
            await _end_of(live)
        return await self.get(run_id)

    def abandon(self, run_id: str) -> None:
        """Stop the run without waiting, for callers that are being cancelled themselves."""
        live = self._live.get(run_id)
        if live is not None and live.task is not None and not live.is_over:
            live.task.cancel()

    def give_up(self, run_id: str) -> None:
        """Stop a run that another server has ended."""
        live = self._live.get(run_id)
        if live is not None and not live.is_over:
            live.failure = LeaseLost(LOST)
            self.abandon(run_id)

    async def close(self, drain_s: float) -> None:
        """Refuse new runs, wait `drain_s` for those under way, then interrupt the rest."""
        self._closing = True
        tasks = [live.task for live in self._live.values() if live.task and not live.task.done()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=drain_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _create(
        self, task: Task, redraws: str | None, key: RequestKey | None
    ) -> tuple[RunPublic, PlannedRun]:
        planned = self._ideation.plan(task, redraws)
        return self._store.runs.create(planned.new, key=key), planned

    async def _execute(self, live: LiveRun, planned: PlannedRun, client: str) -> None:
        ledger = Ledger()
        outcome = RunOutcome("interrupted" if self._closing else "cancelled")
        try:
            outcome = await self._perform(live, planned, client, ledger)
        except asyncio.CancelledError:
            outcome = RunOutcome("interrupted" if self._closing else "cancelled")
        except Exception as error:
            live.failure = error
            outcome = RunOutcome("failed", error=describe(error))
            if not isinstance(error, ServiceError):
                _log.exception("run %s failed unexpectedly", live.run_id)
        finally:
            # Shielded: a second cancel must not prevent the end from being stored.
            await asyncio.shield(self._finish(live, ledger, outcome))

    async def _perform(
        self, live: LiveRun, planned: PlannedRun, client: str, ledger: Ledger
    ) -> RunOutcome:
        async def emit(step: Step) -> None:
            await self._recorder.record(live, step)

        try:
            is_one_by_one = RECORDED_KINDS[planned.new.kind].takes_ideas_one_by_one
            async with asyncio.timeout(None if is_one_by_one else self._deadline_s):
                with patient():
                    result = await self._ideation.perform(
                        planned, client=client or live.run_id, ledger=ledger, emit=emit
                    )
        except TimeoutError as error:
            partial_result = self._ideation.result_at_deadline(planned, ledger)
            if live.suggestions and partial_result is not None:
                return RunOutcome("done", result=partial_result)
            raise DeadlineExceeded(
                Text(
                    "The run was stopped after %(seconds)s seconds. Ask for less, or raise "
                    "IDEAPOOL_RUN_DEADLINE_S.",
                    seconds=format(self._deadline_s, "g"),
                )
            ) from error
        return RunOutcome("done", result=result)

    async def _finish(self, live: LiveRun, ledger: Ledger, outcome: RunOutcome) -> None:
        whole = RunOutcome(
            status=outcome.status,
            result=outcome.result,
            error=outcome.error,
            prompts=[[asdict(message) for message in prompt] for prompt in ledger.prompts],
            usage=ledger.tokens,
            timing=live.timing(),
        )
        live.drafts.clear()
        self._admitted -= 1
        try:
            run = await self._store_end(live, whole)
        except ServiceError as error:
            # Those who wait are told now.
            if isinstance(error, StorageUnavailable):
                self.late_ends.keep(live.run_id, whole)
            live.failure, live.status = error, "failed"
            live.add_event("error", describe(error) | {"run_id": live.run_id})
            return
        live.status = run.status
        self._ended(run)
        if run.status == "done":
            self._mean_s = 0.8 * self._mean_s + 0.2 * live.timing()["total_s"]
        for name, data in closing_events(run):
            live.add_event(name, data)

    async def _store_end(self, live: LiveRun, outcome: RunOutcome) -> RunPublic:
        if live.noted is not None:
            # Others make the last events from what is stored, so they need all that came before.
            await self._recorder.patiently(self.relay.flush)
            live.noted = None
            self.relay.forget(live)
        try:
            return await self._recorder.stored(self._store.runs.finish, live.run_id, outcome)
        except LeaseLost as error:
            run = await self._recorder.stored(self._store.runs.get, live.run_id)
            # The same status: it was stored, but the connection broke before this was known.
            if run.status != outcome.status:
                live.failure = live.failure or error
            return run

    def _end_late(self, run: RunPublic) -> None:
        # From now on the store has the whole truth.
        self._live.pop(run.run_id, None)
        self._ended(run)

    def _note(self, live: LiveRun) -> None:
        live.queue_position = self.queue_position(live)
        self.relay.note(live)

    def _busy(self) -> EngineBusy:
        return stopping() if self._closing else too_many(self._admitted, self._mean_s)

    def _forget_old(self) -> None:
        over = [live for live in self._live.values() if live.is_over]
        for live in over[:-KEPT_WITH_DELTAS]:
            live.drop_deltas()
        for live in over[:-KEPT_RUNS]:
            del self._live[live.run_id]


async def _events_of(live: LiveRun, after: int) -> AsyncGenerator[RunEvent, None]:
    # Keep this list: `drop_deltas` replaces it by one without deltas that are still unread.
    events, sent = live.events, 0
    while True:
        changed = live.changed
        while sent < len(events):
            sent += 1
            # The copy of another server's run may still be empty at the beginning.
            if events[sent - 1].id > after:
                yield events[sent - 1]
        if live.is_over:
            return
        await changed.wait()


async def _end_of(live: LiveRun | None) -> None:
    while live is not None and not live.is_over:
        await live.changed.wait()
