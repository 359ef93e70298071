"""Which engine gets a request, without any network."""

import time

import pytest

from service.engine.remote.dialects import LLAMA_SERVER, OLLAMA, Dialect
from service.engine.remote.discovery import Server
from service.engine.remote.engine_pool import Address, EnginePool
from service.engine.remote.prefixes import BLOCK_CHARS, REMEMBERED_BLOCKS, SeenPrefixes, blocks_of
from service.engine.types import EmbedRequest, GenerateRequest, Message, ProbeRequest
from service.errors import EngineBusy, EngineCrashed

CRASH = EngineCrashed("It stopped.")


def ready_pool(*slots: int, dialects: tuple[Dialect, ...] = ()) -> EnginePool:
    pool = EnginePool(Address(f"http://engine-{n}") for n in range(len(slots)))
    kinds = dialects or (LLAMA_SERVER,) * len(slots)
    for engine, count, dialect in zip(pool.engines, slots, kinds, strict=True):
        engine._use(Server("m", dialect, 4096, count))
    pool.settle()
    return pool


def ask(name: str, text: str = "", grammar: str | None = None) -> GenerateRequest:
    return GenerateRequest(name, "m", (Message("user", text or name),), 8, grammar=grammar)


def send(pool: EnginePool, request: GenerateRequest) -> int:
    engine = pool.choose(request)
    assert engine is not None
    pool.reserve(engine, request)
    return pool.engines.index(engine)


def test_idle_engines_take_turns() -> None:
    pool = ready_pool(4, 4, 4)
    taken = []
    for number in range(6):
        request = ask(str(number))
        taken.append(send(pool, request))
        pool.engines[taken[-1]].requests.clear()

    assert taken == [0, 1, 2, 0, 1, 2]


def test_load_is_the_share_of_the_slots_that_is_taken() -> None:
    pool = ready_pool(8, 2)
    taken = [send(pool, ask(str(number))) for number in range(10)]

    assert (taken.count(0), taken.count(1)) == (8, 2)
    assert taken[:5].count(1) == 1


def test_a_known_beginning_outweighs_a_small_difference_in_load_only() -> None:
    pool = ready_pool(8, 8)
    topic = "t" * 10 * BLOCK_CHARS
    taken = [send(pool, ask(str(number), topic)) for number in range(4)]

    assert taken == [0, 0, 1, 1]


def test_an_engine_on_trial_gets_one_request_at_a_time() -> None:
    pool = ready_pool(4, 4)
    pool.engines[0].failed(CRASH)
    assert [send(pool, ask(str(number))) for number in range(3)] == [1, 1, 1]

    pool.engines[0].health = "ready"
    taken = [send(pool, ask(f"later {number}")) for number in range(2)]

    assert taken == [0, 1]
    assert pool.slots_by_engine() == {pool.engines[0]: 1, pool.engines[1]: 4}
    pool.engines[0].succeeded()
    assert sum(pool.slots_by_engine().values()) == 8


def test_requests_that_fail_together_are_one_failure() -> None:
    pool = ready_pool(4, 4)
    first = pool.engines[0]
    for _ in range(4):
        first.failed(CRASH)

    assert (first.failures, first.failed_in_a_row) == (4, 1)
    first.health = "ready"
    assert first.resumes_at() < time.monotonic()
    first.failed(CRASH)
    assert first.resumes_at() > time.monotonic()


def test_a_busy_engine_rests_unless_there_is_no_other() -> None:
    pool = ready_pool(2, 2)
    pool.engines[0].refused(EngineBusy("full", retry_after_s=60))

    assert [send(pool, ask(str(number))) for number in range(2)] == [1, 1]
    assert pool.slots_by_engine() == {pool.engines[1]: 2}
    pool.engines[1].refused(EngineBusy("full", retry_after_s=30))
    assert sum(pool.slots_by_engine().values()) == 4
    assert pool.all_busy(EngineBusy("full", retry_after_s=60)).retry_after_s == 30


def test_an_answer_ends_the_rest_of_a_busy_engine() -> None:
    pool = ready_pool(2, 2)
    first = pool.engines[0]
    first.refused(EngineBusy("full", retry_after_s=60))
    first.succeeded()

    assert pool.slots_by_engine() == {first: 2, pool.engines[1]: 2}


