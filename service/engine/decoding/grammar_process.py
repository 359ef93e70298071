"""The grammar process, `python -m service.engine.decoding.grammar_process FD WEIGHTS`: follows the
grammars of clients.

It has the vocabulary of a model without its weights. llama.cpp cannot be interrupted, so a step that
takes too long or too much memory ends this process instead of the one with the model.
"""

import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.grammar_messages import Ask, Close, Open, Refused, Reply, Restrict
from service.engine.host import yield_to_the_server
from service.engine.llama import CANDIDATE, Grammar, Library, LlamaModel
from service.errors import InvalidInput

# Time on a CPU, so that a busy machine does not end a step.
LONGEST_STEP_S = 1.0
MEMORY_BYTES = 512 * 2**20


class Follower:
    def __init__(self, weights: LlamaModel) -> None:
        self._weights = weights
        self._grammars: dict[int, Grammar] = {}

    def answer(self, number: int, ask: Ask) -> Reply:
        if isinstance(ask, Open):
            return self._open(number, ask)
        grammar = self._grammars[number]
        if isinstance(ask, Restrict):
            candidates: NDArray[Any] = np.zeros(ask.tokens.size, dtype=CANDIDATE)
            candidates["id"] = ask.tokens
            allowed: NDArray[np.bool_] = np.isfinite(grammar.restrict(candidates)["logit"])
            return allowed
        if isinstance(ask, Close):
            grammar.close()
            del self._grammars[number]
            return True
        return grammar.advance(ask.token)

    def _open(self, number: int, ask: Open) -> Reply:
        try:
            of = Grammar.of_schema if ask.is_schema else Grammar
            grammar = of(self._weights, ask.source)
        except InvalidInput as error:
            return Refused(error.detail)
        self._grammars[number] = grammar
        for token in ask.tokens:
            begin_step()
            grammar.advance(token)
        return True


def begin_step() -> None:
    # Without a handler, this timer's signal ends the process, also inside llama.cpp.
    signal.setitimer(signal.ITIMER_PROF, LONGEST_STEP_S)


def serve(connection: Connection, follower: Follower) -> None:
    """Answer one question after the other until the other end is closed."""
    connection.send(True)
    while True:
        try:
            number, ask = connection.recv()
        except (EOFError, OSError):
            return
        begin_step()
        reply = follower.answer(number, ask)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if not isinstance(ask, Close):
            connection.send(reply)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    yield_to_the_server()
    weights = LlamaModel(Library(), Path(sys.argv[2]), is_vocabulary_only=True)
    if Path("/proc/self/statm").exists():
        _limit_memory()
    serve(Connection(int(sys.argv[1])), Follower(weights))


if __name__ == "__main__":
    main()
