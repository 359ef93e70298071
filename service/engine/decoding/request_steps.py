"""One request as a coroutine: it yields what to decode next and is sent the rows.

Which request continues next, and which ones share a batch, is the worker's business.
"""

import contextlib
import time
from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.chat_template import PromptTokens
from service.engine.decoding.detokenizer import Detokenizer
from service.engine.decoding.kv_layout import Slot
from service.engine.decoding.loaded_model import LoadedModel, PendingDecode, Steps
from service.engine.decoding.prefix_reuse import Reuse, common_prefix
from service.engine.decoding.raw_prompt import raw_prompt
from service.engine.llama import (
    Following,
    Grammar,
    LlamaModel,
    Logits,
    OwnGrammar,
    Rows,
    Sampler,
)
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
    prompt = _prompt(model, request)
    size = len(prompt.tokens)
    model.check_fit(size, request.max_tokens)
    grammar = yield from _grammar(model, request)
    with contextlib.closing(Sampler(request.sampling, grammar)) as sampler:
        answer = _Answer(model.weights, request, emit)
        slot, start = yield from model.acquire_slot(
            request.id, prompt, request.max_tokens, reuse=_reuse(request)
        )
        try:
            emit(Started(size))
            began = time.monotonic()
            rows = yield from model.prefill(slot, prompt, start)
            prompt_s = time.monotonic() - began
            while True:
                # While a client's grammar takes its time, the next decode overwrites the row.
                row = rows[0].copy() if request.is_foreign else rows[0]
                answer.add((yield from sampler.steps(row)), row)
                if answer.reason is not None:
                    break
                position = size + answer.count - 1
                decoded = yield PendingDecode(
                    model.context, slot, position, (answer.last,), "last", is_answer=True
                )
                assert decoded is not None
                rows = decoded
        finally:
            model.release_slot(slot, answer.reusable)
    completion_s = time.monotonic() - began - prompt_s
    emit(Finished(answer.reason, Usage(size, start, answer.count, prompt_s, completion_s)))


def _reuse(request: GenerateRequest) -> Reuse:
    return "pieces" if request.is_repeatable else "everything"


def _prompt(model: LoadedModel, request: GenerateRequest) -> PromptTokens:
    if request.prompt is None:
        return model.chat.prompt(request.messages)
    if request.messages:
        raise InvalidInput("Give either messages or a raw prompt, not both.")
    return raw_prompt(model.weights, request.prompt)


def _grammar(
    model: LoadedModel, request: GenerateRequest
) -> Generator[None, object, Following | None]:
    source = request.grammar if request.json_schema is None else request.json_schema
    if source is None:
        return None
    if request.json_schema is not None and request.grammar is not None:
        raise InvalidInput("Give either a grammar or a JSON schema, not both.")
    is_schema = request.json_schema is not None
    if request.is_foreign:
        return (yield from model.foreign_grammars.open(source, is_schema=is_schema))
    of = Grammar.of_schema if is_schema else Grammar
    return OwnGrammar(of(model.weights, source))


class _Answer:
    """The answer generated so far, and why it ended if it has."""

    def __init__(self, weights: LlamaModel, request: GenerateRequest, emit: Emit) -> None:
        self._weights = weights
        self._request = request
        self._emit = emit
        self._detokenizer = Detokenizer(request.stop)
        self._logprobs: list[TokenLogprob] = []
        self._tokens: list[int] = []
        self.reason: FinishReason | None = None

    @property
    def count(self) -> int:
        return len(self._tokens)

    @property
    def last(self) -> int:
        return self._tokens[-1]

    @property
    def reusable(self) -> list[int]:
        """The decoded tokens, if others may go on from them: all but the last."""
        return [] if self._request.is_repeatable else self._tokens[:-1]

    def add(self, token: int, row: Logits) -> None:
        self._tokens.append(token)
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
    slot, _ = yield from model.acquire_slot(request.id, longest, 1, reuse="nothing")
    try:
        emit(Started(sum(sizes)))
        began = time.monotonic()
        rows: list[tuple[float, ...]] = []
        series = _Series(model, slot)
        for prompt, following in zip(prompts, [*prompts[1:], None], strict=True):
            last = yield from series.decode(prompt, following)
            logprobs = _log_softmax(last[0])
            rows.append(tuple(float(np.exp(logprobs[choice])) for choice in choices))
    finally:
        model.release_slot(slot)
    usage = Usage(sum(sizes), series.reused, 0, time.monotonic() - began, 0.0)
    emit(Probabilities(tuple(rows), usage))


class _Series:
    """Prompts one after the other in one slot; what two neighbours share is decoded once.

    No other request reuses it: its chunks do not end where those of a generation would.
    """

    def __init__(self, model: LoadedModel, slot: Slot) -> None:
        self._model = model
        self._slot = slot
        self._previous: list[int] = []
        # States of starts of the last prompt, the longest last, where the cache cannot be cut.
        self._saved: list[tuple[int, NDArray[np.uint8]]] = []
        self.reused = 0

    def decode(
        self, prompt: PromptTokens, following: PromptTokens | None
    ) -> Generator[PendingDecode | None, Rows | None, Rows]:
        start = self._rewind(common_prefix(self._previous, prompt.tokens[:-1]))
        self.reused += start
        if following is not None and not self._model.weights.can_rewind:
            start = yield from self._save_shared(prompt, following, start)
        self._previous = prompt.tokens
        return (yield from self._model.prefill(self._slot, prompt, start, is_reusable=False))

    def _rewind(self, tokens: int) -> int:
        """Cut the sequence to so many tokens, or to fewer; returns how many are left."""
        while self._saved and self._saved[-1][0] > tokens:
            self._saved.pop()
        if self._model.context.keep(self._slot.sequence, tokens):
            return tokens
        if not self._saved:
            return 0
        length, state = self._saved[-1]
        self._model.context.restore(self._slot.sequence, state)
        return length

    def _save_shared(
        self, prompt: PromptTokens, following: PromptTokens, start: int
    ) -> Generator[PendingDecode | None, Rows | None, int]:
        """Decode and save what two prompts share; returns how many tokens are decoded now."""
        shared = common_prefix(prompt.tokens[:-1], following.tokens[:-1])
        if shared <= start:
            return start
        part = PromptTokens(prompt.tokens[:shared], 0)
        yield from self._model.prefill(self._slot, part, start, is_reusable=False)
        self._saved.append((shared, self._model.context.save(self._slot.sequence)))
        return shared


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
