"""Every architecture of the catalog, as a tiny random model: what is cached changes no answer.

Each answer is compared with one that is computed from nothing, token by token, without the engine's
slots. `unified` and `streams` are the two layouts of the cache.
"""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.catalog import CatalogModel
from service.engine.decoding.chat_template import ChatTokeniser
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.files.cache_size import cache_size
from service.engine.files.gguf_header import read_metadata
from service.engine.llama import Chunk, Context, ContextSize, Library, LlamaModel
from service.engine.types import (
    CacheLayout,
    Delta,
    Embedding,
    EmbedRequest,
    Event,
    Finished,
    GenerateRequest,
    Message,
    Probabilities,
    ProbeRequest,
    Request,
    Sampling,
    Scored,
    ScoreRequest,
    Started,
    Usage,
)
from tests.engine.conftest import settle, start_backend
from tests.support.engine_events import logprobs_of
from tests.support.tiny_models import TINY_MODELS, WINDOW, write_tiny_model

CONTEXT, SLOTS, BATCH = 768, 4, 64
TIMEOUT_S = 60
LAYOUTS: tuple[CacheLayout, ...] = ("unified", "streams")
# Sums are rounded otherwise in other batches, and random weights make much of it.
NEAR = 0.1
# What a saved sequence says of each cell, at most.
CELL_BYTES = 24
# Longer than a sliding window and than a prefill chunk.
SYSTEM = "You answer in few words. " * 4
LONG = "Name what grows in a garden, on a roof, in a pot and at the side of a road. " * 2
Chat = tuple[Message, ...]
Row = NDArray[np.float64]
numbers = itertools.count()


def chat(text: str, system: str = SYSTEM) -> Chat:
    return Message("system", system), Message("user", text)


def ask(model: str, messages: Chat, tokens: int = 8, **more: object) -> GenerateRequest:
    greedy = Sampling(temperature=0)
    return GenerateRequest(
        f"tiny-{next(numbers)}",
        model,
        messages,
        tokens,
        greedy,
        logprobs=0,
        **more,  # type: ignore[arg-type]
    )


class FromNothing:
    """Answers with an empty cache for each request: what every other way is compared with."""

    def __init__(self, library: Library, path: Path) -> None:
        self.weights = LlamaModel(library, path)
        self.tokeniser = ChatTokeniser(self.weights, None)
        size = ContextSize(CONTEXT, 1, BATCH, is_unified=True)
        self.context = Context(self.weights, size, threads=1)

    def logprobs(self, messages: Chat) -> Row:
        """Of every token of the vocabulary, after the prompt."""
        self.context.keep(0, 0)
        tokens = self.tokeniser.prompt(messages).tokens
        for start in range(0, len(tokens), BATCH):
            row = self.decode(start, tokens[start : start + BATCH])
        return row

    def answer(self, messages: Chat, tokens: int) -> Iterator[tuple[str, float, bool]]:
        """The text and logprob of each likeliest token, and whether the next best is as likely."""
        row = self.logprobs(messages)
        position = len(self.tokeniser.prompt(messages).tokens)
        for index in range(tokens):
            token = int(row.argmax())
            text = self.weights.piece(token, special=True).decode("utf-8", "replace")
            second, first = np.partition(row, -2)[-2:]
            yield text, float(first), bool(first - second < 2 * NEAR)
            row = self.decode(position + index, [token])

    def decode(self, position: int, tokens: list[int]) -> Row:
        rows = self.context.decode([Chunk(0, position, tokens, "last")])[0]
        assert rows is not None
        row: Row = rows[0].astype(np.float64)
        logprobs: Row = row - row.max() - np.log(np.exp(row - row.max()).sum())
        return logprobs

    def close(self) -> None:
        self.context.close()
        self.weights.close()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    return {
        name: write_tiny_model(folder / f"{name}.gguf", tiny) for name, tiny in TINY_MODELS.items()
    }


@pytest.fixture(scope="module")
def backend(runner: asyncio.Runner, paths: dict[str, Path]) -> Iterator[EmbeddedBackend]:
    """One process with all of them, each in both layouts."""
    models = tuple(
        CatalogModel(
            f"{name}-{layout}",
            ("brainstorm", "general"),
            path=path,
            context=CONTEXT,
            slots=SLOTS,
            cache=layout,
        )
        for name, path in paths.items()
        for layout in LAYOUTS
    )
    folder = next(iter(paths.values())).parent
    backend = start_backend(runner, models, folder, threads=1, queue_limit=100)
    runner.run(settle(backend))
    yield backend
    runner.run(backend.close())


@pytest.fixture(params=list(TINY_MODELS))
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=LAYOUTS)
def model(request: pytest.FixtureRequest, architecture: str) -> str:
    return f"{architecture}-{request.param}"


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    library = Library()
    yield library
    library.close()


@pytest.fixture
def from_nothing(
    library: Library, paths: dict[str, Path], architecture: str
) -> Iterator[FromNothing]:
    one = FromNothing(library, paths[architecture])
    yield one
    one.close()


@pytest.fixture
def events(runner: asyncio.Runner, backend: EmbeddedBackend) -> "Run":
    return Run(runner, backend)


