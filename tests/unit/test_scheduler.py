import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from service.engine.scheduler import QueueFullError, Scheduler

SLOTS = {"one": 1, "two": 2}
LIMIT = 6
MODELS = st.sampled_from(sorted(SLOTS))
READY = st.sets(MODELS)


class SchedulerLaws(RuleBasedStateMachine):
    """Against a plain list of who should be where."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(SLOTS, LIMIT)
        self.waiting: dict[str, str] = {}
        self.running: dict[str, str] = {}
        self.count = 0

    @rule(target=requests, model=MODELS, client=st.sampled_from("abc"))
    def add(self, model: str, client: str) -> str:
        self.count += 1
        request_id = f"r{self.count}"
        if len(self.waiting) + len(self.running) >= LIMIT:
            with pytest.raises(QueueFullError):
                self.scheduler.add(request_id, model, client)
        else:
            self.scheduler.add(request_id, model, client)
            self.waiting[request_id] = model
        return request_id

    @rule(request_id=requests)
    def add_twice(self, request_id: str) -> None:
        if request_id in self.waiting or request_id in self.running:
            with pytest.raises(ValueError, match=request_id):
                self.scheduler.add(request_id, "one", "a")

    @rule(ready=READY)
    def start(self, ready: set[str]) -> None:
        before = {model: self.scheduler.positions(model) for model in SLOTS}
        for request_id in self.scheduler.start(ready):
            model = self.waiting.pop(request_id)
            assert model in ready
            self.running[request_id] = model
        for model in ready:
            waiting = [one for one in self.waiting if self.waiting[one] == model]
            started = [one for one in before[model] if one not in self.waiting]
            assert not waiting or list(self.running.values()).count(model) == SLOTS[model]
            assert all(before[model][one] <= len(started) for one in started)

    @rule(request_id=requests)
    def finish(self, request_id: str) -> None:
        was_running = self.running.pop(request_id, None) is not None
        assert self.scheduler.finish(request_id) == was_running

    @rule(request_id=consumes(requests))
    def withdraw(self, request_id: str) -> None:
        was_waiting = self.waiting.pop(request_id, None) is not None
        assert self.scheduler.withdraw(request_id) == was_waiting

    @rule(request_id=requests)
    def put_back(self, request_id: str) -> None:
        model = self.running.pop(request_id, None)
        assert self.scheduler.put_back(request_id) == (model is not None)
        if model is not None:
            self.waiting[request_id] = model
            assert list(self.scheduler.positions(model))

    @invariant()
    def nobody_is_lost_or_counted_twice(self) -> None:
        assert self.scheduler.running == len(self.running)
        assert self.scheduler.waiting == len(self.waiting)
        assert not self.waiting.keys() & self.running.keys()

    @invariant()
    def no_model_runs_more_than_its_slots(self) -> None:
        for model, slots in SLOTS.items():
            assert list(self.running.values()).count(model) <= slots

    @invariant()
    def positions_count_from_one_without_gaps(self) -> None:
        for model in SLOTS:
            positions = self.scheduler.positions(model)
            assert sorted(positions.values()) == list(range(1, len(positions) + 1))
            assert positions.keys() == {one for one in self.waiting if self.waiting[one] == model}


SchedulerLaws.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSchedulerLaws = SchedulerLaws.TestCase


def order_of(scheduler: Scheduler) -> list[str]:
    """Run everything that waits, one after the other."""
    order = []
    while started := scheduler.start(["one"]):
        order += started
        scheduler.finish(started[0])
    return order


def test_one_client_is_served_first_come_first_served() -> None:
    scheduler = Scheduler({"one": 1}, 10)
    for request_id in "abcd":
        scheduler.add(request_id, "one", "me")

    assert order_of(scheduler) == ["a", "b", "c", "d"]


def test_fifty_requests_of_one_client_delay_another_by_at_most_one() -> None:
    scheduler = Scheduler({"one": 1}, 100)
    for early in ("early-1", "early-2", "early-3"):
        scheduler.add(early, "one", early)
    order_of(scheduler)
    for number in range(50):
        scheduler.add(f"many-{number}", "one", "greedy")
    scheduler.start(["one"])
    scheduler.add("first", "one", "modest")
    scheduler.add("second", "one", "modest")
    scheduler.finish("many-0")

    assert order_of(scheduler)[:4] == ["first", "many-1", "second", "many-2"]


def test_ever_new_clients_starve_nobody() -> None:
    scheduler = Scheduler({"one": 1}, 100)
    for request_id in ("mine-0", "mine-1"):
        scheduler.add(request_id, "one", "me")
    (running,) = scheduler.start(["one"])
    served = []
    for number in range(10):
        scheduler.add(f"new-{number}", "one", f"client-{number}")
        scheduler.finish(running)
        (running,) = scheduler.start(["one"])
        served.append(running)

    assert "mine-1" in served[:3]


def test_what_was_cancelled_is_not_held_against_a_client() -> None:
    scheduler = Scheduler({"one": 1}, 100)
    scheduler.add("running", "one", "other")
    scheduler.start(["one"])
    for number in range(20):
        scheduler.add(f"regretted-{number}", "one", "me")
    for number in range(20):
        scheduler.withdraw(f"regretted-{number}")
    scheduler.add("other-1", "one", "other")
    scheduler.add("mine", "one", "me")

    assert scheduler.positions("one")["mine"] == 1


def test_a_model_that_is_not_ready_starts_nothing() -> None:
    scheduler = Scheduler(SLOTS, 10)
    scheduler.add("a", "one", "")
    scheduler.add("b", "two", "")

    assert scheduler.start(["two"]) == ["b"]
    assert scheduler.positions("one") == {"a": 1}


def test_what_is_put_back_keeps_its_place() -> None:
    scheduler = Scheduler({"one": 1}, 10)
    for request_id in "abc":
        scheduler.add(request_id, "one", "me")
    scheduler.start(["one"])
    scheduler.put_back("a")

    assert order_of(scheduler) == ["a", "b", "c"]
