import pickle
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from service.engine.admission.fair_queue import FairQueue, QueueFullError, ShareTakenError

SLOTS = {"one": 1, "two": 2}
LIMIT = 6
MODELS = st.sampled_from(sorted(SLOTS))
READY = st.sets(MODELS)


class FairQueueMachine(RuleBasedStateMachine):
    """Compares the queue with plain dictionaries of waiting and running requests."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue(SLOTS, LIMIT)
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
                self.queue.add(request_id, model, client, deadline=deadline)
        else:
            self.queue.add(request_id, model, client, deadline=deadline)
            self.waiting[request_id] = model
            self.deadlines[request_id] = deadline
        return request_id

    @rule(request_id=requests)
    def add_twice(self, request_id: str) -> None:
        if request_id in self.waiting or request_id in self.running:
            with pytest.raises(ValueError, match=request_id):
                self.queue.add(request_id, "one", "a")

    @rule(ready=READY)
    def start(self, ready: set[str]) -> None:
        before = {model: self.queue.positions(model) for model in SLOTS}
        for request_id in self.queue.start(ready):
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
        assert self.queue.finish(request_id) == was_running
        self.forget(request_id, was_running)

    @rule(request_id=consumes(requests))
    def withdraw(self, request_id: str) -> None:
        was_waiting = self.waiting.pop(request_id, None) is not None
        assert self.queue.withdraw(request_id) == was_waiting
        self.forget(request_id, was_waiting)

    def forget(self, request_id: str, is_gone: bool) -> None:
        if is_gone:
            self.deadlines.pop(request_id, None)

    @rule(passed_s=st.sampled_from([0.0, 0.5, 2.0]))
    def time_passes(self, passed_s: float) -> None:
        self.now += passed_s
        late = {one for one, deadline in self.deadlines.items() if deadline <= self.now}
        assert set(self.queue.overdue(self.now)) == late
        for request_id in late:
            del self.deadlines[request_id]

    @rule(request_id=requests)
    def put_back(self, request_id: str) -> None:
        model = self.running.pop(request_id, None)
        assert self.queue.put_back(request_id) == (model is not None)
        if model is not None:
            self.waiting[request_id] = model
            assert list(self.queue.positions(model))

    @invariant()
    def every_request_is_waiting_or_running(self) -> None:
        assert self.queue.running == len(self.running)
        assert self.queue.waiting == len(self.waiting)
        assert not self.waiting.keys() & self.running.keys()

    @invariant()
    def the_next_deadline_is_known(self) -> None:
        assert self.queue.next_deadline() == min(self.deadlines.values(), default=inf)

    @invariant()
    def no_model_runs_more_than_its_slots(self) -> None:
        for model, slots in SLOTS.items():
            running = list(self.running.values()).count(model)
            assert running <= slots
            assert self.queue.counts()[model].running == running

    @invariant()
    def positions_count_from_one_without_gaps(self) -> None:
        for model in SLOTS:
            positions = self.queue.positions(model)
            assert sorted(positions.values()) == list(range(1, len(positions) + 1))
            assert self.queue.counts()[model].waiting == len(positions)
            assert positions.keys() == {one for one in self.waiting if self.waiting[one] == model}


FairQueueMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestFairQueue = FairQueueMachine.TestCase


def order_of(queue: FairQueue) -> list[str]:
    """Run everything that waits, one after the other."""
    order = []
    while started := queue.start(["one"]):
        order += started
        queue.finish(started[0])
    return order


def test_one_client_is_served_first_come_first_served() -> None:
    queue = FairQueue({"one": 1}, 10)
    for request_id in "abcd":
        queue.add(request_id, "one", "me")

    assert order_of(queue) == ["a", "b", "c", "d"]


def test_fifty_requests_of_one_client_delay_another_by_at_most_one() -> None:
    queue = FairQueue({"one": 1}, 100)
    for early in ("early-1", "early-2", "early-3"):
        queue.add(early, "one", early)
    order_of(queue)
    for number in range(50):
        queue.add(f"many-{number}", "one", "greedy")
    queue.start(["one"])
    queue.add("first", "one", "modest")
    queue.add("second", "one", "modest")
    queue.finish("many-0")

    assert order_of(queue)[:4] == ["first", "many-1", "second", "many-2"]


def test_a_stream_of_new_clients_starves_nobody() -> None:
    queue = FairQueue({"one": 1}, 100)
    for request_id in ("mine-0", "mine-1"):
        queue.add(request_id, "one", "me")
    (running,) = queue.start(["one"])
    served = []
    for number in range(10):
        queue.add(f"new-{number}", "one", f"client-{number}")
        queue.finish(running)
        (running,) = queue.start(["one"])
        served.append(running)

    assert "mine-1" in served[:3]


def test_withdrawn_requests_do_not_delay_their_client_later() -> None:
    queue = FairQueue({"one": 1}, 100)
    queue.add("running", "one", "other")
    queue.start(["one"])
    for number in range(20):
        queue.add(f"withdrawn-{number}", "one", "me")
    for number in range(20):
        queue.withdraw(f"withdrawn-{number}")
    queue.add("other-1", "one", "other")
    queue.add("mine", "one", "me")

    assert queue.positions("one")["mine"] == 1


def test_a_model_that_is_not_ready_starts_no_requests() -> None:
    queue = FairQueue(SLOTS, 10)
    queue.add("a", "one", "")
    queue.add("b", "two", "")

    assert queue.start(["two"]) == ["b"]
    assert queue.positions("one") == {"a": 1}


def test_a_request_that_is_put_back_keeps_its_place() -> None:
    queue = FairQueue({"one": 1}, 10)
    for request_id in "abc":
        queue.add(request_id, "one", "me")
    queue.start(["one"])
    queue.put_back("a")

    assert order_of(queue) == ["a", "b", "c"]


EVENTS = st.lists(
    st.one_of(st.tuples(st.just("add"), st.integers(0, 9)), st.just(("start", 0))), max_size=120
)


@settings(max_examples=150)
@given(EVENTS, st.integers(1, 3))
def test_each_request_is_overtaken_a_bounded_number_of_times(
    events: list[tuple[str, int]], slots: int
) -> None:
    """At most once for each place in the queue, for each earlier request of the same client."""
    limit = 12
    queue = FairQueue({"one": slots}, limit)
    starts = 0
    since: dict[str, tuple[int, int]] = {}
    own: dict[str, str] = {}
    for number, (what, client) in enumerate([*events, *[("start", 0)] * limit]):
        if what == "start":
            for request_id in queue.start(["one"]):
                starts += 1
                before, began = since.pop(request_id)
                assert starts - began <= (before + 1) * limit
                queue.finish(request_id)
        elif queue.waiting < limit:
            name, request_id = f"client-{client}", f"r{number}"
            since[request_id] = sum(own[one] == name for one in since), starts
            own[request_id] = name
            queue.add(request_id, "one", name)

    assert not since


@given(st.integers(0, 30))
def test_requests_of_one_model_do_not_delay_another_model(waiting: int) -> None:
    queue = FairQueue({"one": 1, "two": 1}, 100)
    for number in range(waiting):
        queue.add(f"one-{number}", "one", "")
    queue.start(["one", "two"])
    queue.add("other", "two", "")

    assert queue.start(["one", "two"]) == ["other"]


def test_withdrawing_leaves_running_requests_alone() -> None:
    queue = FairQueue({"one": 1}, 10)
    queue.add("running", "one", "me")
    queue.start(["one"])
    queue.add("waiting", "one", "me")

    assert not queue.withdraw("running")
    assert queue.withdraw("waiting")
    assert (queue.running, queue.waiting) == (1, 0)
    assert queue.finish("running")
    assert not queue.finish("running")


@pytest.mark.parametrize("slots", [1, 2])
def test_the_queue_forgets_clients_that_have_left(slots: int) -> None:
    queue = FairQueue({"one": slots}, 10)
    running: list[str] = []
    sizes = []
    for number in range(2000):
        queue.add(f"request-{number:06}", "one", f"client-{number:06}")
        running += queue.start(["one"])
        if len(running) == slots:
            queue.finish(running.pop(0))
        sizes.append(len(pickle.dumps(queue)))

    assert sizes[-1] <= sizes[100] + 100


def test_a_request_that_takes_no_place_is_never_refused() -> None:
    queue = FairQueue({"one": 1}, 2)
    for number in range(5):
        queue.add(f"part-{number}", "one", "run", takes_place=False)
    queue.add("a", "one", "x")
    queue.add("b", "one", "x")

    with pytest.raises(QueueFullError):
        queue.add("c", "one", "x")

    queue.withdraw("a")
    queue.add("d", "one", "x")

    assert queue.waiting == 7


def test_a_holder_never_takes_all_places_and_gets_them_back() -> None:
    queue = FairQueue(SLOTS, 32)
    for number in range(queue.share):
        queue.add(f"a{number}", "one", f"a {number}", holder="a")
    with pytest.raises(ShareTakenError):
        queue.add("more", "one", "a more", holder="a")
    for number in range(32 - queue.share):
        queue.add(f"b{number}", "one", "b", holder="b")
    with pytest.raises(QueueFullError):
        queue.add("c", "one", "c", holder="c")
    queue.withdraw("a0")

    assert queue.share == 24
    queue.add("more", "one", "a more", holder="a")


def test_a_queue_of_one_place_gives_it_to_anybody() -> None:
    queue = FairQueue(SLOTS, 1)
    queue.add("a", "one", "a", holder="a")

    assert queue.waiting == 1
