"""Plans which models are in memory, within a budget and without stopping a running request.

Pure: it knows neither process nor files.

Models that fit are loaded in the background. A model with waiting requests that does not fit waits
for memory, first come, first served: the least recently used idle models are evicted for it. If
only busy models could make room, they keep their memory for a time slice, then start no new
requests, finish the running ones and are evicted. The time slice is several times as long as
loading takes, so that two models that compete for the same memory spend most of the time working.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from service.engine.admission.fair_queue import RequestCounts

# A time slice has this length, or this multiple of the time that both models take to load.
TIME_SLICE_S = 5.0
TIME_SLICE_LOADS = 2.0
# An idle model is kept this long, because the requests of one task follow each other closely.
IDLE_GRACE_S = 0.25


@dataclass(slots=True)
class ModelMemory:
    """A model that may be loaded, and its place in memory.

    `weights` identifies the weights, which models may share; `own_bytes` is what the model needs
    besides them. Times are seconds of the caller's clock. `idle_since` is None while the model is
    busy. `wanted_since` is the time since which requests wait for the model to be loaded.
    `contested_since` is the time since which another model needs this one's memory.
    """

    weights: Hashable
    weights_bytes: int
    own_bytes: int
    state: Literal["unloaded", "loading", "loaded", "unloading"] = "unloaded"
    changed_at: float = 0.0
    load_s: float = 0.0
    idle_since: float | None = None
    wanted_since: float | None = None
    contested_since: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What to do now. Requests of `serving` models may start; plan again at `plan_again_at`."""

    serving: tuple[str, ...]
    load: str | None = None
    unload: tuple[str, ...] = ()
    plan_again_at: float = inf


