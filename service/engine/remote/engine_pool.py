"""The engines that serve one model together: which one gets a request, and which are left out.

It chooses among engines that `PooledEngine` describes, and sends no request itself.
"""

import asyncio
import math
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from service.engine.remote.capabilities import needs_of
from service.engine.remote.discovery import Server
from service.engine.remote.http_client import HttpClient
from service.engine.remote.pooled_engine import PooledEngine
from service.engine.remote.prefixes import blocks_of
from service.engine.types import EngineStatus, Request
from service.errors import EngineBusy
from service.messages import Text

# A prompt that an engine has read already outweighs this share of its slots.
PREFIX_BONUS = 0.25


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is, and the key that it wants."""

    url: str
    key: str | None = None


@dataclass(slots=True)
class _Agreed:
    """What all engines must have in common; a size of 0 is not known yet."""

    model: str
    hidden_size: int
    vector_size: int


class EnginePool:
    def __init__(
        self,
        addresses: Iterable[Address],
        *,
        model: str | None = None,
        slots: int | None = None,
        stall_s: float = 120,
    ) -> None:
        """`model` and `slots` as in `PooledEngine`, `stall_s` as in `HttpClient`."""
        clients = [HttpClient(one.url, one.key, stall_s=stall_s) for one in addresses]
        self.engines = tuple(PooledEngine(one, model=model, slots=slots) for one in clients)
        self._agreed: _Agreed | None = None
        self._turns = count(1)

    @property
    def model(self) -> str | None:
        """The name of the model that the engines serve, or None as long as it is unknown."""
        return self._agreed.model if self._agreed is not None else None

    @property
    def members(self) -> tuple[PooledEngine, ...]:
        """The engines that are not left out for their model."""
        return tuple(one for one in self.engines if one.difference is None)

    def statuses(self) -> tuple[EngineStatus, ...]:
        return tuple(engine.status() for engine in self.engines)

    async def check(self) -> None:
        """Find out which engines can be used, of all at a time."""
        await asyncio.gather(*(engine.check() for engine in self.engines))
        self.settle()

    async def close(self) -> None:
        for engine in self.engines:
            await engine.client.close()

    def settle(self) -> None:
        """Compare what the engines serve, and leave out those that differ.

        The first in the list decides. Later it is what they agreed on, until none of them has it. Then
        the first that is ready decides; one that is gone has nothing any more.
        """
        if any(one.health == "starting" for one in self.engines):
            return
        known = [one for one in self.engines if one.server is not None]
        if not known:
            return
        if not any(self._is_agreed(one) for one in known if not one.is_gone):
            first = min(known, key=lambda one: one.health != "ready")
            if self._agreed is None or first.health == "ready":
                self._agreed = _agreed_on(first)
        for one in known:
            self._compare(one)

    def choose(self, request: Request, tried: Collection[PooledEngine] = ()) -> PooledEngine | None:
        """The least busy engine that can do this; the caller reserves a place there.

        Engines that rest are taken only if there are no others, so that an error says what is wrong
        with them. None if all were `tried`, or if none serves the model. The engine chosen may have
        no free place; then all that could be chosen have none.
        """
        found = self._candidates(request, tried)
        if not found:
            return None
        blocks = blocks_of(request)
        slots = self.slots_by_engine()

        def rank(one: PooledEngine) -> tuple[bool, float, int]:
            own = slots.get(one, one.slots)
            load = len(one.requests) / own
            return load >= 1, load - PREFIX_BONUS * one.prefixes.share_of(blocks), one.turn

        return min(found, key=rank)

    def reserve(self, engine: PooledEngine, request: Request) -> None:
        engine.requests.add(request.id)
        engine.turn = next(self._turns)
        engine.prefixes.add(blocks_of(request))

    def has_place(self, engine: PooledEngine) -> bool:
        return len(engine.requests) < self.slots_by_engine().get(engine, engine.slots)

    def has_another(self, request: Request, tried: Collection[PooledEngine]) -> bool:
        """Whether an engine that was not tried would take the request now."""
        now = time.monotonic()
        return any(
            one.is_usable and one.resumes_at() <= now for one in self._candidates(request, tried)
        )

    def slots_by_engine(self) -> dict[PooledEngine, int]:
        """The engines that get requests now, and how many at a time.

        One that failed gets a single request until that has succeeded, if there are others.
        """
        now = time.monotonic()
        usable = [one for one in self.engines if one.is_usable]
        rested = [one for one in usable if one.resumes_at() <= now]
        if any(one.failed_in_a_row == 0 for one in rested):
            return {one: 1 if one.failed_in_a_row else one.slots for one in rested}
        return {one: one.slots for one in rested or usable}

    def resumes_at(self) -> float:
        """When the next engine that rests may get requests again; `inf` if none rests."""
        now = time.monotonic()
        times = [one.resumes_at() for one in self.engines if one.is_usable]
        return min((moment for moment in times if moment > now), default=math.inf)

    def all_busy(self, last: EngineBusy) -> EngineBusy:
        """The refusal for a request that no engine has taken, with the shortest time to wait."""
        now = time.monotonic()
        waits = [one.busy_until - now for one in self.members if one.busy_until > now]
        if len(self.engines) == 1:
            return last
        wait_s = max(1, math.ceil(min(waits, default=last.retry_after_s)))
        detail = Text("All engines are busy. Try again in %(seconds)s s.", seconds=wait_s)
        return EngineBusy(detail, retry_after_s=wait_s)

    def accepts_vector(self, engine: PooledEngine, size: int) -> bool:
        """Whether an embedding of this size is one of the agreed model; if not, it is left out."""
        engine.vector_size = size
        self.settle()
        return engine.difference is None

    def _candidates(
        self, request: Request, tried: Collection[PooledEngine]
    ) -> Sequence[PooledEngine]:
        """The best of these that there are: able and open now, able but resting, open, or any."""
        untried = [one for one in self.members if one.server is not None and one not in tried]
        needs = needs_of(request)
        able = [one for one in untried if not needs & one.lacks]
        open_now = self.slots_by_engine()
        for group in (
            [one for one in able if one in open_now],
            [one for one in able if one.is_usable],
            [one for one in untried if one in open_now],
        ):
            if group:
                return group
        return untried

    def _is_agreed(self, engine: PooledEngine) -> bool:
        return self._agreed is not None and _difference(engine, self._agreed) is None

    def _compare(self, engine: PooledEngine) -> None:
        assert self._agreed is not None
        assert engine.server is not None
        what = _difference(engine, self._agreed)
        if what is None:
            engine.difference = None
            self._agreed.hidden_size = self._agreed.hidden_size or engine.server.hidden_size
            self._agreed.vector_size = self._agreed.vector_size or engine.vector_size
            return
        engine.difference = Text(
            "%(engine)s is left out: %(what)s. All engines of IDEAPOOL_ENGINE_URL must serve the "
            "same model.",
            engine=engine.client.engine,
            what=what,
        )


def _agreed_on(engine: PooledEngine) -> _Agreed:
    assert engine.server is not None
    return _Agreed(engine.server.model, engine.server.hidden_size, engine.vector_size)


def _difference(engine: PooledEngine, agreed: _Agreed) -> str | None:
    """What the engine has that the others do not have, as part of a sentence."""
    server: Server | None = engine.server
    assert server is not None
    if server.model != agreed.model:
        return Text(
            "it serves %(model)s, and the others serve %(agreed)s",
            model=server.model,
            agreed=agreed.model,
        )
    for own, theirs in (
        (server.hidden_size, agreed.hidden_size),
        (engine.vector_size, agreed.vector_size),
    ):
        if own and theirs and own != theirs:
            return Text(
                "its embeddings have %(own)s numbers, and those of the others have %(agreed)s",
                own=own,
                agreed=theirs,
            )
    return None
