"""Samples a token from a row of logits, with filters, penalties and a grammar."""

import ctypes
from collections import Counter
from collections.abc import Generator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.engine.json_schema import check_gbnf, grammar_of_schema
from service.engine.llama.c_api import c_api
from service.engine.llama.model import LlamaModel
from service.engine.llama.structures import TokenData, TokenDataArray
from service.engine.types import Sampling
from service.errors import EngineError, InvalidInput

Logits = NDArray[np.float32]
RANDOM_SEED = 0xFFFFFFFF
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)], align=True)
# The number of rows into which a vocabulary is folded to find its most likely tokens.
PARTS = 64
# With a grammar, tokens with a logit this far below the best allowed one are ignored (e^-12).
REACH = 12.0


class Grammar:
    """A GBNF grammar and its state: which tokens may come next."""

    def __init__(self, weights: LlamaModel, text: str) -> None:
        """Raises InvalidInput if the text is not a grammar with a `root` rule."""
        check_gbnf(text)
        # llama.cpp treats an empty text as no grammar at all.
        self._sampler: Any = text.strip() and c_api().llama_sampler_init_grammar(
            weights.vocabulary, text.encode("utf-8", "replace"), b"root"
        )
        if not self._sampler:
            raise InvalidInput("The grammar is not valid GBNF with a `root` rule.")

    @classmethod
    def of_schema(cls, weights: LlamaModel, schema: str) -> "Grammar":
        """Raises InvalidInput for a schema that cannot be turned into a grammar."""
        return cls(weights, grammar_of_schema(schema))

    def allows(self, token: int) -> bool:
        candidates = np.zeros(1, dtype=CANDIDATE)
        candidates["id"] = token
        return bool(np.isfinite(self.restrict(candidates)["logit"][0]))

    def restrict(self, candidates: NDArray[Any]) -> NDArray[Any]:
        """Set the logits of tokens that may not come next to minus infinity."""
        _apply(self._sampler, candidates)
        return candidates

    def accept(self, token: int) -> None:
        """Advance by a token, which must be allowed: otherwise llama.cpp ends the process."""
        c_api().llama_sampler_accept(self._sampler, token)

    def advance(self, token: int) -> bool:
        """Advance by a token if it is allowed."""
        is_allowed = self.allows(token)
        if is_allowed:
            self.accept(token)
        return is_allowed

    def close(self) -> None:
        if self._sampler:
            c_api().llama_sampler_free(self._sampler)
            self._sampler = None


class Following(Protocol):
    """A grammar whose answers may take a while; until then, its steps yield."""

    def advance(self, token: int) -> Generator[None, object, bool]:
        """Advance by a token if it is allowed."""

    def restrict(self, candidates: NDArray[Any]) -> Generator[None, object, NDArray[Any]]:
        """Set the logits of tokens that may not come next to minus infinity."""

    def close(self) -> None: ...