def test_an_engine_that_lacks_something_is_asked_only_if_all_lack_it() -> None:
    pool = ready_pool(4, 4, dialects=(OLLAMA, LLAMA_SERVER))
    taken = [send(pool, ask(str(number), grammar="g")) for number in range(4)]
    alone = ready_pool(4, 4, dialects=(OLLAMA, OLLAMA))

    assert taken == [1, 1, 1, 1]
    assert send(alone, ask("a", grammar="g")) == 0


def test_an_able_engine_that_rests_is_chosen_before_one_that_lacks_something() -> None:
    pool = ready_pool(4, 4, dialects=(OLLAMA, LLAMA_SERVER))
    able = pool.engines[1]
    able.refused(EngineBusy("full", retry_after_s=60))
    assert pool.choose(ask("a", grammar="g")) is able

    able.failed(CRASH)
    assert pool.choose(ask("b", grammar="g")) is pool.engines[0]


def test_a_server_that_was_seen_last_does_not_change_what_is_agreed_on() -> None:
    pool = EnginePool(Address(f"http://engine-{n}") for n in range(2))
    pool.engines[1]._use(Server("other", LLAMA_SERVER, 0, None))
    pool.settle()
    assert pool.model is None

    pool.engines[0]._use(Server("m", LLAMA_SERVER, 0, None))
    pool.settle()

    assert pool.model == "m"
    assert pool.members == (pool.engines[0],)


def test_prompts_have_a_hash_for_each_whole_block() -> None:
    text = "x" * (3 * BLOCK_CHARS)
    first, second = blocks_of(ask("a", text)), blocks_of(ask("b", text[:-BLOCK_CHARS] + "y" * 200))
    probe = ProbeRequest("p", "m", ((Message("user", text),), (Message("user", "z"),)), ("0", "1"))

    assert len(first) == 3
    assert first[:2] == second[:2]
    assert first[2] != second[2]
    assert blocks_of(probe) == first
    assert blocks_of(EmbedRequest("e", "m", text)) == ()


def test_a_raw_prompt_may_be_text_or_tokens() -> None:
    text, tokens = "x" * 300, tuple(range(200))

    for prompt in (text, tokens):
        assert blocks_of(GenerateRequest("r", "m", (), 8, prompt=prompt))


def test_only_an_unbroken_beginning_counts_and_old_ones_are_forgotten() -> None:
    seen = SeenPrefixes()
    seen.add((1, 2, 4))

    assert seen.share_of((1, 2, 3, 4)) == 0.5
    assert seen.share_of(()) == 0.0
    seen.add(range(10, 10 + REMEMBERED_BLOCKS))
    assert seen.share_of((1, 2)) == 0.0


def rolled_out() -> EnginePool:
    """The second of two engines serves a new model and waits for the first one."""
    pool = ready_pool(4, 4)
    pool.engines[1]._use(Server("new", LLAMA_SERVER, 4096, 4))
    pool.settle()
    assert pool.members == (pool.engines[0],)
    return pool


def test_an_engine_that_is_gone_keeps_no_new_model_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = rolled_out()
    old, new = pool.engines
    old.failed(CRASH)
    pool.settle()
    # It may only be starting again.
    assert (pool.model, new.is_usable) == ("m", False)

    monkeypatch.setattr("service.engine.remote.pooled_engine.GONE_S", 0.0)
    pool.settle()
    assert (pool.model, new.is_usable) == ("new", True)

    old._use(Server("m", LLAMA_SERVER, 4096, 4))
    pool.settle()
    assert (pool.model, old.is_usable, new.is_usable) == ("new", False, True)


def test_while_no_engine_answers_the_model_stays_the_one_they_agreed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.engine.remote.pooled_engine.GONE_S", 0.0)
    pool = ready_pool(4, 4)
    pool.engines[0]._use(Server("new", LLAMA_SERVER, 4096, 4))
    pool.settle()
    for engine in pool.engines:
        engine.failed(CRASH)
        pool.settle()

    assert pool.model == "m"


def test_an_engine_that_answers_again_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.engine.remote.pooled_engine.GONE_S", 0.0)
    pool = rolled_out()
    old = pool.engines[0]
    old.failed(CRASH)
    old._use(Server("m", LLAMA_SERVER, 4096, 4))
    pool.settle()

    assert (pool.model, old.is_usable) == ("m", True)
