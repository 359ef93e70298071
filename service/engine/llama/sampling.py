"""From a row of logits to a token: filters, the draw, and what a grammar allows."""

import ctypes
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from service.engine.llama.weights import Weights
from service.engine.types import Sampling
from service.errors import EngineError, InvalidInput

Logits = NDArray[np.float32]
RANDOM_SEED = 0xFFFFFFFF
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)], align=True)


class Grammar:
    """GBNF: which tokens may come next."""

    def __init__(self, weights: Weights, text: str) -> None:
        """Raises InvalidInput if the text is not a grammar with a `root` rule."""
        # llama.cpp takes an empty text for no grammar at all.
        self._sampler: Any = text.strip() and llama_cpp.llama_sampler_init_grammar(
            weights.vocabulary, text.encode("utf-8", "replace"), b"root"
        )
        if not self._sampler:
            raise InvalidInput("The grammar is not valid GBNF with a `root` rule.")

    def allows(self, token: int) -> bool:
        candidates = np.zeros(1, dtype=CANDIDATE)
        candidates["id"] = token
        self.restrict(candidates)
        return bool(np.isfinite(candidates["logit"][0]))

    def restrict(self, candidates: NDArray[Any]) -> None:
        """Set the logits of what may not come next to minus infinity."""
        _apply(self._sampler, candidates)

    def accept(self, token: int) -> None:
        """`token` must be allowed: llama.cpp ends the process otherwise."""
        llama_cpp.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        if self._sampler:
            llama_cpp.llama_sampler_free(self._sampler)
            self._sampler = None


class Sampler:
    """Filters and draws: the cheap filter first, and the grammar only for what was drawn."""

    def __init__(self, sampling: Sampling, grammar: Grammar | None = None) -> None:
        self._grammar = grammar
        self._chain: Any = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        for link in self._links(sampling):
            llama_cpp.llama_sampler_chain_add(self._chain, link)

    @staticmethod
    def _links(sampling: Sampling) -> list[Any]:
        if sampling.temperature <= 0:
            return [llama_cpp.llama_sampler_init_greedy()]
        links: list[Any] = []
        if sampling.top_k > 0:
            links.append(llama_cpp.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            links.append(llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            links.append(llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1))
        # The largest seed means "any" to llama.cpp; ours always means itself.
        seed = sampling.seed % RANDOM_SEED
        links.append(llama_cpp.llama_sampler_init_temp(sampling.temperature))
        links.append(llama_cpp.llama_sampler_init_dist(seed))
        return links

    def sample(self, logits: Logits) -> int:
        candidates = np.zeros(logits.size, dtype=CANDIDATE)
        candidates["id"] = np.arange(logits.size, dtype=np.int32)
        candidates["logit"] = logits
        token = self._draw(candidates)
        if self._grammar is None:
            return token
        if not self._grammar.allows(token):
            candidates["id"] = np.arange(logits.size, dtype=np.int32)
            candidates["logit"] = logits
            candidates["p"] = 0
            self._grammar.restrict(candidates)
            allowed = candidates[np.isfinite(candidates["logit"])]
            if not allowed.size:
                raise EngineError("The grammar allows no token here.")
            token = self._draw(allowed)
        self._grammar.accept(token)
        return token

    def _draw(self, candidates: NDArray[Any]) -> int:
        array = _apply(self._chain, candidates)
        return int(array.data[array.selected].id)

    def close(self) -> None:
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
        if self._grammar is not None:
            self._grammar.close()


def _apply(sampler: Any, candidates: NDArray[Any]) -> Any:
    array = llama_cpp.llama_token_data_array(
        data=candidates.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data)),
        size=candidates.size,
        selected=-1,
        sorted=False,
    )
    llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
    return array
