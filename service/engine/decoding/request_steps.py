"""One request as a coroutine of decodes: it yields what it wants decoded and gets the rows.

Which of them runs next, and what shares a batch, is the worker's business.
"""

import contextlib
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.detokenizer import Detokenizer
from service.engine.decoding.kv_slots import common_prefix
from service.engine.decoding.loaded_model import Demand, LoadedModel, Steps
from service.engine.llama import Grammar, Logits, Sampler, Weights
from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Finished,
    FinishReason,
    GenerateRequest,
    Outcome,
    Probabilities,
    ProbeRequest,
    Request,
    Scored,
    ScoreRequest,
    Started,
    TokenLogprob,
    Usage,
)
from service.errors import InvalidInput

Output = Started | Delta | Outcome
Emit = Callable[[Output], None]


def steps_of(model: LoadedModel, request: Request, emit: Emit) -> Steps:
    if isinstance(request, GenerateRequest):
        return generate(model, request, emit)
    if isinstance(request, ProbeRequest):
        return probe(model, request, emit)
    if isinstance(request, ScoreRequest):
        return score(model, request, emit)
    return embed(model, request, emit)


def generate(model: LoadedModel, request: GenerateRequest, emit: Emit) -> Steps:
    prompt = model.chat.prompt(request.messages)
    size = len(prompt.tokens)
    model.check_fit(size, request.max_tokens)
    with contextlib.closing(Sampler(request.sampling, _grammar(model, request))) as sampler:
        seat, start = yield from model.sit_down(request.id, prompt, request.max_tokens)
        try:
            emit(Started(size))
            began = time.monotonic()
            rows = yield from model.prefill(seat, prompt, start)
            prompt_s = time.monotonic() - began
            answer = _Answer(model.weights, request, emit)
            while True:
                answer.add(sampler.sample(rows[0]), rows[0])
                if answer.reason is not None:
                    break
                position = size + answer.count - 1
                decoded = yield Demand(
                    model.context, seat, position, (answer.last,), is_answer=True, wants_output=True
                )
                assert decoded is not None
                rows = decoded
        finally:
            model.stand_up(seat)
    completion_s = time.monotonic() - began - prompt_s
    emit(Finished(answer.reason, Usage(size, start, answer.count, prompt_s, completion_s)))


def _grammar(model: LoadedModel, request: GenerateRequest) -> Grammar | None:
    if request.json_schema is not None:
        if request.grammar is not None:
            raise InvalidInput("Give either a grammar or a JSON schema, not both.")
        return Grammar.of_schema(model.weights, request.json_schema)
    return Grammar(model.weights, request.grammar) if request.grammar is not None else None


class _Answer:
    """What has been generated so far, and why it is over."""

    def __init__(self, weights: Weights, request: GenerateRequest, emit: Emit) -> None:
        self._weights = weights
        self._request = request
        self._emit = emit
        self._transcript = Detokenizer(request.stop)
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
    prompts = [model.chat.prompt(messages) for messages in request.prompts]
    sizes = [len(prompt.tokens) for prompt in prompts]
    model.check_fit(max(sizes), 1)
    longest = max(prompts, key=lambda one: len(one.tokens))
    seat, _ = yield from model.sit_down(request.id, longest, 1, shares=False)
    try:
        emit(Started(sum(sizes)))
        began = time.monotonic()
        rows: list[tuple[float, ...]] = []
        reused, before = 0, list[int]()
        for prompt in prompts:
            start = common_prefix(before, prompt.tokens[:-1])
            # Taken from the seat itself, whose pieces do not start where a generation's would:
            # nobody else may build on them.
            model.context.keep(seat.sequence, start)
            last = yield from model.prefill(seat, prompt, start, shares=False)
            logprobs = _log_softmax(last[0])
            rows.append(tuple(float(np.exp(logprobs[choice])) for choice in choices))
            reused, before = reused + start, prompt.tokens
    finally:
        model.stand_up(seat)
    usage = Usage(sum(sizes), reused, 0, time.monotonic() - began, 0.0)
    emit(Probabilities(tuple(rows), usage))


def _single_token(weights: Weights, choice: str) -> int:
    tokens = weights.tokenise(choice)
    if len(tokens) != 1:
        raise InvalidInput(
            f"The choice {choice!r} is {len(tokens)} tokens of this model; it must be one."
        )
    return tokens[0]


def score(model: LoadedModel, request: ScoreRequest, emit: Emit) -> Steps:
    prompt = model.chat.prompt(request.messages)
    answer = [*model.weights.tokenise(request.answer), model.chat.turn_end]
    size = len(prompt.tokens)
    model.check_fit(size, len(answer))
    seat, start = yield from model.sit_down(request.id, prompt, len(answer))
    try:
        emit(Started(size))
        began = time.monotonic()
        rows = yield from model.prefill(seat, prompt, start)
        prompt_s = time.monotonic() - began
        logprobs = [_logprob(rows[0], answer[0])]
        # There is room for one row of logits a sequence.
        piece = min(model.piece, model.context.shape.sequences)
        for first in range(0, len(answer) - 1, piece):
            part = answer[first : min(first + piece, len(answer) - 1)]
            decoded = yield Demand(model.context, seat, size + first, part, wants_all=True)
            assert decoded is not None
            logprobs += map(_logprob, decoded, answer[first + 1 :])
    finally:
        model.stand_up(seat)
    score_s = time.monotonic() - began - prompt_s
    emit(Scored(tuple(logprobs), Usage(size, start, len(answer), prompt_s, score_s)))


def embed(model: LoadedModel, request: EmbedRequest, emit: Emit) -> Steps:
    tokens = model.weights.leading_tokens + model.weights.tokenise(request.text)
    if not tokens:
        raise InvalidInput("There is no text to embed.")
    model.check_fit(len(tokens), 0)
    context = model.embedder
    seat = yield from model.sit_alone(request.id)
    try:
        emit(Started(len(tokens)))
        began = time.monotonic()
        total = np.zeros(model.weights.embedding_size, dtype=np.float64)
        context.keep(seat.sequence, 0)
        for start in range(0, len(tokens), model.piece):
            part = tokens[start : start + model.piece]
            rows = yield Demand(context, seat, start, part, wants_all=True)
            assert rows is not None
            total += rows.sum(axis=0, dtype=np.float64)
    finally:
        model.embedder_seats.release(seat)
    vector = tuple(float(value) for value in total / len(tokens))
    usage = Usage(len(tokens), 0, 0, time.monotonic() - began, 0.0)
    emit(Embedding(vector, usage))


def _logprob(row: Logits, token: int) -> float:
    return float(_log_softmax(row)[token])


def _log_softmax(row: Logits) -> NDArray[np.float64]:
    shifted = row.astype(np.float64) - float(row.max())
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result
