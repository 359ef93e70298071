"""Callbacks of TRL's trainer that record metrics and report progress."""

import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from training.errors import Report
from training.learning.metrics import MetricsLog, StepMetrics, in_words, peak_memory_mb
from training.learning.schedule import Schedule, TokenCount

Watch = Callable[[int, float], None]
"""Receives the step and the NLL of every validation. An exception that it raises ends the run."""


class MetricsCallback(TrainerCallback):  # type: ignore[misc]
    """Times the steps and writes the trainer's metrics to the log."""

    def __init__(
        self, log: MetricsLog, schedule: Schedule, tokens: TokenCount, report: Report
    ) -> None:
        self.log = log
        self._schedule = schedule
        self._report = report
        self._tokens = tokens
        self._seconds = log.measured[-1].seconds or 0.0 if log.measured else 0.0
        self._last = (log.measured[-1].step if log.measured else 0, self._seconds)
        self._begun = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._begun = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._seconds += time.perf_counter() - self._begun
        if state.global_step >= state.max_steps:
            control.should_log = control.should_save = True
            control.should_evaluate = args.eval_strategy != "no"

    def on_log(self, _: Any, state: Any, __: Any, logs: dict[str, Any], **___: Any) -> None:
        if not {"loss", "eval_loss"} & logs.keys():
            return
        step = state.global_step
        speed = None
        if "loss" in logs:
            tokens = self._tokens.after(step) - self._tokens.after(self._last[0])
            speed = round(tokens / max(1e-6, self._seconds - self._last[1]), 1)
            self._last = (step, self._seconds)
        measured = StepMetrics(
            step=step,
            epoch=self._schedule.epoch_at(step),
            loss=logs.get("loss"),
            learning_rate=logs.get("learning_rate"),
            gradient_norm=logs.get("grad_norm"),
            validation_nll=logs.get("eval_loss"),
            validation_bits_per_byte=logs.get("eval_bits_per_byte"),
            tokens=self._tokens.after(step),
            seconds=round(self._seconds, 3),
            tokens_per_s=speed,
            peak_memory_mb=peak_memory_mb(),
        )
        self.log.add(measured)
        self._report(in_words(measured, state.max_steps))


class WatchCallback(TrainerCallback):  # type: ignore[misc]
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_evaluate(
        self, _: Any, state: Any, __: Any, metrics: dict[str, float], **___: Any
    ) -> None:
        self._watch(state.global_step, metrics["eval_loss"])
