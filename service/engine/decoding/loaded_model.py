"""A catalog model ready to decode: shared weights, its own caches, and who sits where in them."""

from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.chat_template import ChatPrompt, ChatTokeniser
from service.engine.decoding.kv_slots import Placement, Seat, Seats
from service.engine.llama import AdapterFile, Context, Rows, Shape, Slice, Weights
from service.errors import PromptTooLong
from service.messages import Text

# Prompts are decoded in pieces of this many tokens. A piece is what a cancel has to wait for. The
# same pieces also give the same numbers to the last bit, so prefixes are reused by whole pieces
# and a seed gives the same text whether or not the cache was warm.
CPU_PIECE, SMALL_CPU_PIECE, GPU_PIECE = 32, 64, 512
SMALL_PARAMETERS = 200_000_000
# System prompts kept outside the cache; the service has four, and OpenAI clients have their own.
KEPT_STARTS = 8


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request wants decoded next. `is_answer`: the next token of a running answer."""

    context: Context
    seat: Seat
    position: int
    tokens: Sequence[int]
    is_answer: bool = False
    wants_output: bool = False
    wants_all: bool = False

    def slice(self) -> Slice:
        """As late as possible: a seat may move to another sequence."""
        return Slice(
            self.seat.sequence, self.position, self.tokens, self.wants_output, self.wants_all
        )


# None instead of a demand: waiting for a seat.
Steps = Generator[Demand | None, Rows | None, None]


def piece_of(parameters: int, gpu_layers: int) -> int:
    """Tokens read in about a tenth of a second, or few where even these take longer."""
    if gpu_layers:
        return GPU_PIECE
    return SMALL_CPU_PIECE if parameters < SMALL_PARAMETERS else CPU_PIECE


class LoadedModel:
    def __init__(
        self,
        weights: Weights,
        shape: Shape,
        *,
        threads: int,
        chat_template: str | None = None,
        adapter: tuple[AdapterFile, float] | None = None,
    ) -> None:
        """`shape.batch` is a prompt's piece."""
        self.weights = weights
        self.chat = ChatTokeniser(weights, chat_template)
        self.tokens = shape.tokens
        self.piece = shape.batch
        self._threads = threads
        self._adapter = adapter
        self.context = Context(weights, _roomy(shape), threads=threads, adapter=adapter)
        self.seats = Seats(shape.sequences, cells=None if shape.streams else shape.total)
        self._filling: Seat | None = None
        self._starts: OrderedDict[tuple[int, ...], NDArray[np.uint8]] = OrderedDict()
        self._embedder: Context | None = None
        self.embedder_seats = Seats(1)

    @property
    def embedder(self) -> Context:
        """Made when first asked for: most models never embed."""
        if self._embedder is None:
            shape = Shape(self.tokens, 1, self.piece)
            self._embedder = Context(
                self.weights, shape, threads=self._threads, adapter=self._adapter, embeds=True
            )
        return self._embedder

    @property
    def own_bytes(self) -> int:
        return self.context.shape.total * self.weights.cache_bytes_per_token

    def check_fit(self, tokens: int, answer: int) -> None:
        """Raises PromptTooLong unless both fit the context together."""
        if tokens + answer > self.tokens:
            raise PromptTooLong(
                Text(
                    "The prompt has %(tokens)s tokens and the answer may have %(answer)s; the "
                    "model's context holds %(room)s.",
                    tokens=tokens,
                    answer=answer,
                    room=self.tokens,
                )
            )

    def sit_down(
        self, key: str, prompt: ChatPrompt, answer: int, *, shares: bool = True
    ) -> Generator[None, Rows | None, tuple[Seat, int]]:
        """Wait for a seat; it, and how many tokens of the prompt its cache holds already.

        One prompt is decoded at a time, so that the next can begin with what they have in common.
        """
        cuts = self._cuts(prompt) if shares else []
        self.seats.line_up(key)
        try:
            need = len(prompt.tokens) + answer
            while True:
                if self._filling is None:
                    placement = self.seats.take(key, prompt.tokens, need, cuts)
                    if placement is not None:
                        break
                yield
        finally:
            self.seats.leave(key)
        self._filling = placement.seat
        return placement.seat, self._prepare(placement, prompt, cuts)

    def sit_alone(self, key: str) -> Generator[None, Rows | None, Seat]:
        """Wait for the embedder, which serves one text at a time."""
        self.embedder_seats.line_up(key)
        try:
            while (placement := self.embedder_seats.take(key, [], 0, [])) is None:
                yield
        finally:
            self.embedder_seats.leave(key)
        return placement.seat

    def stand_up(self, seat: Seat) -> None:
        """What follows the prompt is forgotten; the prompt stays for others."""
        self._finish_filling(seat)
        self.context.keep(seat.sequence, len(seat.prompt))
        self.seats.release(seat)

    def prefill(
        self, seat: Seat, prompt: ChatPrompt, start: int, *, shares: bool = True
    ) -> Generator[Demand | None, Rows | None, Rows]:
        """Decode `prompt` after its first `start` tokens, which are cached; the last row."""
        tokens = prompt.tokens
        row: Rows | None = None
        for end in [cut for cut in self._cuts(prompt) if cut > start] + [len(tokens)]:
            is_last = end == len(tokens)
            row = yield Demand(self.context, seat, start, tokens[start:end], wants_output=is_last)
            start = end
            if shares:
                seat.prompt = tokens[:end]
                if end == prompt.fixed:
                    self._keep_start(tokens[:end], seat)
        assert row is not None
        self._finish_filling(seat)
        return row

    def _finish_filling(self, seat: Seat) -> None:
        if self._filling is seat:
            self._filling = None

    def close_gap(self) -> None:
        """Bring the running sequences together where only neighbours share a batch."""
        gap = None if self.seats.waiting else self.seats.gap()
        if gap is not None:
            moving, free = gap
            self.context.keep(free.sequence, 0)
            self.context.restore(free.sequence, self.context.save(moving.sequence))
            self.context.keep(moving.sequence, 0)
            free.prompt = []
            self.seats.swap(moving, free)

    def close(self) -> None:
        self.context.close()
        if self._embedder is not None:
            self._embedder.close()

    def _cuts(self, prompt: ChatPrompt) -> list[int]:
        """Where a prompt is cut: in pieces, and after the start that many prompts share."""
        last = len(prompt.tokens) - 1
        fixed = min(prompt.fixed, last)
        return [
            *range(self.piece, fixed, self.piece),
            *range(fixed or self.piece, last + 1, self.piece),
        ]

    def _prepare(self, placement: Placement, prompt: ChatPrompt, cuts: list[int]) -> int:
        """Fill the seat's sequence with what is known of the prompt; the number of tokens."""
        sequence, shared = placement.seat.sequence, placement.shared
        for dropped in placement.dropped:
            if dropped != sequence:
                self.context.keep(dropped, 0)
        start = tuple(prompt.tokens[: prompt.fixed])
        if shared < prompt.fixed and prompt.fixed in cuts and start in self._starts:
            self._starts.move_to_end(start)
            self.context.keep(sequence, 0)
            self.context.restore(sequence, self._starts[start])
            placement.seat.prompt = list(start)
            return prompt.fixed
        if placement.source == sequence:
            self.context.keep(sequence, shared)
        else:
            self.context.copy(placement.source, sequence, shared)
        return shared

    def _keep_start(self, tokens: list[int], seat: Seat) -> None:
        self._starts[tuple(tokens)] = self.context.save(seat.sequence)
        if len(self._starts) > KEPT_STARTS:
            self._starts.popitem(last=False)


def _roomy(shape: Shape) -> Shape:
    """A batch carries a piece, or one token of each sequence."""
    batch = max(shape.batch, shape.sequences)
    return Shape(shape.tokens, shape.sequences, batch, shape.streams, shape.cells)
