"""Which models are in memory, on a simulated clock."""

from dataclasses import dataclass, field
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.admission.fair_queue import RequestCounts
from service.engine.embedded.residency import (
    IDLE_GRACE_S,
    TIME_SLICE_LOADS,
    TIME_SLICE_S,
    MemoryPlan,
    MemoryPlanner,
)

SIZES = {"a": 5, "b": 4, "c": 3}
LIMIT = 8
LOAD_S = 2.0
LONGEST_RUN_S = 3.0
SLOTS = 2
Arrival = tuple[float, str, float]  # when, for which model, how long it runs


def memory_of(limit: int | None, **sizes: int) -> MemoryPlanner:
    memory = MemoryPlanner(limit)
    for name, size in sizes.items():
        memory.add(name, f"{name}.gguf", 0, size)
    return memory


def enter(memory: MemoryPlanner, name: str, size: int, now: float = 0.0) -> None:
    memory.on_loaded(name, 0, size, now)


def loaded(limit: int, sizes: dict[str, int], *inside: str) -> MemoryPlanner:
    """A planner with `inside` loaded, one second after the other."""
    memory = memory_of(limit, **sizes)
    for now, name in enumerate(inside):
        assert memory.plan({name: RequestCounts(waiting=1)}, now).load == name
        enter(memory, name, sizes[name], now)
    return memory


def test_without_a_limit_every_model_is_loaded_one_after_the_other() -> None:
    memory = memory_of(None, a=10**12, b=10**12)

    assert memory.plan({}, 0) == MemoryPlan(serving=(), load="a")
    assert memory.plan({}, 1).load is None
    enter(memory, "a", 10**12)
    assert memory.plan({}, 2) == MemoryPlan(serving=("a",), load="b")


def test_a_model_with_waiting_requests_is_loaded_first() -> None:
    memory = memory_of(None, a=1, b=1)

    assert memory.plan({"b": RequestCounts(waiting=1)}, 0).load == "b"


def test_a_model_that_does_not_fit_is_not_loaded_without_requests() -> None:
    memory = memory_of(8, a=5, b=4, c=3)
    memory.plan({}, 0)
    enter(memory, "a", 5)

    assert memory.plan({}, 1).load == "c"
    enter(memory, "c", 3)
    assert memory.plan({}, 2) == MemoryPlan(serving=("a", "c"))


def test_the_least_recently_used_idle_model_is_evicted() -> None:
    memory = loaded(8, SIZES | {"d": 3}, "a", "c")
    memory.plan({"a": RequestCounts(running=1)}, 3)
    memory.plan({}, 4)

    plan = memory.plan({"d": RequestCounts(waiting=1)}, 9)

    assert plan.unload == ("c",)
    assert plan.serving == ("a",)


def test_no_more_models_are_evicted_than_needed() -> None:
    memory = loaded(8, {"a": 1, "b": 6, "c": 6}, "a", "b")

    assert memory.plan({"c": RequestCounts(waiting=1)}, 9).unload == ("b",)


def test_a_model_is_loaded_only_when_memory_is_free() -> None:
    memory = loaded(8, SIZES, "a")
    counts = {"b": RequestCounts(waiting=1)}

    assert memory.plan(counts, 9) == MemoryPlan(serving=(), unload=("a",))
    assert memory.plan(counts, 10) == MemoryPlan(serving=())
    memory.on_unloaded("a")
    assert memory.plan(counts, 11).load == "b"


def test_a_busy_model_keeps_its_time_slice_then_drains_and_is_evicted() -> None:
    memory = loaded(8, SIZES, "a")
    busy = {"a": RequestCounts(running=2, waiting=2), "b": RequestCounts(waiting=1)}

    during = memory.plan(busy, 9)
    after = memory.plan(busy, 9 + TIME_SLICE_S)
    idle = memory.plan(busy | {"a": RequestCounts(waiting=2)}, 20)

    assert during == MemoryPlan(serving=("a",), plan_again_at=9 + TIME_SLICE_S)
    assert after == MemoryPlan(serving=())
    assert idle.unload == ("a",)


