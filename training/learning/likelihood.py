"""The likelihood that a model gives to the answers of rows, and how often it would choose them."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from training.data.filters import RowLikelihood
from training.data.rows import Row
from training.errors import Report
from training.learning.packing import IGNORED, Batch, fill_bins, lay_out
from training.learning.tokens import Tokens, tokenise_all

# Larger batches are no faster: these keep the device busy.
TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 4096}
# Logits that differ by less are equal but for rounding.
TIE = 0.02
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class RowNll:
    """`nll` is the sum over `tokens` tokens of the answer, in nats."""

    nll: float
    tokens: int
    answer_bytes: int

    @property
    def per_token(self) -> float:
        return self.nll / max(1, self.tokens)


@dataclass(frozen=True, slots=True)
class Nll:
    rows: int
    nll_per_token: float
    bits_per_byte: float


def total(rows: Sequence[RowNll]) -> Nll:
    """Sums over all rows, so a long answer counts for more than a short one."""
    nll = sum(row.nll for row in rows)
    tokens, size = sum(row.tokens for row in rows), sum(row.answer_bytes for row in rows)
    return Nll(len(rows), nll / max(1, tokens), nll / math.log(2) / max(1, size))


def answer_nll(
    model: Any, rows: Sequence[Tokens], *, on_done: Progress | None = None
) -> list[RowNll]:
    """The NLL of each row's answer after its prompt. Rows are read in batches."""
    sums = torch.zeros(len(rows), dtype=torch.float64)
    done = 0
    with evaluating(model):
        for members in fill_bins(rows, TOKENS_PER_BATCH[model.device.type]):
            chosen = [rows[index] for index in members]
            batch = lay_out(chosen, [list(range(len(chosen)))])
            losses = label_losses(model, batch.to(model.device)).double().cpu()
            sizes = [row.labels for row in chosen]
            parts = torch.split_with_sizes(losses, sizes)
            sums[members] = torch.stack([part.sum() for part in parts])
            done += len(members)
            if on_done is not None:
                on_done(done, len(rows))
    return [
        RowNll(nll, row.labels, row.answer_bytes)
        for nll, row in zip(sums.tolist(), rows, strict=True)
    ]


def greedy_agreement(model: Any, rows: Sequence[Tokens]) -> tuple[int, int]:
    """Counts the labelled tokens that are the likeliest ones (or tie with them), and all of them."""
    agreed, count = 0, 0
    with evaluating(model):
        for row in rows:
            ids = torch.from_numpy(row.ids).long().to(model.device)
            where = torch.from_numpy(row.mask).to(model.device).nonzero()[:, 0]
            logits = model(input_ids=ids[None], use_cache=False, logits_to_keep=where - 1).logits[0]
            chosen = logits.gather(1, ids[where, None])[:, 0]
            agreed += int((chosen >= logits.amax(1) - TIE).sum())
            count += len(where)
    return agreed, count


@dataclass(frozen=True, slots=True)
class BaseLikelihood:
    """The likelihood that the base gives to rows, for the filters of the data."""

    model: Any
    tokenizer: Any
    max_tokens: int
    report: Report

    def __call__(self, rows: Sequence[Row]) -> list[RowLikelihood]:
        tokens = tokenise_all(rows, self.tokenizer, self.max_tokens).tokens
        both = answer_nll(
            self.model, [*tokens, *map(_without_prompt, tokens)], on_done=self._on_done
        )
        halves = zip(tokens, both[: len(tokens)], both[len(tokens) :], strict=True)
        known = {one.row: _compare(after_prompt, alone) for one, after_prompt, alone in halves}
        # A row is missing if its answer does not fit into `max_tokens`; it cannot be learnt either.
        return [known.get(row.id, RowLikelihood(math.inf, math.inf)) for row in rows]

    def _on_done(self, done: int, count: int) -> None:
        self.report(f"Measured {done:,} of {count:,} answers with the base")


def _compare(after_prompt: RowNll, alone: RowNll) -> RowLikelihood:
    """The ratio is the instruction-following difficulty (IFD) of Li et al. 2023.

    At 1 or above, the prompt does not make the answer likelier, so the two hardly belong together.
    """
    return RowLikelihood(
        after_prompt.per_token, after_prompt.per_token / max(1e-9, alone.per_token)
    )


@contextlib.contextmanager
def evaluating(model: Any) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def label_losses(model: Any, batch: Batch) -> torch.Tensor:
    """The NLL of every learnt token, in the order of the batch.

    Only learnt positions go through the output layer, which is by far the widest layer.
    """
    labels = batch.labels[:, 1:]
    is_learnt = labels != IGNORED
    hook = model.get_output_embeddings().register_forward_pre_hook(
        lambda _, inputs: (inputs[0][:, :-1][is_learnt],)
    )
    try:
        logits = model(
            input_ids=batch.input_ids,
            position_ids=batch.position_ids,
            attention_mask=batch.attention_mask(),
            use_cache=False,
        ).logits
    finally:
        hook.remove()
    return functional.cross_entropy(logits.float(), labels[is_learnt], reduction="none")


def _without_prompt(row: Tokens) -> Tokens:
    """The row with only the token that ends a turn before its answer."""
    answer = row.ids[row.mask]
    ids = np.concatenate([answer[-1:], answer])
    return replace(row, ids=ids, mask=np.arange(len(ids)) > 0)
