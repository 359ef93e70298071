"""Trains several settings at once on one base; each as if it were alone.

They share the data and everything but rate, rank, scale, decay and seed. What they had come to is
kept with the first of them, for the same settings to go on from.
"""

import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import get_scheduler

from training.config import RunConfig
from training.errors import TrainingError
from training.learning.likelihood import RowNll, answer_nll_of_each, label_losses, total
from training.learning.metrics import (
    Measured,
    MetricsLog,
    forget_peak_memory,
    in_words,
    peak_memory_mb,
    read_metrics,
)
from training.learning.packing import lay_out_parts, tokens_in
from training.learning.schedule import TokenCount, plan
from training.learning.stack import Stack
from training.learning.tokens import Tokens
from training.learning.trainer import LOG_STEPS, Fitted, Job, uses_bf16
from training.runs.atomic_write import replacing

KEPT = "stack.pt"
# The state of many adapters takes seconds to write.
KEEP_AFTER_S = 120.0


def shared_settings(config: RunConfig) -> RunConfig:
    """Settings with the same result of this can be trained together."""
    return config.model_copy(
        update={
            "name": "shared",
            "seed": 0,
            "sweep": None,
            "training": config.training.model_copy(
                update={"learning_rate": 1e-4, "weight_decay": 0.0}
            ),
            "lora": config.lora.model_copy(update={"r": 1, "alpha": 1.0, "rslora": False}),
        }
    )


def fit_stacked(jobs: Sequence[Job], *, resume: bool = False) -> list[Fitted]:
    """With `resume`, goes on where the same settings were stopped.

    Raises:
        TrainingError: the settings cannot be trained together.
    """
    first = jobs[0]
    if len({shared_settings(job.config).model_dump_json() for job in jobs}) > 1:
        raise TrainingError("Settings that are trained at once may differ in rate and rank only.")
    if first.config.training.threads is not None:
        torch.set_num_threads(first.config.training.threads)
    forget_peak_memory()
    stack = Stack(first.base, [job.config.lora for job in jobs], [job.config.seed for job in jobs])
    try:
        run = _Run(jobs, stack)
        if resume:
            run.take_up()
        run.learn()
        tests = run.test()
    finally:
        stack.remove()
    run.kept.unlink(missing_ok=True)
    return [_finish(run, number, test) for number, test in enumerate(tests)]


def _finish(run: "_Run", number: int, test: list[RowNll]) -> Fitted:
    best = run.best[number]
    run.stack.save(number, best.weights, str(run.jobs[number].rundir.adapter))
    measured = tuple(run.logs[number].measured)
    return Fitted(best.stopped or run.step, best.step, best.nll, measured, tuple(test))


@dataclass(frozen=True, slots=True)
class _Best:
    """`worse` counts the validations since; `stopped` is the step at which patience ran out."""

    step: int
    nll: float | None
    weights: torch.Tensor
    worse: int = 0
    stopped: int | None = None


@dataclass(frozen=True, slots=True)
class _Logged:
    step: int
    seconds: float