def test_a_time_slice_does_not_start_again_when_another_model_pauses() -> None:
    memory = loaded(8, {"a": 4, "b": 4, "c": 4}, "a", "b")
    busy = {
        "a": RequestCounts(running=1, waiting=1),
        "b": RequestCounts(running=1),
        "c": RequestCounts(waiting=1),
    }
    memory.plan(busy, 10)
    memory.plan(busy | {"b": RequestCounts()}, 12)
    memory.plan(busy, 12.1)

    assert memory.plan(busy, 10 + TIME_SLICE_S).serving == ("b",)


def test_a_time_slice_is_longer_than_loading_takes() -> None:
    memory = memory_of(8, a=5, b=5)
    memory.plan({"a": RequestCounts(waiting=1)}, 0)
    enter(memory, "a", 5, now=30)
    both = {"a": RequestCounts(running=1), "b": RequestCounts(waiting=1)}

    assert memory.plan(both, 31).plan_again_at == 31 + TIME_SLICE_LOADS * 30


def test_an_idle_model_is_kept_a_moment_for_the_next_request() -> None:
    memory = loaded(8, SIZES, "a")
    wanted = {"b": RequestCounts(waiting=1)}
    memory.plan(wanted | {"a": RequestCounts(running=1)}, 9)

    at_once = memory.plan(wanted, 10)
    later = memory.plan(wanted, 10 + IDLE_GRACE_S)

    assert at_once == MemoryPlan(serving=("a",), plan_again_at=10 + IDLE_GRACE_S)
    assert later.unload == ("a",)


def test_models_get_memory_in_the_order_in_which_they_asked_for_it() -> None:
    memory = loaded(8, {"a": 8, "b": 8, "c": 8}, "a")
    memory.plan({"a": RequestCounts(running=1), "c": RequestCounts(waiting=1)}, 5)
    wanted = {"b": RequestCounts(waiting=9), "c": RequestCounts(waiting=1)}
    memory.plan(wanted | {"a": RequestCounts(running=1)}, 6)

    assert memory.plan(wanted, 20).unload == ("a",)
    memory.on_unloaded("a")
    assert memory.plan(wanted | {"a": RequestCounts(waiting=1)}, 21).load == "c"


def test_shared_weights_count_once() -> None:
    memory = MemoryPlanner(10)
    memory.add("base", "one.gguf", 8, 0)
    memory.add("tuned", "one.gguf", 8, 1)
    memory.plan({}, 0)
    memory.on_loaded("base", 8, 1, 1)

    assert memory.plan({}, 2).load == "tuned"
    memory.on_loaded("tuned", 8, 1, 3)
    assert memory.needed_bytes(["base", "tuned"]) == 10


def test_other_models_are_evicted_for_one_that_is_larger_than_estimated() -> None:
    memory = loaded(8, {"a": 4, "b": 4}, "a", "b")
    enter(memory, "b", 6)

    assert memory.plan({}, 9).unload == ("a",)


def test_a_model_larger_than_the_budget_is_recognised() -> None:
    memory = memory_of(8, a=9, b=8)

    assert not memory.can_ever_fit("a")
    assert memory.can_ever_fit("b")


def test_nothing_is_in_memory_after_the_process_has_ended() -> None:
    memory = loaded(8, SIZES, "a", "c")
    memory.on_process_gone()

    assert memory.plan({"b": RequestCounts(waiting=1)}, 9) == MemoryPlan(serving=(), load="b")


