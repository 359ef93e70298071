"""Trains one adapter with TRL's trainer and our own row order, packing, losses and validation.

Of the run's directory it uses only the checkpoints, the adapter and the metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import peft
import torch
from datasets import Dataset
from transformers import EarlyStoppingCallback, PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer

from training.config import LoraConfig, RunConfig, TrainConfig
from training.errors import Report
from training.learning.base import Base
from training.learning.callbacks import MetricsCallback, Watch, WatchCallback
from training.learning.likelihood import RowNll, answer_nll, label_losses, total
from training.learning.metrics import MetricsLog, StepMetrics, forget_peak_memory, read_metrics
from training.learning.packing import Batch, choose_bins, lay_out, tokens_in
from training.learning.schedule import Schedule, TokenCount, plan
from training.learning.tokens import Tokens
from training.runs.run_directory import RunDirectory

LOG_STEPS = 10
CHECKPOINT_PARTS = ("trainer_state.json", "optimizer.pt", "scheduler.pt")


@dataclass(frozen=True, slots=True)
class Splits:
    train: tuple[Tokens, ...]
    validation: tuple[Tokens, ...]
    test: tuple[Tokens, ...]


@dataclass(frozen=True, slots=True)
class Job:
    config: RunConfig
    base: Base
    splits: Splits
    rundir: RunDirectory
    report: Report
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The adapter of the best step is in the run's directory; `test` has its NLL of each test row."""

    steps: int
    best_step: int
    validation_nll: float | None
    measured: tuple[StepMetrics, ...]
    test: tuple[RowNll, ...]


class Objective:
    """What a step reads and what its loss is. In this class an example is one row."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._rows = job.splits.train
        self._width = job.config.data.max_tokens if job.config.training.packing else None

    @property
    def groups(self) -> list[str]:
        """The group of each example."""
        return [row.group for row in self._rows]

    def tokens_of(self, examples: Sequence[int]) -> int:
        """The number of tokens that are read if these examples form one batch."""
        return tokens_in([self._rows[place] for place in self._places(examples)], self._width)

    def lay_out(self, examples: Sequence[int]) -> dict[str, torch.Tensor]:
        rows = [self._rows[place] for place in self._places(examples)]
        return asdict(lay_out(rows, choose_bins(rows, self._width)))

    def loss(
        self, model: Any, inputs: Mapping[str, torch.Tensor], labels: torch.Tensor | None
    ) -> torch.Tensor:
        """This batch's part of the mean over `labels`, the learnt tokens of the whole step."""
        losses = label_losses(model, Batch(**inputs))
        return losses.mean() if labels is None else losses.sum() / labels

    def _places(self, examples: Sequence[int]) -> Sequence[int]:
        """The positions of the rows of these examples."""
        return examples


def new_adapter(base: Base, config: LoraConfig, seed: int) -> Any:
    """The base with an untrained adapter, which is initialised with the seed."""
    alpha = int(config.alpha) if config.alpha == int(config.alpha) else config.alpha
    set_seed(seed)
    return peft.get_peft_model(
        base.model,
        peft.LoraConfig(
            task_type="CAUSAL_LM",
            r=config.r,
            lora_alpha=alpha,
            lora_dropout=config.dropout,
            use_rslora=config.rslora,
            target_modules=_targets(base.model, config),
            layers_to_transform=_layers(base.model, config),
        ),
    )


def _targets(model: Any, config: LoraConfig) -> str | list[str]:
    if not isinstance(config.targets, str):
        return list(config.targets)
    if config.last_layers is None:
        return config.targets
    # PEFT accepts a choice of layers only together with the names of modules.
    output = model.get_output_embeddings()
    linear = (
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not output
    )
    return sorted(set(linear))


def _layers(model: Any, config: LoraConfig) -> list[int] | None:
    if config.last_layers is None:
        return None
    count = model.config.num_hidden_layers
    return list(range(max(0, count - config.last_layers), count))


