"""One request as a coroutine of decodes: it yields what it wants decoded and gets the row.

Which of them runs next, and what shares a batch, is the worker's business.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.chat import ChatTokeniser
from service.engine.llama import AdapterFile, Context, Grammar, Logits, Sampler, Slice, Weights
from service.engine.transcript import Transcript
from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Finished,
    FinishReason,
    GenerateRequest,
    Message,
    Probabilities,
    ProbeRequest,
    Request,
    Started,
    TokenLogprob,
    Usage,
)
from service.errors import InvalidInput, PromptTooLong

# Prompts are decoded in pieces of this many tokens, counted from their start. A piece is what a
# cancel has to wait for. The same pieces also give the same numbers to the last bit, so prefixes
# are reused by whole pieces and a seed gives the same text whether or not the cache was warm.
CPU_CHUNK, GPU_CHUNK = 32, 512


@dataclass(frozen=True, slots=True)
class Demand:
    context: Context
    part: Slice


Steps = Generator[Demand, NDArray[np.float32] | None, None]
Output = Started | Delta | Finished | Probabilities | Embedding
Emit = Callable[[Output], None]


class LoadedModel:
    """A catalog model ready to decode: shared weights, its own context, adapter and cache."""

    def __init__(
        self,
        weights: Weights,
        *,
        tokens: int,
        threads: int,
        on_gpu: bool = False,
        chat_template: str | None = None,
        adapter: tuple[AdapterFile, float] | None = None,
    ) -> None:
        self.weights = weights
        self.chat = ChatTokeniser(weights, chat_template)
        self.tokens = min(tokens, weights.trained_context)
        self.chunk = GPU_CHUNK if on_gpu else CPU_CHUNK
        self._threads = threads
        self._adapter = adapter
        self._embedder: Context | None = None
        self.context = self._new_context(embeds=False)
        self.cached: list[int] = []

    def _new_context(self, *, embeds: bool) -> Context:
        return Context(
            self.weights,
            tokens=self.tokens,
            batch=self.chunk,
            threads=self._threads,
            adapter=self._adapter,
            embeds=embeds,
        )

    @property
    def embedder(self) -> Context:
        if self._embedder is None:
            self._embedder = self._new_context(embeds=True)
        return self._embedder

    def check_fit(self, tokens: int, answer: int) -> None:
        """Raises PromptTooLong unless both fit the context together."""
        if tokens + answer > self.tokens:
            raise PromptTooLong(
                f"The prompt has {tokens} tokens and the answer may have {answer}; "
                f"the model's context holds {self.tokens}."
            )

    def close(self) -> None:
        self.context.close()
        if self._embedder is not None:
            self._embedder.close()


def steps_of(model: LoadedModel, request: Request, emit: Emit) -> Steps:
    if isinstance(request, GenerateRequest):
        return generate(model, request, emit)
    if isinstance(request, ProbeRequest):
        return probe(model, request, emit)
    return embed(model, request, emit)


def prefill(
    model: LoadedModel, prompt: list[int], start: int
) -> Generator[Demand, NDArray[np.float32] | None, Logits]:
    """Decode `prompt` after its first `start` tokens, which are cached; the last row."""
    model.context.keep(0, start)
    model.cached = prompt[:start]
    row: NDArray[np.float32] | None = None
    position = start
    while position < len(prompt):
        end = min(len(prompt), (position // model.chunk + 1) * model.chunk)
        part = Slice(0, position, prompt[position:end], wants_output=end == len(prompt))
        row = yield Demand(model.context, part)
        model.cached = prompt[:end]
        position = end
    assert row is not None
    return row


def generate(model: LoadedModel, request: GenerateRequest, emit: Emit) -> Steps:
    prompt = model.chat.tokens(request.messages)
    model.check_fit(len(prompt), request.max_tokens)
    grammar = Grammar(model.weights, request.grammar) if request.grammar is not None else None
    with contextlib.closing(Sampler(request.sampling, grammar)) as sampler:
        emit(Started(len(prompt)))
        began = time.monotonic()
        shared = _common_prefix(model.cached, prompt[:-1])
        start = shared // model.chunk * model.chunk
        row = yield from prefill(model, prompt, start)
        prompt_s = time.monotonic() - began
        answer = _Answer(model.weights, request, emit)
        while answer.reason is None:
            answer.add(sampler.sample(row), row)
            if answer.reason is None:
                position = len(prompt) + answer.count - 1
                part = Slice(0, position, (answer.last,), wants_output=True)
                decoded = yield Demand(model.context, part)
                assert decoded is not None
                row = decoded
    completion_s = time.monotonic() - began - prompt_s
    usage = Usage(len(prompt), start, answer.count, prompt_s, completion_s)
    emit(Finished(answer.reason, usage))


class _Answer:
    """What has been generated so far, and why it is over."""

    def __init__(self, weights: Weights, request: GenerateRequest, emit: Emit) -> None:
        self._weights = weights
        self._request = request
        self._emit = emit
        self._transcript = Transcript(request.stop)
        self._logprobs: list[TokenLogprob] = []
        self.count = 0
        self.last = -1
        self.reason: FinishReason | None = None

    def add(self, token: int, row: Logits) -> None:
        self.count += 1
        self.last = token
        if self._weights.is_end(token):
            self._end("stop")
            return
        if self._request.logprobs is not None:
            self._logprobs.append(self._logprob_of(token, row))
        self._send(self._transcript.push(self._weights.piece(token)))
        if self._transcript.is_stopped:
            self.reason = "stop"
        elif self.count >= self._request.max_tokens:
            self._end("length")

    def _end(self, reason: FinishReason) -> None:
        self._send(self._transcript.finish())
        # The rest can still complete a stop string.
        self.reason = "stop" if self._transcript.is_stopped else reason

    def _send(self, text: str) -> None:
        if text:
            self._emit(Delta(text, tuple(self._logprobs)))
            self._logprobs.clear()

    def _logprob_of(self, token: int, row: Logits) -> TokenLogprob:
        logprobs = _log_softmax(row)
        count = min(self._request.logprobs or 0, row.size)
        best = np.argpartition(-logprobs, max(count - 1, 0))[:count]
        best = best[np.argsort(-logprobs[best], kind="stable")]
        top = tuple((self._text(int(one)), float(logprobs[one])) for one in best)
        return TokenLogprob(self._text(token), float(logprobs[token]), top)

    def _text(self, token: int) -> str:
        return self._weights.piece(token, special=True).decode("utf-8", "replace")


def probe(model: LoadedModel, request: ProbeRequest, emit: Emit) -> Steps:
    choices = [_single_token(model.weights, choice) for choice in request.choices]
    if not choices or not request.prompts:
        raise InvalidInput("A probe needs at least one prompt and one choice.")
    prompts = [_fitting(model, messages) for messages in request.prompts]
    emit(Started(sum(map(len, prompts))))
    began = time.monotonic()
    rows: list[tuple[float, ...]] = []
    reused, before = 0, list[int]()
    try:
        for prompt in prompts:
            start = _common_prefix(before, prompt[:-1])
            logprobs = _log_softmax((yield from prefill(model, prompt, start)))
            rows.append(tuple(float(np.exp(logprobs[choice])) for choice in choices))
            reused, before = reused + start, prompt
    finally:
        # These pieces do not start where a generation's would: nobody may build on them.
        model.cached = []
    usage = Usage(sum(map(len, prompts)), reused, 0, time.monotonic() - began, 0.0)
    emit(Probabilities(tuple(rows), usage))


def _fitting(model: LoadedModel, messages: Sequence[Message]) -> list[int]:
    prompt = model.chat.tokens(messages)
    model.check_fit(len(prompt), 1)
    return prompt


def _single_token(weights: Weights, choice: str) -> int:
    tokens = weights.tokenise(choice)
    if len(tokens) != 1:
        raise InvalidInput(
            f"The choice {choice!r} is {len(tokens)} tokens of this model; it must be one."
        )
    return tokens[0]


def embed(model: LoadedModel, request: EmbedRequest, emit: Emit) -> Steps:
    tokens = model.weights.leading_tokens + model.weights.tokenise(request.text)
    if not tokens:
        raise InvalidInput("There is no text to embed.")
    model.check_fit(len(tokens), 0)
    emit(Started(len(tokens)))
    began = time.monotonic()
    total = np.zeros(model.weights.embedding_size, dtype=np.float64)
    model.embedder.keep(0, 0)
    for start in range(0, len(tokens), model.chunk):
        part = Slice(0, start, tokens[start : start + model.chunk], wants_all=True)
        rows = yield Demand(model.embedder, part)
        assert rows is not None
        total += np.atleast_2d(rows).sum(axis=0, dtype=np.float64)
    vector = tuple(float(value) for value in total / len(tokens))
    usage = Usage(len(tokens), 0, 0, time.monotonic() - began, 0.0)
    emit(Embedding(vector, usage))


def _common_prefix(one: list[int], other: list[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _log_softmax(row: Logits) -> NDArray[np.float64]:
    shifted = row.astype(np.float64) - float(row.max())
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result