class OwnGrammar:
    """A grammar in this process, which answers at once."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    def advance(self, token: int) -> Generator[None, object, bool]:
        return self._grammar.advance(token)
        yield

    def restrict(self, candidates: NDArray[Any]) -> Generator[None, object, NDArray[Any]]:
        return self._grammar.restrict(candidates)
        yield

    def close(self) -> None:
        self._grammar.close()


class Sampler:
    """Samples one token at a time: the cheapest filter first, the grammar only when needed."""

    def __init__(self, sampling: Sampling, grammar: Following | None = None) -> None:
        self._sampling = sampling
        self._grammar = grammar
        self._drawn: Counter[int] = Counter()
        self._has_penalties = bool(sampling.frequency_penalty or sampling.presence_penalty)
        self._chain: Any = c_api().llama_sampler_chain_init(
            c_api().llama_sampler_chain_default_params()
        )
        for link in self._links(sampling):
            c_api().llama_sampler_chain_add(self._chain, link)

    @staticmethod
    def _links(sampling: Sampling) -> list[Any]:
        if sampling.temperature <= 0:
            return [c_api().llama_sampler_init_greedy()]
        links: list[Any] = []
        if sampling.top_k > 0:
            links.append(c_api().llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            links.append(c_api().llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            links.append(c_api().llama_sampler_init_min_p(sampling.min_p, 1))
        # llama.cpp takes the largest seed as a request for a random one; we never want that.
        seed = sampling.seed % RANDOM_SEED
        links.append(c_api().llama_sampler_init_temp(sampling.temperature))
        links.append(c_api().llama_sampler_init_dist(seed))
        return links

    def sample(self, logits: Logits) -> int:
        """The next token, without a grammar that takes its time."""
        steps = self.steps(logits)
        try:
            next(steps)
        except StopIteration as end:
            return int(end.value)
        raise EngineError("The grammar is not ready.")

    def steps(self, logits: Logits) -> Generator[None, object, int]:
        """Yields until the next token is known, and returns it."""
        if self._has_penalties or self._sampling.logit_bias:
            logits = self._biased(logits)
        token = self._draw_freely(logits)
        if self._grammar is not None:
            is_allowed = yield from self._grammar.advance(token)
            if not is_allowed:
                token = self._draw((yield from self._allowed(logits, self._grammar)))
                yield from self._grammar.advance(token)
        if self._has_penalties:
            self._drawn[token] += 1
        return token

    def _biased(self, logits: Logits) -> Logits:
        logits = logits.copy()
        for token, bias in self._sampling.logit_bias:
            if 0 <= token < logits.size:
                logits[token] += bias
        for token, count in self._drawn.items():
            logits[token] -= self._sampling.presence_penalty
            logits[token] -= self._sampling.frequency_penalty * count
        return logits

    def _draw_freely(self, logits: Logits) -> int:
        """Draw from the whole vocabulary, without the grammar."""
        if self._sampling.temperature <= 0:
            return int(logits.argmax())
        wanted = self._sampling.top_k
        if not 0 < wanted < logits.size:
            return self._draw(_candidates(logits, np.arange(logits.size, dtype=np.int32)))
        return self._draw(_candidates(logits, _likeliest(logits, wanted)))

    def _allowed(self, logits: Logits, grammar: Following) -> Generator[None, object, NDArray[Any]]:
        """The allowed tokens that are at least e^-12 times as likely as the best of them."""
        reach = float(logits.max()) - REACH
        candidates = _candidates(logits, np.flatnonzero(logits >= reach))
        candidates = yield from grammar.restrict(candidates)
        best = float(candidates["logit"].max())
        if best < float(logits.max()) - 1.0:
            below = best - REACH if np.isfinite(best) else -np.inf
            candidates = _candidates(logits, np.flatnonzero(logits >= below))
            candidates = yield from grammar.restrict(candidates)
        allowed: NDArray[Any] = candidates[np.isfinite(candidates["logit"])]
        if not allowed.size:
            raise EngineError("The grammar allows no token at this point.")
        return allowed

    def _draw(self, candidates: NDArray[Any]) -> int:
        array = _apply(self._chain, candidates)
        return int(array.data[array.selected].id)

    def close(self) -> None:
        if self._chain:
            c_api().llama_sampler_free(self._chain)
            self._chain = None
        if self._grammar is not None:
            self._grammar.close()


def _likeliest(logits: Logits, count: int) -> NDArray[np.intp]:
    """The `count` most likely tokens and a few more.

    The vocabulary is folded into columns of `PARTS` tokens. The most likely tokens are in the
    `count` columns with the largest maxima, and none has a logit below the least of these maxima.
    This is a tenth of the work of a partial sort.
    """
    width = logits.size // PARTS
    if width <= count:
        return np.arange(logits.size)
    columns = logits[: PARTS * width].reshape(PARTS, width)
    best = columns.max(axis=0)
    chosen = np.argpartition(best, -count)[-count:]
    part, column = np.nonzero(columns[:, chosen] >= best[chosen].min())
    rest = np.arange(PARTS * width, logits.size)
    return np.concatenate([part * width + chosen[column], rest])


def _candidates(logits: Logits, tokens: NDArray[Any]) -> NDArray[Any]:
    candidates = np.zeros(tokens.size, dtype=CANDIDATE)
    candidates["id"] = tokens
    candidates["logit"] = logits[tokens]
    return candidates


def _apply(sampler: Any, candidates: NDArray[Any]) -> Any:
    array = TokenDataArray(
        data=candidates.ctypes.data_as(ctypes.POINTER(TokenData)),
        size=candidates.size,
        selected=-1,
        sorted=False,
    )
    c_api().llama_sampler_apply(sampler, ctypes.byref(array))
    return array