def fit(objective: Objective, *, checkpoint: Path | None = None) -> Fitted:
    """Trains to the end. With a checkpoint, continues as if the run had not stopped there."""
    job = objective.job
    settings, splits = job.config.training, job.splits
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    forget_peak_memory()
    model = new_adapter(job.base, job.config.lora, job.config.seed)
    args = _arguments(job)
    schedule = plan(objective.groups, settings, job.config.seed)
    args.max_steps, args.warmup_steps = schedule.steps, schedule.warmup_steps
    args.logging_steps = max(1, min(LOG_STEPS, schedule.steps // 10))
    earlier = read_metrics(job.rundir, up_to=_step_of(checkpoint)) if checkpoint is not None else []
    log = MetricsLog(job.rundir, earlier)
    diary = MetricsCallback(log, schedule, TokenCount(schedule, objective.tokens_of), job.report)
    trainer = _Trainer(objective, model, args, schedule)
    trainer.add_callback(diary)
    if splits.validation and settings.patience is not None:
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
    if job.watch is not None:
        trainer.add_callback(WatchCallback(job.watch))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
    state = trainer.state
    model.save_pretrained(str(job.rundir.adapter))
    job.report("Measuring the test rows")
    return Fitted(
        state.global_step,
        state.best_global_step or state.global_step,
        state.best_metric,
        tuple(log.measured),
        tuple(answer_nll(model, splits.test)),
    )


def uses_bf16(config: TrainConfig) -> bool:
    if config.bf16 == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return config.bf16


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    whole = [
        path
        for path in folder.glob("checkpoint-*")
        if all((path / part).is_file() for part in CHECKPOINT_PARTS)
    ]
    return max(whole, key=_step_of, default=None)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _arguments(job: Job) -> SFTConfig:
    settings, has_validation = job.config.training, bool(job.splits.validation)
    has_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(job.rundir.checkpoints),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        weight_decay=settings.weight_decay,
        optim=settings.optimizer,
        max_grad_norm=settings.max_grad_norm,
        seed=job.config.seed,
        bf16=uses_bf16(settings),
        use_cpu=not has_gpu,
        dataloader_pin_memory=has_gpu,
        eval_strategy="steps" if has_validation else "no",
        eval_steps=settings.eval_steps,
        save_strategy="steps",
        save_steps=settings.eval_steps,
        save_total_limit=2,
        load_best_model_at_end=has_validation,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        # We order and pack the rows ourselves.
        train_sampling_strategy="sequential",
        max_length=None,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        gradient_checkpointing=False,
        disable_tqdm=True,
        report_to="none",
    )


class _Trainer(SFTTrainer):  # type: ignore[misc]
    def __init__(
        self, objective: Objective, model: Any, args: SFTConfig, schedule: Schedule
    ) -> None:
        self._objective = objective
        self._validation = objective.job.splits.validation
        rows = Dataset.from_dict({"example": list(schedule.order)})
        super().__init__(
            model,
            args,
            data_collator=self._collate,
            train_dataset=rows,
            # Only its presence matters: `evaluate` has the rows.
            eval_dataset=rows if self._validation else None,
            processing_class=objective.job.base.tokenizer,
        )
        self.remove_callback(PrinterCallback)

    def _collate(self, examples: Sequence[dict[str, int]]) -> dict[str, torch.Tensor]:
        return self._objective.lay_out([example["example"] for example in examples])

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Replaces TRL's loss, which sends every position through the output layer."""
        assert not return_outputs
        return self._objective.loss(model, inputs, num_items_in_batch)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The mean is over tokens, not over batches."""
        whole = total(answer_nll(self.model, self._validation))
        metrics = {
            "eval_loss": whole.nll_per_token,
            "eval_bits_per_byte": whole.bits_per_byte,
        }
        self.log(dict(metrics))
        control: Any = self.control
        self.callback_handler.on_evaluate(self.args, self.state, control, metrics)
        return metrics

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Cards are written when an adapter is exported."""