class Run:
    def __init__(self, runner: asyncio.Runner, backend: EmbeddedBackend) -> None:
        self._runner, self._backend = runner, backend

    def __call__(self, *requests: Request) -> list[list[Event]]:
        """All events of requests that are sent together."""

        async def one(request: Request) -> list[Event]:
            return [event async for event in self._backend.submit(request)]

        async def together() -> list[list[Event]]:
            return await asyncio.wait_for(asyncio.gather(*map(one, requests)), TIMEOUT_S)

        return self._runner.run(together())

    def until_cancelled(self, request: Request) -> None:
        """Stop a request after its first words."""

        async def scenario() -> None:
            async with asyncio.timeout(TIMEOUT_S):
                async for event in self._backend.submit(request):
                    if isinstance(event, Delta):
                        await self._backend.cancel(request.id)

        self._runner.run(scenario())


def usage(events: list[Event]) -> Usage:
    assert isinstance(events[-1], Finished), events
    return events[-1].usage


def assert_as_from_nothing(
    events: list[Event], from_nothing: FromNothing, messages: Chat, tokens: int = 8
) -> None:
    """Up to where two tokens are as likely as each other."""
    found = logprobs_of(events)
    assert len(found) == tokens
    for one, (text, logprob, is_tie) in zip(
        found, from_nothing.answer(messages, tokens), strict=True
    ):
        if is_tie and one.text != text:
            return
        assert one.text == text
        assert one.logprob == pytest.approx(logprob, abs=NEAR)


def test_it_is_loaded(backend: EmbeddedBackend, model: str) -> None:
    (info,) = [one for one in backend.models() if one.name == model]

    assert (info.state, info.error) == ("ready", None)


