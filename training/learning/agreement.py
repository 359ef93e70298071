"""How often the likeliest token is the one that stands there. Knows no files."""

from collections.abc import Sequence
from typing import Any

import torch

from training.learning.likelihood import evaluating
from training.learning.tokens import Tokens

# Logits this close are told apart by rounding alone.
TIE = 0.02


def likeliest(model: Any, rows: Sequence[Tokens]) -> tuple[int, int]:
    """Of the labelled tokens, how many the model may choose greedily, and all of them."""
    agreed, total = 0, 0
    with evaluating(model):
        for row in rows:
            ids = torch.from_numpy(row.ids).long().to(model.device)
            where = torch.from_numpy(row.mask).to(model.device).nonzero()[:, 0]
            logits = model(input_ids=ids[None], use_cache=False, logits_to_keep=where - 1).logits[0]
            chosen = logits.gather(1, ids[where, None])[:, 0]
            agreed += int((chosen >= logits.amax(1) - TIE).sum())
            total += len(where)
    return agreed, total
