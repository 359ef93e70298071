import pickle
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from service.engine.admission.fair_queue import QueueFullError, Scheduler

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
        self.deadlines: dict[str, float] = {}
        self.count = 0
        self.now = 0.0

    @rule(
        target=requests,
        model=MODELS,
        client=st.sampled_from("abc"),
        timeout_s=st.sampled_from([0.0, 1.0, 5.0, inf]),
    )
    def add(self, model: str, client: str, timeout_s: float) -> str:
        self.count += 1
        request_id = f"r{self.count}"
        deadline = self.now + timeout_s
        if len(self.waiting) + len(self.running) >= LIMIT:
            with pytest.raises(QueueFullError):
                self.scheduler.add(request_id, model, client, deadline=deadline)
        else:
            self.scheduler.add(request_id, model, client, deadline=deadline)
            self.waiting[request_id] = model
            self.deadlines[request_id] = deadline
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
        self.forget(request_id, was_running)

    @rule(request_id=consumes(requests))
    def withdraw(self, request_id: str) -> None:
        was_waiting = self.waiting.pop(request_id, None) is not None
        assert self.scheduler.withdraw(request_id) == was_waiting
        self.forget(request_id, was_waiting)

    def forget(self, request_id: str, is_gone: bool) -> None:
        if is_gone:
            self.deadlines.pop(request_id, None)

    @rule(passed_s=st.sampled_from([0.0, 0.5, 2.0]))
    def time_passes(self, passed_s: float) -> None:
        self.now += passed_s
        late = {one for one, deadline in self.deadlines.items() if deadline <= self.now}
        assert set(self.scheduler.overdue(self.now)) == late
        for request_id in late:
            del self.deadlines[request_id]

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
    def the_next_deadline_is_known(self) -> None:
        assert self.scheduler.next_deadline() == min(self.deadlines.values(), default=inf)

    @invariant()
    def no_model_runs_more_than_its_slots(self) -> None:
        for model, slots in SLOTS.items():
            running = list(self.running.values()).count(model)
            assert running <= slots
            assert self.scheduler.running_for(model) == running

    @invariant()
    def positions_count_from_one_without_gaps(self) -> None:
        for model in SLOTS:
            positions = self.scheduler.positions(model)
            assert sorted(positions.values()) == list(range(1, len(positions) + 1))
            assert self.scheduler.waiting_for(model) == len(positions)
            assert positions.keys() == {one for one in self.waiting if self.waiting[one] == model}


SchedulerLaws.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
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


EVENTS = st.lists(
    st.one_of(st.tuples(st.just("add"), st.integers(0, 9)), st.just(("start", 0))), max_size=120
)


@settings(max_examples=150)
@given(EVENTS, st.integers(1, 3))
def test_nobody_is_overtaken_without_end(events: list[tuple[str, int]], slots: int) -> None:
    """Whatever the others do: once for each place in the queue, per request of one's own."""
    limit = 12
    scheduler = Scheduler({"one": slots}, limit)
    starts = 0
    since: dict[str, tuple[int, int]] = {}
    own: dict[str, str] = {}
    for number, (what, client) in enumerate([*events, *[("start", 0)] * limit]):
        if what == "start":
            for request_id in scheduler.start(["one"]):
                starts += 1
                before, began = since.pop(request_id)
                assert starts - began <= (before + 1) * limit
                scheduler.finish(request_id)
        elif scheduler.waiting < limit:
            name, request_id = f"client-{client}", f"r{number}"
            since[request_id] = sum(own[one] == name for one in since), starts
            own[request_id] = name
            scheduler.add(request_id, "one", name)

    assert not since


@given(st.integers(0, 30))
def test_what_waits_for_one_model_delays_no_other(waiting: int) -> None:
    scheduler = Scheduler({"one": 1, "two": 1}, 100)
    for number in range(waiting):
        scheduler.add(f"one-{number}", "one", "")
    scheduler.start(["one", "two"])
    scheduler.add("other", "two", "")

    assert scheduler.start(["one", "two"]) == ["other"]


def test_a_withdrawn_waiting_request_never_touches_a_running_one() -> None:
    scheduler = Scheduler({"one": 1}, 10)
    scheduler.add("running", "one", "me")
    scheduler.start(["one"])
    scheduler.add("waiting", "one", "me")

    assert not scheduler.withdraw("running")
    assert scheduler.withdraw("waiting")
    assert (scheduler.running, scheduler.waiting) == (1, 0)
    assert scheduler.finish("running")
    assert not scheduler.finish("running")


@pytest.mark.parametrize("slots", [1, 2])
def test_clients_that_come_and_go_leave_nothing_behind(slots: int) -> None:
    scheduler = Scheduler({"one": slots}, 10)
    running: list[str] = []
    sizes = []
    for number in range(2000):
        scheduler.add(f"request-{number:06}", "one", f"client-{number:06}")
        running += scheduler.start(["one"])
        if len(running) == slots:
            scheduler.finish(running.pop(0))
        sizes.append(len(pickle.dumps(scheduler)))

    assert sizes[-1] <= sizes[100] + 100


def test_what_was_let_in_already_is_never_refused_and_takes_no_place() -> None:
    scheduler = Scheduler({"one": 1}, 2)
    for number in range(5):
        scheduler.add(f"part-{number}", "one", "run", takes_place=False)
    scheduler.add("a", "one", "x")
    scheduler.add("b", "one", "x")

    with pytest.raises(QueueFullError):
        scheduler.add("c", "one", "x")

    scheduler.withdraw("a")
    scheduler.add("d", "one", "x")

    assert scheduler.waiting == 7