class _Run:
    def __init__(self, jobs: Sequence[Job], stack: Stack) -> None:
        self.jobs, self.stack = jobs, stack
        self.config, self.splits = jobs[0].config, jobs[0].splits
        self.model = jobs[0].base.model
        self.settings = self.config.training
        groups = [row.group for row in self.splits.train]
        self.schedules = [plan(groups, self.settings, job.config.seed) for job in jobs]
        self.steps = self.schedules[0].steps
        self.logs: list[MetricsLog] = []
        self.best = [_Best(0, None, weights.clone()) for weights in stack.weights]
        self.step, self.seconds = 0, 0.0
        self.width = self.config.data.max_tokens if self.settings.packing else None
        self.tokens = [TokenCount(one, self._tokens_of) for one in self.schedules]
        self.optimizer, self.scheduler = self._optimizer()
        self.losses = torch.zeros(len(stack), dtype=torch.float64)
        self.logged = _Logged(0, 0.0)
        self.kept: Path = jobs[0].rundir.checkpoints / KEPT
        self.kept_at = time.monotonic()

    def learn(self) -> None:
        self.logs = self.logs or [MetricsLog(job.rundir) for job in self.jobs]
        every = max(1, min(LOG_STEPS, self.steps // 10))
        while self.step < self.steps and any(one.stopped is None for one in self.best):
            begun = time.perf_counter()
            found, norms = self._take_step()
            self.losses += found
            self.step += 1
            self.seconds += time.perf_counter() - begun
            is_last = self.step == self.steps
            if self.step % every == 0 or is_last:
                self._log(norms)
            if self.step % self.settings.eval_steps == 0 or is_last:
                self._validate()
                if not is_last and time.monotonic() - self.kept_at >= KEEP_AFTER_S:
                    self._keep()

    def take_up(self) -> None:
        """What the same settings had come to, if it was kept."""
        if not self.kept.is_file():
            return
        state: dict[str, Any] = torch.load(self.kept)
        if state["names"] != self._names():
            return
        self.stack.weights.copy_(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.best = [_Best(*one) for one in state["best"]]
        self.losses, self.logged = state["losses"], _Logged(*state["logged"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["random"].cpu())
        if torch.cuda.is_available():
            torch.cuda.set_rng_state(state["random_of_gpu"].cpu())
        self.logs = [
            MetricsLog(job.rundir, read_metrics(job.rundir, up_to=self.step)) for job in self.jobs
        ]
        self.jobs[0].report(f"Going on after step {self.step} of {self.steps}")

    def _keep(self) -> None:
        state = {
            "names": self._names(),
            "weights": self.stack.weights,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "best": [(one.step, one.nll, one.weights, one.worse, one.stopped) for one in self.best],
            "losses": self.losses,
            "logged": astuple(self.logged),
            "step": self.step,
            "seconds": self.seconds,
            "random": torch.get_rng_state(),
            "random_of_gpu": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        }
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.kept) as draft:
            torch.save(state, draft)
        self.kept_at = time.monotonic()

    def _names(self) -> list[str]:
        return [job.config.name for job in self.jobs]

    def test(self) -> list[list[RowNll]]:
        self.jobs[0].report("Measuring the test rows")
        self.stack.weights.copy_(torch.stack([one.weights for one in self.best]))
        return answer_nll_of_each(self.model, self.splits.test, len(self.stack))

    def _optimizer(self) -> tuple[torch.optim.Optimizer, Any]:
        groups = []
        for number, job in enumerate(self.jobs):
            weights = torch.nn.Parameter(self.stack.weights[number])
            weights.grad = self.stack.gradients[number]
            settings = job.config.training
            groups.append(
                {
                    "params": [weights],
                    "lr": settings.learning_rate,
                    "weight_decay": settings.weight_decay,
                }
            )
        optimizer = torch.optim.AdamW(groups)
        warmup = self.schedules[0].warmup_steps
        return optimizer, get_scheduler(self.settings.scheduler, optimizer, warmup, self.steps)

    def _take_step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss and the gradient's norm of each adapter."""
        counts = torch.tensor(
            [
                sum(row.labels for row in self._rows(one.rows_of(self.step)))
                for one in self.schedules
            ]
        )
        self.model.train()
        losses = torch.zeros(len(self.stack), dtype=torch.float64)
        batches = [one.batches_of(self.step) for one in self.schedules]
        for parts in zip(*batches, strict=True):
            losses += self._backward([self._rows(part) for part in parts], counts)
        self.stack.take_gradients()
        norms = self.stack.gradients.norm(dim=1)
        limit = (self.settings.max_grad_norm / (norms + 1e-6)).clamp(max=1)
        self.stack.gradients.mul_(limit[:, None])
        self.optimizer.step()
        self.scheduler.step()
        return losses, norms.cpu()

    def _rows(self, places: Sequence[int]) -> list[Tokens]:
        return [self.splits.train[place] for place in places]

    def _tokens_of(self, places: Sequence[int]) -> int:
        return tokens_in(self._rows(places), self.width)

    def _backward(self, parts: Sequence[Sequence[Tokens]], counts: torch.Tensor) -> torch.Tensor:
        batch = lay_out_parts(parts, self.width).to(self.model.device)
        device, is_bf16 = self.model.device.type, uses_bf16(self.settings)
        with torch.autocast(device, torch.bfloat16, enabled=is_bf16):
            found = label_losses(self.model, batch)
        sizes = [sum(row.labels for row in rows) for rows in parts]
        sums = torch.stack([part.sum() for part in torch.split_with_sizes(found, sizes)])
        losses = sums / counts.to(sums.device)
        torch.autograd.backward(losses.sum())
        return losses.detach().double().cpu()

    def _validate(self) -> None:
        if not self.splits.validation:
            self.best = [_Best(self.step, None, own.clone()) for own in self.stack.weights]
            return
        every = answer_nll_of_each(self.model, self.splits.validation, len(self.stack))
        for number, found in enumerate(map(total, every)):
            best = self.best[number]
            if best.stopped is not None:
                continue
            self._write(
                number,
                validation_nll=found.nll_per_token,
                validation_bits_per_byte=found.bits_per_byte,
            )
            if best.nll is None or found.nll_per_token < best.nll:
                own = self.stack.weights[number].clone()
                self.best[number] = _Best(self.step, found.nll_per_token, own)
            else:
                is_over = best.worse + 1 == self.settings.patience
                stopped = self.step if is_over else None
                self.best[number] = replace(best, worse=best.worse + 1, stopped=stopped)

    def _log(self, norms: torch.Tensor) -> None:
        """The mean since the last time."""
        since, seconds = self.logged.step, self.seconds - self.logged.seconds
        losses = self.losses / (self.step - since)
        rates = self.scheduler.get_last_lr()
        for number, tokens in enumerate(self.tokens):
            if self.best[number].stopped is None:
                self._write(
                    number,
                    loss=losses[number].item(),
                    learning_rate=rates[number],
                    gradient_norm=norms[number].item(),
                    tokens_per_s=round(
                        (tokens.after(self.step) - tokens.after(since)) / seconds, 1
                    ),
                )
        self.losses.zero_()
        self.logged = _Logged(self.step, self.seconds)

    def _write(self, number: int, **figures: float) -> None:
        """`tokens_per_s` and `seconds` of one are those of all that are trained with it."""
        common: dict[str, Any] = {
            "step": self.step,
            "epoch": self.schedules[number].epoch_at(self.step),
            "tokens": self.tokens[number].after(self.step),
            "seconds": round(self.seconds, 3),
            "peak_memory_mb": peak_memory_mb(),
        }
        measured = Measured(**(common | figures))
        self.logs[number].add(measured)
        job = self.jobs[number]
        job.report(f"{job.config.name}: {in_words(measured, self.steps)}")