def test_answers_are_those_of_an_empty_cache_and_depend_on_the_prompt(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    texts = set()
    for text in ("One", "Another, please.", LONG):
        (answer,) = events(ask(model, chat(text)))

        assert_as_from_nothing(answer, from_nothing, chat(text))
        texts.add("".join(one.text for one in logprobs_of(answer)))
    assert len(texts) > 1


def test_a_second_request_reuses_what_is_cached_and_gets_the_same_answer(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    request = ask(model, chat(LONG, system="Be kind. " * 9))
    (first,) = events(request)
    (second,) = events(ask(model, request.messages))

    assert usage(first).cached_tokens == 0
    assert usage(second).cached_tokens > 0
    assert_as_from_nothing(first, from_nothing, request.messages)
    assert_as_from_nothing(second, from_nothing, request.messages)


def test_a_slot_is_rolled_back_to_the_shared_start_of_two_prompts(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    """The first answer is long, so that it leaves sliding windows and states far behind the start."""
    messages = chat(LONG + "Trees first.")
    events(ask(model, chat(LONG + "Herbs first."), 48))
    (answer,) = events(ask(model, messages))

    assert_as_from_nothing(answer, from_nothing, messages)


def test_a_conversation_goes_on_from_its_first_answer(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    begun = chat(LONG)
    (answer,) = events(ask(model, begun))
    told = "".join(one.text for one in logprobs_of(answer))
    longer = (*begun, Message("assistant", told), Message("user", "And in a cellar?"))
    (answer,) = events(ask(model, longer))

    assert_as_from_nothing(answer, from_nothing, longer)


def test_requests_at_once_get_the_answers_that_each_gets_alone(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    """More than there are slots, and of different lengths, so that slots end and move."""
    chats = [chat(f"{number} " + "more " * 5 * number) for number in range(SLOTS + 2)]
    lengths = [3 + 2 * (number % SLOTS) for number in range(SLOTS + 2)]
    answers = events(*(ask(model, one, tokens) for one, tokens in zip(chats, lengths, strict=True)))

    for answer, one, tokens in zip(answers, chats, lengths, strict=True):
        assert_as_from_nothing(answer, from_nothing, one, tokens)


def test_a_slot_of_a_cancelled_request_is_clean(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    messages = chat(LONG)
    events.until_cancelled(ask(model, messages, 300))
    (answer,) = events(ask(model, messages))

    assert_as_from_nothing(answer, from_nothing, messages)


def test_a_saved_system_prompt_outlives_the_slots(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    system = "Speak like a gardener. " * 5
    events(ask(model, chat("Hello", system)))
    events(*(ask(model, chat(LONG, f"Other {number}. ")) for number in range(SLOTS + 1)))
    (answer,) = events(ask(model, chat("Good day", system)))

    # Gemma 3 has no system turn: what is before the user's words is in the user's turn.
    assert usage(answer).cached_tokens >= 64
    assert_as_from_nothing(answer, from_nothing, chat("Good day", system))


def test_probabilities_after_prompts_with_the_same_start_are_right(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    ends = ("Yes?", "No?", "No? Or yes?", "So?", "Now?")
    prompts = tuple(chat(LONG + end) for end in ends)
    events(ask(model, prompts[0]))
    (told,) = events(ProbeRequest(f"tiny-{next(numbers)}", model, prompts, ("A", "B")))

    assert isinstance(told[-1], Probabilities), told
    assert told[-1].usage.cached_tokens > 4 * len(from_nothing.weights.tokenise(SYSTEM + LONG))
    for prompt, row in zip(prompts, told[-1].rows, strict=True):
        logprobs = from_nothing.logprobs(prompt)
        expected = [logprobs[from_nothing.weights.tokenise(choice)[0]] for choice in "AB"]
        assert np.log(row) == pytest.approx(expected, abs=NEAR)


def test_a_given_answer_is_scored_as_it_is_generated(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    messages = chat("How likely is this?")
    prompt = from_nothing.tokeniser.prompt(messages).tokens
    given = from_nothing.weights.tokenise("Abc de")
    (told,) = events(ScoreRequest(f"tiny-{next(numbers)}", model, messages, "Abc de"))

    assert isinstance(told[-1], Scored), told
    row, expected = from_nothing.logprobs(messages), list[float]()
    for index, token in enumerate([*given, from_nothing.tokeniser.turn_end]):
        expected.append(float(row[token]))
        row = from_nothing.decode(len(prompt) + index, [token])
    assert told[-1].logprobs == pytest.approx(expected, abs=NEAR)


def test_texts_have_embeddings_of_their_own(
    events: Run, model: str, from_nothing: FromNothing
) -> None:
    def embed(text: str) -> tuple[float, ...]:
        (told,) = events(EmbedRequest(f"tiny-{next(numbers)}", model, text))
        assert isinstance(told[-1], Embedding), told
        return told[-1].vector

    first, other = embed(LONG), embed("a shorter text")

    assert len(first) == from_nothing.weights.embedding_size
    assert np.isfinite(first).all()
    assert embed(LONG) == pytest.approx(first, abs=1e-4)
    assert other != pytest.approx(first, abs=1e-2)


def test_a_grammar_holds(events: Run, model: str) -> None:
    grammar = 'root ::= "Idea " [1-9] ": " ("yes" | "no")'
    (answer,) = events(ask(model, chat("Decide."), 30, grammar=grammar))

    text = "".join(one.text for one in answer if isinstance(one, Delta))
    assert text in {f"Idea {number}: {word}" for number in range(1, 10) for word in ("yes", "no")}
    assert isinstance(answer[0], Started)


def test_the_template_of_the_file_makes_turns(from_nothing: FromNothing, architecture: str) -> None:
    tiny, weights = TINY_MODELS[architecture], from_nothing.weights
    prompt = from_nothing.tokeniser.prompt(chat(f"Say {tiny.end}!", system="Be brief."))
    text = b"".join(weights.piece(token, special=True) for token in prompt.tokens).decode()

    assert text.index("Be brief.") < text.index(f"Say {tiny.end}!")
    assert (tiny.starts_with is None) or prompt.tokens[0] == weights.leading_tokens[0]
    assert weights.is_end(from_nothing.tokeniser.turn_end)
    assert weights.piece(from_nothing.tokeniser.turn_end, special=True).decode() == tiny.end
    # The user's "end" is text; those that end turns are tokens.
    turns = 1 if tiny.architecture == "gemma3" else 2
    assert prompt.tokens.count(from_nothing.tokeniser.turn_end) == turns


def test_an_answer_prefix_follows_the_start_of_the_answer(
    from_nothing: FromNothing, architecture: str
) -> None:
    weights, messages = from_nothing.weights, chat("Hi", system="Be brief.")
    thoughts = "<think>\n\n</think>\n\n"
    plain = from_nothing.tokeniser.prompt(messages)
    prefixed = ChatTokeniser(weights, None, thoughts).prompt(messages)
    text, shorter = (
        b"".join(weights.piece(token, special=True) for token in one.tokens).decode()
        for one in (prefixed, plain)
    )

    assert text == shorter + thoughts
    assert prefixed.system_tokens == plain.system_tokens
    if TINY_MODELS[architecture].tokenizer == "gpt2":
        # Words of their own in the vocabulary stay whole.
        assert weights.tokenise("<think>")[0] in prefixed.tokens
        assert len(weights.tokenise("<think>")) == 1


def test_the_memory_of_the_cache_is_what_llama_cpp_uses(
    library: Library, paths: dict[str, Path], architecture: str
) -> None:
    """A saved sequence has its keys, values and states, and a few bytes for each cell."""
    weights = LlamaModel(library, paths[architecture])
    context = Context(weights, ContextSize(CONTEXT, 1, BATCH, is_unified=True), threads=1)
    # Of a sliding window, only what is in it is saved.
    part = WINDOW // 2
    sizes = []
    for start in (0, part):
        context.decode([Chunk(0, start, weights.tokenise("a" * part))])
        sizes.append(context.save(0).size)
    context.close()
    weights.close()
    size = cache_size(read_metadata(paths[architecture]))

    assert (sizes[1] - sizes[0]) / part == pytest.approx(size.token_bytes, abs=CELL_BYTES)
    rest = sizes[0] - part * size.token_bytes
    assert rest == pytest.approx(size.sequence_bytes, abs=part * CELL_BYTES + 400)
