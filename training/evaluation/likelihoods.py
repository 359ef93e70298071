"""The likelihood of held-out answers under a served model, in nats per token and bits per byte.

Only the last answer of a row counts, with the token that ends it. Bits per byte can be compared
between models with different tokenizers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from training.data.rows import Row
from training.inference.served import Progress, Served


@dataclass(frozen=True, slots=True)
class RowLikelihood:
    """`nll` is the sum over the tokens of the answer, in nats."""

    id: str
    task: str
    nll: float
    tokens: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Sums over all rows, so a long answer counts for more than a short one."""

    rows: int
    nll_per_token: float
    bits_per_byte: float


def measure(
    served: Served, rows: Sequence[Row], *, on_done: Progress | None = None
) -> tuple[RowLikelihood, ...]:
    scored = served.score([row.messages for row in rows], on_done=on_done)
    return tuple(
        RowLikelihood(
            row.id,
            row.task,
            -sum(one.logprobs),
            len(one.logprobs),
            len(row.answer.encode()),
        )
        for row, one in zip(rows, scored, strict=True)
    )


def total(rows: Sequence[RowLikelihood]) -> Likelihood:
    nll = sum(row.nll for row in rows)
    return Likelihood(
        len(rows),
        nll / max(1, sum(row.tokens for row in rows)),
        nll / log(2) / max(1, sum(row.size_bytes for row in rows)),
    )