class MemoryPlanner:
    def __init__(self, limit_bytes: int | None) -> None:
        self.limit: float = inf if limit_bytes is None else limit_bytes
        self._models: dict[str, ModelMemory] = {}
        self._last_loaded: str | None = None

    def add(self, name: str, weights: Hashable, weights_bytes: int, own_bytes: int) -> None:
        """Allow a model to be loaded; models with equal `weights` share them in memory."""
        old = self._models.get(name)
        if old is None or old.weights != weights:
            self._models[name] = ModelMemory(weights, weights_bytes, own_bytes)

    def remove(self, name: str) -> None:
        self._models.pop(name, None)

    def on_process_gone(self) -> None:
        """All memory is free, because the process has ended."""
        for model in self._models.values():
            model.state, model.contested_since = "unloaded", None

    def on_loaded(self, name: str, weights_bytes: int, own_bytes: int, now: float) -> None:
        model = self._models[name]
        model.weights_bytes, model.own_bytes = weights_bytes, own_bytes
        model.load_s = now - model.changed_at
        model.state, model.changed_at = "loaded", now
        model.idle_since = now
        model.wanted_since = model.contested_since = None
        self._last_loaded = name

    def on_unloaded(self, name: str) -> None:
        if name in self._models:
            self._models[name].state = "unloaded"

    @property
    def is_changing(self) -> bool:
        return any(one.state in ("loading", "unloading") for one in self._models.values())

    def is_wanted_or_loading(self, name: str) -> bool:
        """Whether the model is being loaded, or requests wait for it to be loaded."""
        model = self._models.get(name)
        return model is not None and (model.state == "loading" or model.wanted_since is not None)

    def needed_bytes(self, names: Iterable[str]) -> int:
        models = [self._models[name] for name in names]
        weights: dict[Hashable, int] = {}
        for model in models:
            weights[model.weights] = max(model.weights_bytes, weights.get(model.weights, 0))
        return sum(weights.values()) + sum(model.own_bytes for model in models)

    def can_ever_fit(self, name: str) -> bool:
        return self._fits([name])

    def plan(self, counts: Mapping[str, RequestCounts], now: float) -> MemoryPlan:
        """Decide what to load and unload. The caller must carry out the plan at once."""
        self._note_times(counts, now)
        victims = self._victims()
        draining = {name for name in victims if self._slice_end(name) <= now}
        loaded = self._loaded()
        times = [self._evictable_at(name, counts) for name in victims]
        unload: tuple[str, ...] = ()
        load: str | None = None
        if victims and max(times) <= now:
            unload = self._set_state(victims, "unloading", now)
        elif not victims and not self.is_changing:
            load = self._next_load()
            self._set_state([load] if load is not None else [], "loading", now)
        times += [self._slice_end(name) for name in victims if not unload]
        return MemoryPlan(
            serving=tuple(name for name in loaded if name not in draining and name not in unload),
            load=load,
            unload=unload,
            plan_again_at=min((time for time in times if time > now), default=inf),
        )

    def _note_times(self, counts: Mapping[str, RequestCounts], now: float) -> None:
        for name, model in self._models.items():
            requests = counts.get(name, RequestCounts())
            is_idle = not requests.running and not requests.waiting
            is_wanted = model.state == "unloaded" and requests.waiting > 0
            model.idle_since = _since(is_idle, model.idle_since, now)
            model.wanted_since = _since(is_wanted, model.wanted_since, now)
        is_contest, victims = self._claimant() is not None, self._victims()
        for name, model in self._models.items():
            # The time slice goes on while another model is the better victim for a moment.
            was_contested = model.contested_since is not None
            is_contested = is_contest and (was_contested or name in victims)
            model.contested_since = _since(is_contested, model.contested_since, now)

    def _loaded(self) -> list[str]:
        return [name for name, model in self._models.items() if model.state == "loaded"]

    def _occupying(self) -> list[str]:
        return [name for name, model in self._models.items() if model.state != "unloaded"]

    def _claimant(self) -> str | None:
        """The model that needs memory.

        It is the model loaded last if that is larger than estimated, else the one wanted longest.
        """
        if self._last_loaded in self._loaded() and not self._fits(self._occupying()):
            return self._last_loaded
        wanted = [
            (model.wanted_since, name)
            for name, model in self._models.items()
            if model.wanted_since is not None
        ]
        return min(wanted)[1] if wanted else None

    def _victims(self) -> list[str]:
        """The models to evict for the claimant: idle ones first, the least recently used first."""
        claimant = self._claimant()
        if claimant is None or self.is_changing:
            return []
        kept = {*self._occupying(), claimant}
        victims: list[str] = []
        for name in sorted(set(self._loaded()) - {claimant}, key=self._eviction_order):
            if self._fits(kept):
                break
            kept.discard(name)
            victims.append(name)
        for name in tuple(victims):
            if self._fits({*kept, name}):
                kept.add(name)
                victims.remove(name)
        return victims

    def _eviction_order(self, name: str) -> tuple[bool, float, str]:
        model = self._models[name]
        if model.idle_since is not None:
            return False, model.idle_since, name
        return True, inf if model.contested_since is None else model.contested_since, name

    def _next_load(self) -> str | None:
        """The claimant if it fits, or without a claimant the first model that fits."""
        claimant = self._claimant()
        if claimant is not None:
            is_unloaded = self._models[claimant].state == "unloaded"
            return claimant if is_unloaded and self._fits({*self._occupying(), claimant}) else None
        unloaded = [name for name, model in self._models.items() if model.state == "unloaded"]
        return next((name for name in unloaded if self._fits({*self._occupying(), name})), None)

    def _slice_end(self, name: str) -> float:
        model, claimant = self._models[name], self._claimant()
        if model.contested_since is None or claimant is None:
            return inf
        loads_s = model.load_s + self._models[claimant].load_s
        return model.contested_since + max(TIME_SLICE_S, TIME_SLICE_LOADS * loads_s)

    def _evictable_at(self, name: str, counts: Mapping[str, RequestCounts]) -> float:
        """When the model may be evicted, or `inf` while requests run on it."""
        model, requests = self._models[name], counts.get(name, RequestCounts())
        if requests.running:
            return inf
        if requests.waiting or model.idle_since is None:
            return self._slice_end(name)
        return min(self._slice_end(name), model.idle_since + IDLE_GRACE_S)

    def _fits(self, names: Collection[str]) -> bool:
        return self.needed_bytes(names) <= self.limit

    def _set_state(
        self, names: Collection[str], state: Literal["loading", "unloading"], now: float
    ) -> tuple[str, ...]:
        for name in names:
            self._models[name].state, self._models[name].changed_at = state, now
        return tuple(names)


def _since(holds: bool, since: float | None, now: float) -> float | None:
    """The time since which something holds, or None if it does not hold now."""
    if not holds:
        return None
    return now if since is None else since
