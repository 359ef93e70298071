"""Which slot of a cache a request gets, and what it starts with, in a cache that is simulated."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from numpy.typing import NDArray

from service.engine.decoding.kv_layout import KvLayout, Slot, StreamsLayout, UnifiedLayout
from service.engine.decoding.prefix_reuse import Reuse, Wanted
from service.engine.decoding.prompt_cache import PromptCache

SYSTEM = [1, 2, 3, 4]
PIECE = 4
LAYOUTS: list[KvLayout] = [StreamsLayout(4, 1000), UnifiedLayout(4, 100, 100)]


@dataclass(frozen=True, eq=False)
class Cell:
    """The number depends on all tokens before and on the pieces in which they were decoded."""

    number: int


class FakeCache:
    """Cells of sequences; a state is the bytes of their numbers."""

    def __init__(self, *, can_cut: bool = True) -> None:
        self.cells: dict[int, list[Cell]] = {}
        self.can_cut = can_cut
        self.saves = 0

    def decode(self, sequence: int, piece: Sequence[int]) -> None:
        cells = self.cells.setdefault(sequence, [])
        before = cells[-1].number if cells else 0
        for index in range(len(piece)):
            known = repr((before, list(piece[: index + 1]), len(piece)))
            cells.append(Cell(zlib.crc32(known.encode())))

    def numbers(self, sequence: int) -> list[int]:
        return [cell.number for cell in self.cells.get(sequence, [])]

    def keep(self, sequence: int, tokens: int) -> bool:
        if tokens and not self.can_cut:
            self.cells[sequence] = []
            return False
        self.cells[sequence] = self.cells.get(sequence, [])[:tokens]
        return True

    def share(self, source: int, target: int, tokens: int) -> None:
        self.cells[target] += self.cells[source][:tokens]

    def save(self, sequence: int) -> NDArray[np.uint8]:
        self.saves += 1
        return np.array(self.numbers(sequence), dtype=np.uint32).view(np.uint8)

    def restore(self, sequence: int, state: NDArray[np.uint8]) -> None:
        assert not self.cells.get(sequence)
        self.cells[sequence] = [Cell(int(number)) for number in state.view(np.uint32)]


@dataclass
class Running:
    slot: Slot
    prompt: list[int]
    reuse: Reuse
    known: int
    answer: list[int] = field(default_factory=list)


class Simulation:
    """What a loaded model does, without a model."""

    def __init__(self, layout: KvLayout, *, can_cut: bool = True) -> None:
        self.layout = layout
        self.cache = FakeCache(can_cut=can_cut)
        self.prompts = PromptCache(layout, self.cache, can_cut=can_cut)
        self.running: dict[str, Running] = {}

    def take(
        self, key: str, prompt: list[int], reuse: Reuse = "pieces", *, need: int = 16
    ) -> Running | None:
        slot = self.prompts.take(key, Wanted(prompt, ends_of(prompt), reuse), need)
        if slot is None:
            return None
        known = len(slot.cached.tokens)
        assert slot.cached.tokens == prompt[:known]
        assert len(self.cache.numbers(slot.sequence)) == known
        self.running[key] = Running(slot, prompt, reuse, known)
        return self.running[key]

    def read(self, key: str, pieces: int = 1000) -> None:
        """Decode so many pieces of the prompt, or all that are left."""
        one = self.running[key]
        cached = one.slot.cached
        start, size = len(cached.tokens), len(one.prompt)
        ends = [end for end in ends_of(one.prompt) if end > start]
        if not cached.is_in_pieces:
            ends = [*range(start + PIECE, size, PIECE), size]
        for end in ends[:pieces]:
            self.cache.decode(one.slot.sequence, one.prompt[start:end])
            self.prompts.note_piece(one.slot, one.prompt, end, is_system=end == len(SYSTEM))
            start = end
        if start == size and one.slot.cached.prompt != size:
            self.prompts.note_prompt(one.slot, self.logits(one.slot))

    def ask(
        self, key: str, prompt: list[int], reuse: Reuse = "pieces", *, need: int = 16
    ) -> Running:
        self.prompts.enqueue(key)
        one = self.take(key, prompt, reuse, need=need)
        assert one is not None
        self.read(key)
        return one

    def write(self, key: str, token: int) -> None:
        self.cache.decode(self.running[key].slot.sequence, [token])
        self.running[key].answer.append(token)

    def end(self, key: str) -> None:
        one = self.running.pop(key)
        self.prompts.release(one.slot, one.answer if one.reuse == "everything" else [])

    def run(self, key: str, prompt: list[int], reuse: Reuse = "pieces", answer: Any = ()) -> int:
        """One request from the start to the end; returns how much of its prompt was known."""
        one = self.ask(key, prompt, reuse)
        for token in answer:
            self.write(key, token)
        self.end(key)
        return one.known

    def logits(self, slot: Slot) -> NDArray[np.float32]:
        return np.array([self.cache.numbers(slot.sequence)[-1] % 2**24], dtype=np.float32)

    def check(self, key: str) -> None:
        """A repeatable request that has read its prompt has what one has in an empty cache."""
        one = self.running[key]
        if one.reuse == "pieces" and one.slot.cached.prompt == len(one.prompt):
            fresh = FakeCache()
            start = 0
            for end in ends_of(one.prompt):
                fresh.decode(0, one.prompt[start:end])
                start = end
            numbers = self.cache.numbers(one.slot.sequence)
            assert numbers[: len(one.prompt)] == fresh.numbers(0)
            assert one.slot.cached.logits == [fresh.numbers(0)[-1] % 2**24]


def ends_of(prompt: list[int]) -> tuple[int, ...]:
    return (*range(PIECE, len(prompt), PIECE), len(prompt))


@pytest.fixture(params=LAYOUTS)
def model(request: pytest.FixtureRequest) -> Simulation:
    return Simulation(request.param)


def test_a_prompt_starts_from_the_pieces_that_another_request_has_decoded(
    model: Simulation,
) -> None:
    first = model.ask("a", [*SYSTEM, 5, 6, 7, 8, 9])
    second = model.ask("b", [*SYSTEM, 5, 6, 7, 8, 10])

    assert second.slot is not first.slot
    assert second.known == 8
    model.check("b")


def test_a_shared_prefix_ends_where_a_piece_ends(model: Simulation) -> None:
    model.ask("a", [*SYSTEM, 5, 6, 7])

    assert model.ask("b", [*SYSTEM, 5, 6, 9, 9, 9]).known == 4


def test_a_prompt_that_comes_again_is_known_to_its_end(model: Simulation) -> None:
    prompt = [*SYSTEM, 5, 6]
    assert model.run("a", prompt, answer=[7, 8]) == 0

    again = model.ask("b", prompt)
    assert again.known == len(prompt)
    model.check("b")


def test_a_prompt_that_comes_again_while_it_is_answered_is_known_to_its_end(
    model: Simulation,
) -> None:
    prompt = [*SYSTEM, 5, 6]
    model.ask("a", prompt)
    model.write("a", 9)

    assert model.ask("b", prompt).known == len(prompt)
    model.check("b")


def test_the_start_of_a_longer_prompt_is_not_taken_for_the_whole(model: Simulation) -> None:
    model.run("a", [*SYSTEM, 5, 6, 7, 8, 9])

    assert model.ask("b", [*SYSTEM, 5, 6, 7, 8]).known == 4
    model.check("b")


def test_a_chat_that_need_not_be_repeatable_goes_on_from_its_answer(model: Simulation) -> None:
    told = [*SYSTEM, 5, 6]
    model.run("a", told, "everything", answer=[7, 8, 9])
    longer = [*told, 7, 8, 9, 10, 11]

    assert model.run("b", longer, "everything", answer=[12]) == 9
    assert model.run("c", [*longer, 12, 13, 14], "everything") == 12


def test_a_repeatable_chat_goes_on_from_the_pieces_of_its_prompt(model: Simulation) -> None:
    told = [*SYSTEM, 5, 6]
    model.run("a", told, "everything", answer=[7, 8, 9])
    model.run("b", [*told, 7, 8, 9, 10, 11], "everything")

    again = model.ask("c", [*told, 7, 8, 9, 10, 11])
    assert again.known == 4
    model.check("c")


def test_an_answer_is_not_kept_for_requests_that_must_be_repeatable(model: Simulation) -> None:
    model.run("a", [*SYSTEM, 5, 6], answer=[7, 8, 9])

    assert model.run("b", [*SYSTEM, 5, 6, 7, 8, 9, 10], "everything") == 6


def test_prompts_of_more_requests_than_slots_come_again(model: Simulation) -> None:
    prompts = [[*SYSTEM, 10 + number, 6, 7] for number in range(6)]
    for round in range(3):
        known = [model.run(f"{round}-{n}", prompt) for n, prompt in enumerate(prompts)]
        assert round == 0 or known == [7] * len(prompts)


def test_prompts_in_rounds_are_saved_once() -> None:
    model = Simulation(StreamsLayout(2, 1000))
    prompts = [[*SYSTEM, 10 + number, 6, 7] for number in range(4)]
    for round in range(9):
        for number, prompt in enumerate(prompts):
            model.run(f"{round}-{number}", prompt)

    assert model.cache.saves <= 8


def test_a_kept_prompt_moves_beside_the_requests_that_run() -> None:
    model = Simulation(StreamsLayout(4, 1000))
    far, near = [*SYSTEM, 5, 6], [*SYSTEM, 7, 8]
    for key in "abc":
        model.ask(key, [*SYSTEM, 9, ord(key)])
    model.run("far", far)
    for key in "bc":
        model.end(key)
    model.run("near", near)
    again = model.ask("again", far)

    assert again.known == len(far)
    assert sorted(one.slot.sequence for one in model.running.values()) == [0, 1]
    model.check("again")
    assert model.run("and near", near) == len(near)


def test_neighbouring_streams_are_taken() -> None:
    model = Simulation(StreamsLayout(8, 1000))
    held = [model.ask(str(number), [number] * 5) for number in range(4)]
    model.end("1")

    assert model.ask("again", [7] * 5).slot is held[1].slot


def test_the_last_slot_moves_into_a_gap_and_what_was_there_is_kept() -> None:
    model = Simulation(StreamsLayout(8, 1000))
    held = [model.ask(str(number), [number] * 5) for number in range(4)]
    model.end("1")
    model.prompts.close_gap()

    assert held[3].slot.sequence == 1
    for key in model.running:
        model.check(key)
    assert model.run("again", [1] * 5) == 5


def test_a_request_waits_until_the_cache_has_room_for_its_longest_answer() -> None:
    model = Simulation(UnifiedLayout(4, 40, 40))
    model.ask("a", [1] * 5, need=30)
    model.prompts.enqueue("b")

    assert model.take("b", [2] * 5, need=20) is None

    model.end("a")

    assert model.take("b", [2] * 5, need=20) is not None


def test_the_prefix_that_is_reused_is_not_evicted() -> None:
    model = Simulation(UnifiedLayout(4, 40, 40))
    model.run("known", [*SYSTEM, 5, 6, 7, 8, 9, 9, 9, 9])
    model.ask("running", [30] * 5, need=20)

    assert model.ask("next", [*SYSTEM, 5, 6, 7, 8, 10]).known == 8
    model.check("next")


def test_a_small_request_does_not_overtake_a_large_one() -> None:
    model = Simulation(UnifiedLayout(4, 40, 40))
    model.ask("a", [1] * 5, need=30)
    model.prompts.enqueue("large")
    model.prompts.enqueue("small")

    assert model.take("large", [2] * 5, need=20) is None
    assert model.take("small", [3] * 5, need=5) is None


def test_a_request_that_stops_waiting_does_not_hold_up_the_next() -> None:
    model = Simulation(StreamsLayout(1, 1000))
    model.prompts.enqueue("gone")
    model.prompts.enqueue("next")
    model.prompts.dequeue("gone")

    assert model.take("next", [1] * 5) is not None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_where_a_sequence_cannot_be_cut_whole_prompts_come_again(layout: KvLayout) -> None:
    model = Simulation(layout, can_cut=False)
    prompt = [*SYSTEM, 5, 6, 7, 8, 9]
    model.run("a", prompt, answer=[1, 2])

    assert model.run("other", [*SYSTEM, 5, 6, 7, 8, 10]) == len(SYSTEM)
    again = model.ask("b", prompt)
    assert again.known == len(prompt)
    model.check("b")


class PromptCacheMachine(RuleBasedStateMachine):
    """Requests that come and go in any order, on a cache of either layout."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Simulation(LAYOUTS[0])
        self.waiting: dict[str, tuple[list[int], Reuse, int]] = {}
        self.told: list[list[int]] = [[]]
        self.count = 0

    @initialize(
        layout=st.sampled_from([StreamsLayout(4, 1000), UnifiedLayout(4, 40, 40)]),
        can_cut=st.sampled_from([True, True, True, False]),
    )
    def choose_layout(self, layout: KvLayout, can_cut: bool) -> None:
        self.model = Simulation(layout, can_cut=can_cut)

    @rule(
        data=st.data(),
        own=st.lists(st.integers(5, 6), max_size=6),
        reuse=st.sampled_from(["pieces", "everything", "nothing"]),
        answer=st.integers(1, 12),
    )
    def ask(self, data: st.DataObject, own: list[int], reuse: Reuse, answer: int) -> None:
        """A new chat, one that was begun before, or just the same again."""
        told = data.draw(st.sampled_from(self.told))[:20]
        prompt = [*(told or SYSTEM), *own]
        self.count += 1
        self.waiting[f"r{self.count}"] = (prompt, reuse, len(prompt) + answer)
        self.model.prompts.enqueue(f"r{self.count}")

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), pieces=st.sampled_from([0, 1, 1000]))
    def try_to_start(self, data: st.DataObject, pieces: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        prompt, reuse, need = self.waiting[key]
        is_first = key == next(iter(self.waiting))
        held = self.model.running.values()
        used = sum(one.slot.reserved for one in held)
        has_room = not self.model.layout.is_unified or used + need <= self.model.layout.cells
        is_expected = is_first and has_room and len(held) < 4

        assert (self.model.take(key, prompt, reuse, need=need) is not None) == is_expected
        if is_expected:
            del self.waiting[key]
            self.model.read(key, pieces)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[key]
        self.model.prompts.dequeue(key)

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), token=st.integers(5, 6))
    def go_on(self, data: st.DataObject, token: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.running)))
        one = self.model.running[key]
        if one.slot.cached.prompt < len(one.prompt):
            self.model.read(key)
        elif len(one.prompt) + len(one.answer) < one.slot.reserved:
            self.model.write(key, token)

    @precondition(lambda self: self.model.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.running)))
        one = self.model.running[key]
        self.told.append([*one.prompt, *one.answer])
        self.model.end(key)

    @rule()
    def close_gaps(self) -> None:
        self.model.prompts.close_gap()

    @invariant()
    def no_two_requests_share_a_sequence(self) -> None:
        sequences = [one.slot.sequence for one in self.model.running.values()]
        assert len(set(sequences)) == len(sequences)

    @invariant()
    def repeatable_requests_have_what_they_have_in_an_empty_cache(self) -> None:
        for key in self.model.running:
            self.model.check(key)

    @invariant()
    def the_cache_never_overflows(self) -> None:
        cells = {id(cell) for cells in self.model.cache.cells.values() for cell in cells}
        assert len(cells) <= self.model.layout.cells


TestPromptCache = PromptCacheMachine.TestCase
TestPromptCache.settings = settings(max_examples=200, stateful_step_count=40)


@pytest.mark.parametrize("layout", [StreamsLayout(2, 1000), UnifiedLayout(2, 100, 100)])
def test_a_released_slot_is_free_again(layout: KvLayout) -> None:
    model = Simulation(layout)
    for number in range(50):
        assert model.run(str(number), [number + 5, *SYSTEM]) == 0