@dataclass
class World:
    """A simulated process that loads models and runs requests."""

    memory: MemoryPlanner
    now: float = 0.0
    moves: list[tuple[float, str, str]] = field(default_factory=list)
    waiting: list[Arrival] = field(default_factory=list)
    running: list[tuple[float, str]] = field(default_factory=list)
    waits: list[tuple[Arrival, float]] = field(default_factory=list)
    inside: set[str] = field(default_factory=set)
    switches: int = 0

    def counts(self) -> dict[str, RequestCounts]:
        return {
            name: RequestCounts(
                sum(model == name for _, model in self.running),
                sum(model == name for _, model, _ in self.waiting),
            )
            for name in SIZES
        }

    def act(self) -> float:
        """Carry out the plan; returns the time of the next event."""
        plan = self.memory.plan(self.counts(), self.now)
        assert set(plan.serving) <= self.inside
        for name in plan.unload:
            assert name in self.inside
            assert not self.counts()[name].running
            self.inside.discard(name)
            self.moves.append((self.now, "unloaded", name))
        if plan.load is not None:
            assert sum(SIZES[name] for name in (*self.inside, plan.load)) <= LIMIT
            assert plan.load not in self.inside
            self.switches += 1
            self.moves.append((self.now + LOAD_S, "loaded", plan.load))
        for request in list(self.waiting):
            came, model, lasts = request
            if model in plan.serving and self.counts()[model].running < SLOTS:
                self.waiting.remove(request)
                self.waits.append((request, self.now - came))
                self.running.append((self.now + lasts, model))
        times = [time for time, _, _ in self.moves] + [time for time, _ in self.running]
        return min([*times, plan.plan_again_at])

    def advance(self, until: float) -> None:
        self.now = until
        self.running = [one for one in self.running if one[0] > until]
        for move in [one for one in self.moves if one[0] <= until]:
            self.moves.remove(move)
            _, what, name = move
            if what == "unloaded":
                self.memory.on_unloaded(name)
            else:
                self.inside.add(name)
                self.memory.on_loaded(name, 0, SIZES[name], self.now)

    def play(self, arrivals: list[Arrival]) -> None:
        """Run until nothing is left to do."""
        pending = sorted(arrivals)
        for _ in range(10_000):
            next_at = min(self.act(), pending[0][0] if pending else inf)
            if next_at == inf:
                return
            self.advance(next_at)
            while pending and pending[0][0] <= self.now:
                self.waiting.append(pending.pop(0))
        raise AssertionError("the simulation never ends")


ARRIVALS = st.lists(
    st.tuples(
        st.floats(0, 60),
        st.sampled_from(sorted(SIZES)),
        st.floats(0.01, LONGEST_RUN_S),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(ARRIVALS)
def test_every_request_runs_and_no_busy_model_is_ever_unloaded(
    arrivals: list[Arrival],
) -> None:
    world = World(memory_of(LIMIT, **SIZES))
    world.play(arrivals)

    assert len(world.waits) == len(arrivals)
    assert not world.waiting


@settings(max_examples=20)
@given(ARRIVALS, st.sampled_from(sorted(SIZES)), st.floats(0, 40))
def test_a_flood_for_other_models_delays_a_request_by_a_bounded_time(
    arrivals: list[Arrival], model: str, came: float
) -> None:
    flood = [(at, name, lasts) for at, name, lasts in arrivals if name != model]
    steady = [(at / 2, name, 1.0) for at in range(120) for name in SIZES if name != model]
    world = World(memory_of(LIMIT, **SIZES))
    alone = (came, model, 0.5)
    world.play([*flood, *steady, alone])

    (waited_s,) = (wait for request, wait in world.waits if request is alone)
    slice_s = max(TIME_SLICE_S, TIME_SLICE_LOADS * 2 * LOAD_S)
    # Two other models may come first; each is loaded, has its time slice, and drains.
    assert waited_s <= 3 * (slice_s + LONGEST_RUN_S + 2 * LOAD_S)


def test_two_models_that_compete_for_memory_are_not_swapped_for_each_request() -> None:
    world = World(memory_of(5, a=5, b=4))
    world.play([(at / 4, name, 0.5) for at in range(240) for name in "ab"])

    assert world.now / world.switches >= max(TIME_SLICE_S, TIME_SLICE_LOADS * 2 * LOAD_S)


def test_a_removed_model_is_never_loaded() -> None:
    memory = memory_of(None, a=1)
    memory.remove("a")
    memory.on_unloaded("a")

    assert memory.plan({"a": RequestCounts(waiting=1)}, 0) == MemoryPlan(serving=())
