"""Follows the grammars of clients in a process that may die: `grammar_process`.

Questions are steps of a request that waits for the reply, while other requests go on. The process gets
one question at a time, so when it dies, the question that it had is to blame. The others ask again.
"""

import itertools
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Generator
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.grammar_messages import (
    Advance,
    Ask,
    Close,
    Open,
    Refused,
    Reply,
    Restrict,
)
from service.errors import EngineError, InvalidInput

# Most replies come sooner, and the request stays in the batch of the others.
QUICK_S = 0.005
# Of a whole question. The process limits its own time on the CPU.
PATIENCE_S = 30.0
REMEMBERED = 1_000
T = TypeVar("T")
Wait = Generator[None, object, T]


class Helper:
    """One grammar process and our end of the connection to it."""

    def __init__(self, weights: Path) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                (
                    *(sys.executable, "-m", "service.engine.decoding.grammar_process"),
                    *(str(number), str(weights)),
                ),
                pass_fds=(number,),
                stdin=subprocess.DEVNULL,
            )
        self.is_ready = False

    def start(self) -> Wait[None]:
        """Raises: EngineError."""
        try:
            yield from self.reply()
        except (EOFError, OSError):
            raise EngineError("The process for grammars of clients does not start.") from None
        self.is_ready = True

    def send(self, number: int, ask: Ask) -> None:
        self._connection.send((number, ask))

    def reply(self) -> Wait[Reply]:
        """Raises: EOFError or OSError if the process is dead or stuck."""
        deadline = time.monotonic() + PATIENCE_S
        quick_s = QUICK_S
        while not self._connection.poll(quick_s):
            quick_s = 0.0
            if time.monotonic() > deadline:
                raise EOFError
            yield
        reply: Reply = self._connection.recv()
        return reply

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


class ForeignGrammar:
    """A grammar of a client and how far it has been followed. `Sampler` uses it."""

    def __init__(self, owner: "ForeignGrammars", number: int, source: str, is_schema: bool) -> None:
        self.number = number
        self.source = source
        self.is_schema = is_schema
        self.tokens: list[int] = []
        self.helper: Helper | None = None
        self._owner = owner

    def advance(self, token: int) -> Wait[bool]:
        is_allowed = yield from self._owner.ask(self, Advance(token))
        if is_allowed:
            self.tokens.append(token)
        return bool(is_allowed)

    def restrict(self, candidates: NDArray[Any]) -> Wait[NDArray[Any]]:
        ids = np.ascontiguousarray(candidates["id"])
        allowed = yield from self._owner.ask(self, Restrict(ids))
        candidates["logit"][~np.asarray(allowed)] = -np.inf
        return candidates

    def close(self) -> None:
        self._owner.forget(self)


class ForeignGrammars:
    """The grammars of clients for one model. Its process starts with the first of them."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._numbers = itertools.count()
        self._helper: Helper | None = None
        self._is_taken = False
        self._deadly: OrderedDict[tuple[str, bool], None] = OrderedDict()

    def open(self, source: str, *, is_schema: bool) -> Wait[ForeignGrammar]:
        """Raises: InvalidInput for a grammar that cannot be followed."""
        if (source, is_schema) in self._deadly:
            raise _too_slow()
        grammar = ForeignGrammar(self, next(self._numbers), source, is_schema)
        yield from self.ask(grammar, None)
        return grammar

    def ask(self, grammar: ForeignGrammar, ask: Ask | None) -> Wait[Reply]:
        """Open the grammar where it is not, and then ask.

        Raises:
            InvalidInput: the grammar cannot be followed, or not in time.
            EngineError: the process does not start.
        """
        while self._is_taken:
            yield
        self._is_taken = True
        is_answered = False
        try:
            helper = yield from self._ready()
            reply = yield from _asked(helper, grammar, ask)
            is_answered = True
        except (EOFError, OSError):
            self._note_deadly(grammar)
            raise _too_slow() from None
        except InvalidInput:
            is_answered = True
            raise
        finally:
            self._is_taken = False
            if not is_answered:
                self._end_helper()
        return reply

    def forget(self, grammar: ForeignGrammar) -> None:
        # While another question is open, the state is left behind, which is small.
        if grammar.helper is not None and grammar.helper is self._helper and not self._is_taken:
            try:
                self._helper.send(grammar.number, Close())
            except OSError:
                self._end_helper()

    def close(self) -> None:
        self._end_helper()

    def _ready(self) -> Wait[Helper]:
        if self._helper is None:
            self._helper = Helper(self._weights)
        if not self._helper.is_ready:
            yield from self._helper.start()
        return self._helper

    def _end_helper(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.close()

    def _note_deadly(self, grammar: ForeignGrammar) -> None:
        self._deadly[grammar.source, grammar.is_schema] = None
        if len(self._deadly) > REMEMBERED:
            self._deadly.popitem(last=False)


def _asked(helper: Helper, grammar: ForeignGrammar, ask: Ask | None) -> Wait[Reply]:
    reply: Reply = True
    if grammar.helper is not helper:
        opening = Open(grammar.source, grammar.is_schema, tuple(grammar.tokens))
        helper.send(grammar.number, opening)
        reply = yield from helper.reply()
        if isinstance(reply, Refused):
            raise InvalidInput(reply.detail)
        grammar.helper = helper
    if ask is not None:
        helper.send(grammar.number, ask)
        reply = yield from helper.reply()
    return reply


def _too_slow() -> InvalidInput:
    return InvalidInput(
        "The grammar or schema takes more than a second or too much memory for one step, because an "
        "answer can follow it in too many ways. Simplify it."
    )
