"""Which models are in memory: within a budget, in turns, never at the cost of a running request.

Pure; knows neither process nor files. What fits is loaded in the background. A model that is asked
for and does not fit waits, first come first served, until the least recently used idle models make
room. If only busy ones could, they go on for a turn, then start nothing new, finish what runs, and
go. A turn is long against the time that loading takes, so that two models which fight for the same
memory spend it on work and not on being swapped.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

TURN_S = 5.0
TURN_LOADS = 2.0
# Requests that belong together come one after the other, a moment apart.
LINGER_S = 0.25


@dataclass(frozen=True, slots=True)
class Demand:
    """A model's requests."""

    running: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Tenant:
    """Times are those of the caller's clock.

    `idle_since` is None while the model is busy; `wanted_since` while it is not wanted or is in
    memory; `contested_since` while nobody waits for memory.
    """

    weights: Hashable
    weights_bytes: int
    own_bytes: int
    state: Literal["out", "entering", "in", "leaving"] = "out"
    moved_at: float = 0.0
    load_s: float = 0.0
    idle_since: float | None = None
    wanted_since: float | None = None
    contested_since: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now: requests of `open` models may start. Ask again at `wake_at`."""

    open: tuple[str, ...]
    load: str | None = None
    unload: tuple[str, ...] = ()
    wake_at: float = inf


class Memory:
    def __init__(self, limit_bytes: int | None) -> None:
        self.limit: float = inf if limit_bytes is None else limit_bytes
        self._tenants: dict[str, Tenant] = {}
        self._newest: str | None = None

    def admit(self, name: str, weights: Hashable, weights_bytes: int, own_bytes: int) -> None:
        """A model may be loaded from now on; equal `weights` are in memory once."""
        old = self._tenants.get(name)
        if old is None or old.weights != weights:
            self._tenants[name] = Tenant(weights, weights_bytes, own_bytes)

    def remove(self, name: str) -> None:
        self._tenants.pop(name, None)

    def forget_loaded(self) -> None:
        """The process is gone, and the memory with it."""
        for tenant in self._tenants.values():
            tenant.state, tenant.contested_since = "out", None

    def entered(self, name: str, weights_bytes: int, own_bytes: int, now: float) -> None:
        tenant = self._tenants[name]
        tenant.weights_bytes, tenant.own_bytes = weights_bytes, own_bytes
        tenant.load_s = now - tenant.moved_at
        tenant.state, tenant.moved_at = "in", now
        tenant.idle_since = now
        tenant.wanted_since = tenant.contested_since = None
        self._newest = name

    def left(self, name: str) -> None:
        if name in self._tenants:
            self._tenants[name].state = "out"

    @property
    def is_moving(self) -> bool:
        return any(one.state in ("entering", "leaving") for one in self._tenants.values())

    def is_coming(self, name: str) -> bool:
        """Whether the model is being loaded, or requests wait for that."""
        tenant = self._tenants.get(name)
        return tenant is not None and (
            tenant.state == "entering" or tenant.wanted_since is not None
        )

    def bytes_of(self, names: Iterable[str]) -> int:
        tenants = [self._tenants[name] for name in names]
        weights: dict[Hashable, int] = {}
        for tenant in tenants:
            weights[tenant.weights] = max(tenant.weights_bytes, weights.get(tenant.weights, 0))
        return sum(weights.values()) + sum(tenant.own_bytes for tenant in tenants)

    def can_ever_hold(self, name: str) -> bool:
        return self._fits([name])

    def plan(self, demands: Mapping[str, Demand], now: float) -> Plan:
        """Decide; the caller is taken to do at once what the plan says."""
        self._observe(demands, now)
        victims = self._victims()
        closing = {name for name in victims if self._turn_end(name) <= now}
        inside = self._inside()
        times = [self._leaves_at(name, demands) for name in victims]
        unload: tuple[str, ...] = ()
        load: str | None = None
        if victims and max(times) <= now:
            unload = self._move(victims, "leaving", now)
        elif not victims and not self.is_moving:
            load = self._next_load()
            self._move([load] if load is not None else [], "entering", now)
        times += [self._turn_end(name) for name in victims if not unload]
        return Plan(
            open=tuple(name for name in inside if name not in closing and name not in unload),
            load=load,
            unload=unload,
            wake_at=min((time for time in times if time > now), default=inf),
        )

    def _observe(self, demands: Mapping[str, Demand], now: float) -> None:
        for name, tenant in self._tenants.items():
            demand = demands.get(name, Demand())
            is_idle = not demand.running and not demand.waiting
            is_wanted = tenant.state == "out" and demand.waiting > 0
            tenant.idle_since = _since(is_idle, tenant.idle_since, now)
            tenant.wanted_since = _since(is_wanted, tenant.wanted_since, now)
        is_contest, victims = self._claimant() is not None, self._victims()
        for name, tenant in self._tenants.items():
            # It goes on counting while another model is the better victim for a moment.
            was_contested = tenant.contested_since is not None
            is_contested = is_contest and (was_contested or name in victims)
            tenant.contested_since = _since(is_contested, tenant.contested_since, now)

    def _inside(self) -> list[str]:
        return [name for name, tenant in self._tenants.items() if tenant.state == "in"]

    def _held(self) -> list[str]:
        return [name for name, tenant in self._tenants.items() if tenant.state != "out"]

    def _claimant(self) -> str | None:
        """Who needs room: the newest if it turned out larger than thought, else who is wanted."""
        if self._newest in self._inside() and not self._fits(self._held()):
            return self._newest
        wanted = [
            (tenant.wanted_since, name)
            for name, tenant in self._tenants.items()
            if tenant.wanted_since is not None
        ]
        return min(wanted)[1] if wanted else None

    def _victims(self) -> list[str]:
        """Who must go for the claimant: idle ones first, the least recently used before others."""
        claimant = self._claimant()
        if claimant is None or self.is_moving:
            return []
        stay = {*self._held(), claimant}
        victims: list[str] = []
        for name in sorted(set(self._inside()) - {claimant}, key=self._rank):
            if self._fits(stay):
                break
            stay.discard(name)
            victims.append(name)
        for name in tuple(victims):
            if self._fits({*stay, name}):
                stay.add(name)
                victims.remove(name)
        return victims

    def _rank(self, name: str) -> tuple[bool, float, str]:
        tenant = self._tenants[name]
        if tenant.idle_since is not None:
            return False, tenant.idle_since, name
        return True, inf if tenant.contested_since is None else tenant.contested_since, name

    def _next_load(self) -> str | None:
        """Who is wanted, else the first that fits beside the others."""
        claimant = self._claimant()
        if claimant is not None:
            is_out = self._tenants[claimant].state == "out"
            return claimant if is_out and self._fits({*self._held(), claimant}) else None
        out = [name for name, tenant in self._tenants.items() if tenant.state == "out"]
        return next((name for name in out if self._fits({*self._held(), name})), None)

    def _turn_end(self, name: str) -> float:
        tenant, claimant = self._tenants[name], self._claimant()
        if tenant.contested_since is None or claimant is None:
            return inf
        loads_s = tenant.load_s + self._tenants[claimant].load_s
        return tenant.contested_since + max(TURN_S, TURN_LOADS * loads_s)

    def _leaves_at(self, name: str, demands: Mapping[str, Demand]) -> float:
        """When the model may go as things stand; `inf` while it must finish something."""
        tenant, demand = self._tenants[name], demands.get(name, Demand())
        if demand.running:
            return inf
        if demand.waiting or tenant.idle_since is None:
            return self._turn_end(name)
        return min(self._turn_end(name), tenant.idle_since + LINGER_S)

    def _fits(self, names: Collection[str]) -> bool:
        return self.bytes_of(names) <= self.limit

    def _move(
        self, names: Collection[str], state: Literal["entering", "leaving"], now: float
    ) -> tuple[str, ...]:
        for name in names:
            self._tenants[name].state, self._tenants[name].moved_at = state, now
        return tuple(names)


def _since(is_so: bool, since: float | None, now: float) -> float | None:
    if not is_so:
        return None
    return now if since is None else since
