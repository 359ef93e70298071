"""One request as a coroutine: it yields what to decode next and is sent the rows.

Which request continues next, and which ones share a batch, is the worker's business.
"""

import contextlib
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.detokenizer import Detokenizer
from service.engine.decoding.kv_slots import common_prefix
from service.engine.decoding.loaded_model import LoadedModel, PendingDecode, Steps
from service.engine.llama import Grammar, LlamaModel, Logits, Sampler
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


def steps_for(model: LoadedModel, request: Request, emit: Emit) -> Steps:
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
        slot, start = yield from model.acquire_slot(request.id, prompt, request.max_tokens)
        try:
            emit(Started(size))
            began = time.monotonic()
            rows = yield from model.prefill(slot, prompt, start)
            prompt_s = time.monotonic() - began
            answer = _Answer(model.weights, request, emit)
            while True:
                answer.add(sampler.sample(rows[0]), rows[0])
                if answer.reason is not None:
                    break
                position = size + answer.count - 1
                decoded = yield PendingDecode(
                    model.context, slot, position, (answer.last,), "last", is_answer=True
                )
                assert decoded is not None
                rows = decoded
        finally:
            model.release_slot(slot)
    completion_s = time.monotonic() - began - prompt_s
    emit(Finished(answer.reason, Usage(size, start, answer.count, prompt_s, completion_s)))


def _grammar(model: LoadedModel, request: GenerateRequest) -> Grammar | None:
    if request.json_schema is not None:
        if request.grammar is not None:
            raise InvalidInput("Give either a grammar or a JSON schema, not both.")
        return Grammar.of_schema(model.weights, request.json_schema)
    return Grammar(model.weights, request.grammar) if request.grammar is not None else None


class _Answer:
    """The answer generated so far, and why it ended if it has."""

    def __init__(self, weights: LlamaModel, request: GenerateRequest, emit: Emit) -> None:
        self._weights = weights
        self._request = request
        self._emit = emit
        self._detokenizer = Detokenizer(request.stop)
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
        self._send(self._detokenizer.push(self._weights.piece(token)))
        if self._detokenizer.is_stopped:
            self.reason = "stop"
        elif self.count >= self._request.max_tokens:
            self._end("length")

    def _end(self, reason: FinishReason) -> None:
        self._send(self._detokenizer.finish())
        # The rest of the text may still complete a stop string.
        self.reason = "stop" if self._detokenizer.is_stopped else reason

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
    slot, _ = yield from model.acquire_slot(request.id, longest, 1, reuses_prefix=False)
    try:
        emit(Started(sum(sizes)))
        began = time.monotonic()
        rows: list[tuple[float, ...]] = []
        reused, previous = 0, list[int]()
        for prompt in prompts:
            start = common_prefix(previous, prompt.tokens[:-1])
            # Only this request reuses the prefix: its chunks do not end where those of a
            # generation would.
            model.context.keep(slot.sequence, start)
            last = yield from model.prefill(slot, prompt, start, is_reusable=False)
            logprobs = _log_softmax(last[0])
            rows.append(tuple(float(np.exp(logprobs[choice])) for choice in choices))
            reused, previous = reused + start, prompt.tokens
    finally:
        model.release_slot(slot)
    usage = Usage(sum(sizes), reused, 0, time.monotonic() - began, 0.0)
    emit(Probabilities(tuple(rows), usage))


def _single_token(weights: LlamaModel, choice: str) -> int:
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
    slot, start = yield from model.acquire_slot(request.id, prompt, len(answer))
    try:
        emit(Started(size))
        began = time.monotonic()
        rows = yield from model.prefill(slot, prompt, start)
        prompt_s = time.monotonic() - began
        logprobs = [_logprob(rows[0], answer[0])]
        # The context has room for one row of logits per sequence.
        chunk = min(model.chunk_tokens, model.context.size.sequences)
        for first in range(0, len(answer) - 1, chunk):
            part = answer[first : min(first + chunk, len(answer) - 1)]
            decoded = yield PendingDecode(model.context, slot, size + first, part, "all")
            assert decoded is not None
            logprobs += map(_logprob, decoded, answer[first + 1 :])
    finally:
        model.release_slot(slot)
    score_s = time.monotonic() - began - prompt_s
    emit(Scored(tuple(logprobs), Usage(size, start, len(answer), prompt_s, score_s)))


def embed(model: LoadedModel, request: EmbedRequest, emit: Emit) -> Steps:
    tokens = model.weights.leading_tokens + model.weights.tokenise(request.text)
    if not tokens:
        raise InvalidInput("There is no text to embed.")
    model.check_fit(len(tokens), 0)
    context = model.embedding_context
    slot = yield from model.acquire_embedding_slot(request.id)
    try:
        emit(Started(len(tokens)))
        began = time.monotonic()
        total = np.zeros(model.weights.embedding_size, dtype=np.float64)
        context.keep(slot.sequence, 0)
        for start in range(0, len(tokens), model.chunk_tokens):
            part = tokens[start : start + model.chunk_tokens]
            rows = yield PendingDecode(context, slot, start, part, "all")
            assert rows is not None
            total += rows.sum(axis=0, dtype=np.float64)
    finally:
        model.release_embedding_slot(slot)
    vector = tuple(float(value) for value in total / len(tokens))
    usage = Usage(len(tokens), 0, 0, time.monotonic() - began, 0.0)
    emit(Embedding(vector, usage))


def _logprob(row: Logits, token: int) -> float:
    return float(_log_softmax(row)[token])


def _log_softmax(row: Logits) -> NDArray[np.float64]:
    shifted = row.astype(np.float64) - float(row.max())
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result
