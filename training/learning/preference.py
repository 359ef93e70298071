"""Learns which of several drafts for a prompt is better.

Direct preference optimisation (Rafailov et al. 2023) over every pair of a prompt's drafts with
different grades; all drafts are read in one pass. The likelihoods under the untuned model are
measured once, before the adapter is added. The NLL of the best draft may be added to the loss, which
keeps its likelihood from falling with that of the others (Pang et al. 2024).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any

import torch
from torch.nn import functional

from training.data.graded import best_places
from training.errors import DataProblem
from training.learning.likelihood import RowNll, answer_nll, label_losses
from training.learning.packing import Batch, choose_bins, lay_out
from training.learning.tokens import Tokens
from training.learning.trainer import Job, Objective

Prompt = tuple[int, ...]
"""The positions of its drafts among the rows."""


@dataclass(frozen=True, slots=True)
class Preferred:
    """`right` is the share of pairs whose better draft gained more likelihood than the worse."""

    prompts: int
    pairs: int
    right: float


def preference_objective(job: Job) -> "PreferenceObjective":
    """Has to be called before the adapter is added. Raises `DataProblem` without any pair."""
    rows = job.splits.train
    prompts = prompts_of(rows)
    if not prompts:
        raise DataProblem(
            "no prompt has drafts with different grades, so there is nothing to learn."
        )
    pairs = sum(len(pairs_of(rows, prompt)) for prompt in prompts)
    job.report(f"{pairs:,} pairs of drafts for {len(prompts):,} prompts")
    job.report("Measuring the base on the drafts")
    places = [place for prompt in prompts for place in prompt]
    found = answer_nll(job.base.model, [rows[place] for place in places])
    reference = {place: one.nll for place, one in zip(places, found, strict=True)}
    return PreferenceObjective(job, prompts, reference)


def prompts_of(rows: Sequence[Tokens]) -> list[Prompt]:
    """The prompts that have a pair to learn from, in the order of their first rows."""
    found: dict[bytes, list[int]] = {}
    for place, row in enumerate(rows):
        found.setdefault(row.prompt, []).append(place)
    return [tuple(places) for places in found.values() if pairs_of(rows, places)]


def pairs_of(rows: Sequence[Tokens], places: Sequence[int]) -> list[tuple[int, int]]:
    """The pairs of drafts with different grades, the better one first."""
    return [
        (one, other)
        for one, other in permutations(places, 2)
        if _is_better(rows[one].grade, rows[other].grade)
    ]


def preferred(
    rows: Sequence[Tokens], tuned: Sequence[RowNll], untuned: Sequence[RowNll]
) -> Preferred | None:
    """Compares the drafts of held-out pairs; None without any pair."""
    raised = [before.nll - after.nll for before, after, _ in zip(untuned, tuned, rows, strict=True)]
    prompts = prompts_of(rows)
    pairs = [pair for prompt in prompts for pair in pairs_of(rows, prompt)]
    if not pairs:
        return None
    right = sum(raised[better] > raised[worse] for better, worse in pairs)
    return Preferred(len(prompts), len(pairs), right / len(pairs))


def _is_better(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


class PreferenceObjective(Objective):
    """An example is a prompt with all of its drafts."""

    def __init__(self, job: Job, prompts: Sequence[Prompt], reference: Mapping[int, float]) -> None:
        """`reference` maps the position of each draft to its NLL under the untuned model, in nats."""
        super().__init__(job)
        self._settings = job.config.training
        self._prompts = prompts
        self._reference = reference

    @property
    def groups(self) -> list[str]:
        return [self._rows[prompt[0]].group for prompt in self._prompts]

    def lay_out(self, examples: Sequence[int]) -> dict[str, torch.Tensor]:
        places = self._places(examples)
        rows = [self._rows[place] for place in places]
        bins = choose_bins(rows, self._width)
        order = [places[index] for members in bins for index in members]
        return asdict(lay_out(rows, bins)) | {"places": torch.tensor(order)}

    def loss(
        self, model: Any, inputs: Mapping[str, torch.Tensor], _labels: torch.Tensor | None
    ) -> torch.Tensor:
        """The mean over prompts of the mean over their pairs."""
        batch = Batch(**{name: value for name, value in inputs.items() if name != "places"})
        places = inputs["places"].tolist()
        losses = label_losses(model, batch)
        parts = torch.split_with_sizes(losses, [self._rows[place].labels for place in places])
        nll = dict(zip(places, (part.sum() for part in parts), strict=True))
        prompts = [prompt for prompt in self._prompts if prompt[0] in nll]
        return torch.stack([self._of_prompt(prompt, nll) for prompt in prompts]).mean()

    def _places(self, examples: Sequence[int]) -> Sequence[int]:
        # A step can have a prompt twice where one epoch ends and the next begins.
        chosen = dict.fromkeys(examples)
        return [place for example in chosen for place in self._prompts[example]]

    def _of_prompt(self, prompt: Prompt, nll: Mapping[int, torch.Tensor]) -> torch.Tensor:
        raised = {place: self._reference[place] - nll[place] for place in prompt}
        pairs = pairs_of(self._rows, prompt)
        margins = [raised[better] - raised[worse] for better, worse in pairs]
        loss = functional.softplus(-self._settings.beta * torch.stack(margins)).mean()
        if self._settings.best_weight:
            grades = [self._rows[place].grade for place in prompt]
            best = prompt[best_places([0] * len(prompt), grades)[0]]
            loss = loss + self._settings.best_weight * nll[best] / self._rows[best].labels
        return loss
