"""The sections of a config and the checks that each needs by itself. Reads no files.

Paths are relative to the folder of the config file. `output` and paths from the command line are
relative to the working directory.
"""

import os
from math import prod
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from service.engine.types import REQUIRED_ROLES, Quantisation, Role

SourceKind = Literal[
    "ideation", "graded", "sharegpt", "messages", "alpaca", "prompt_completion", "dolly"
]
OwnTask = Literal["brainstorm", "refine", "evaluate"]
Optimizer = Literal["adamw_torch", "adamw_torch_fused", "adafactor", "adagrad", "rmsprop", "sgd"]
"""The optimizers of transformers that need no other package or setting."""


class CommandLineText(str):
    """A value from the command line."""

    __slots__ = ()


def _anchored(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or not value:
        return value
    folder = Path.cwd() if isinstance(value, CommandLineText) else (info.context or Path.cwd())
    # `resolve` would follow links, but the name of a link to a model file may be meaningful.
    return Path(os.path.normpath(folder / Path(value).expanduser()))


def _anchored_folder(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and value.startswith((".", "/", "~")):
        return str(_anchored(value, info))
    return value


InputPath = Annotated[Path, BeforeValidator(_anchored)]
HubOrFolder = Annotated[str, BeforeValidator(_anchored_folder)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseConfig(_Section):
    """`model` is a name in the service's catalog, `hf` a name on the Hugging Face hub or a folder."""

    model: str | None = None
    gguf: InputPath | None = None
    hf: HubOrFolder | None = None
    sha256: Sha256 | None = None
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"

    @model_validator(mode="after")
    def _is_one_base(self) -> Self:
        if sum(one is not None for one in (self.model, self.gguf, self.hf)) != 1:
            raise ValueError("give exactly one of `model`, `gguf` and `hf`")
        return self


class SourceConfig(_Section):
    """`licence` is for rows without a licence of their own; our own data and Dolly do not need it.

    `weight` is the share of rows to take, the same rows each time. Above 1, training rows are
    repeated. All rows of a `held_out` source are test rows, which show what a model forgets.
    """

    kind: SourceKind
    path: InputPath | None = None
    hub: str | None = None
    split: str = "train"
    task: str = "general"
    licence: str | None = None
    tasks: tuple[OwnTask, ...] = ("brainstorm", "refine", "evaluate")
    categories: tuple[str, ...] = ()
    first: Positive | None = None
    weight: Annotated[float, Field(gt=0, le=20)] = 1.0
    held_out: bool = False

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give exactly one of `path` and `hub`")
        if self.kind in ("ideation", "graded") and self.path is None:
            raise ValueError(f"a source of kind {self.kind} needs a `path`")
        if self.kind == "graded" and (self.weight > 1 or self.first is not None):
            raise ValueError("a graded source takes no `first` and no `weight` above 1")
        if self.categories and self.kind != "dolly":
            raise ValueError("only a source of kind dolly has `categories`")
        return self


class DuplicateConfig(_Section):
    """`near` is the Jaccard index of word 3-shingles at which rows count as duplicates; 0 is off."""

    exact: bool = True
    near: Annotated[float, Field(ge=0, le=1)] = 0.8


class FilterConfig(_Section):
    """`grammar` drops answers that the task's grammar does not allow when served.

    `ifd_max` and `plainest_share` need the base model's likelihood of every row. `plainest_share`
    keeps, in each task, this share of rows: those whose answers the base finds likeliest.
    """

    min_answer_words: Annotated[int, Field(ge=0)] = 1
    max_answer_words: Positive | None = None
    language: Literal["en", "any"] = "en"
    refusals: bool = True
    grammar: bool = True
    ifd_max: Annotated[float, Field(gt=0)] | None = None
    plainest_share: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def needs_likelihood(self) -> bool:
        return self.ifd_max is not None or self.plainest_share is not None


class DataConfig(_Section):
    """`train_rows`, `validation_rows` and `test_rows` keep the first rows of a split.

    `decontaminate` names more evaluation sets whose prompts are kept out of the data. Those that the
    run is measured with are always kept out.
    """

    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    test_share: Share = 0.1
    validation_share: Share = 0.1
    split_seed: int = 0
    train_rows: Positive | None = None
    validation_rows: Positive | None = None
    test_rows: Positive | None = None
    max_tokens: Annotated[int, Field(ge=64)] = 1024
    duplicates: DuplicateConfig = DuplicateConfig()
    decontaminate: tuple[InputPath, ...] = ()
    filters: FilterConfig = FilterConfig()

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        if self.test_share + self.validation_share >= 1:
            raise ValueError("`test_share` and `validation_share` leave no rows to train on")
        return self


class LoraConfig(_Section):
    """`last_layers` adapts only the last layers; no gradient flows through those before them."""

    r: Annotated[int, Field(gt=0, le=512)] = 16
    alpha: Annotated[float, Field(gt=0)] = 16
    dropout: Share = 0.0
    rslora: bool = False
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"
    last_layers: Positive | None = None


class TrainConfig(_Section):
    """`warmup_steps` below 1 is a share of all steps; `patience` counts validations.

    `groups_together` puts the ideas for one topic next to each other, so that `packing` stores the
    topic only once.

    With `objective = "preferences"` the model learns to prefer the better of several drafts. A step
    then takes `batch_size` prompts with all of their drafts, `beta` is that of DPO, and
    `best_weight` weighs the NLL of the best draft, which is added to the loss.
    """

    objective: Literal["answers", "preferences"] = "answers"
    beta: Annotated[float, Field(gt=0)] = 0.1
    best_weight: Annotated[float, Field(ge=0)] = 0.0
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    epochs: Annotated[float, Field(gt=0)] = 1.0
    max_steps: Positive | None = None
    batch_size: Positive = 8
    accumulation: Positive = 1
    packing: bool = True
    groups_together: bool = False
    scheduler: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: Annotated[int | float, Field(ge=0)] = 100
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    optimizer: Optimizer = "adamw_torch"
    eval_steps: Positive = 250
    patience: Positive | None = None
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    bf16: Literal["auto"] | bool = "auto"
    threads: Positive | None = None


class Range(_Section):
    """A range that Optuna draws from; whole numbers if both ends are whole numbers."""

    low: int | float
    high: int | float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @model_validator(mode="after")
    def _goes_up(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("`low` has to be less than `high`, and greater than 0 with `log`")
        return self


Scalar = bool | int | float | str
Choices = Annotated[tuple[Scalar | tuple[Scalar, ...], ...], Field(min_length=1)]


class SweepConfig(_Section):
    """`space` maps keys such as "training.learning_rate" to the values to try.

    `pruning` stops a trial of Optuna early when it does worse than the others did at that step.
    """

    kind: Literal["grid", "optuna"] = "grid"
    space: Annotated[dict[str, Range | Choices], Field(min_length=1)]
    trials: Positive = 20
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    pruning: bool = True

    @property
    def runs(self) -> int:
        """The number of runs if none is pruned."""
        if self.kind == "optuna":
            return self.trials * len(self.seeds)
        lists = [values for values in self.space.values() if not isinstance(values, Range)]
        return prod(map(len, lists)) * len(self.seeds)

    @property
    def prunes(self) -> bool:
        return self.kind == "optuna" and self.pruning

    @model_validator(mode="after")
    def _grid_has_values(self) -> Self:
        ranges = [key for key, values in self.space.items() if isinstance(values, Range)]
        if self.kind == "grid" and ranges:
            raise ValueError(f"a grid needs lists of values, not ranges: {', '.join(ranges)}")
        return self


class ExportConfig(_Section):
    """`catalog` is a catalog to register the exported model in; it serves `roles` there."""

    quantisations: Annotated[tuple[Quantisation, ...], Field(min_length=1)] = ("f16", "q4_k_m")
    catalog: InputPath | None = None
    roles: Annotated[tuple[Role, ...], Field(min_length=1)] = REQUIRED_ROLES


class EvaluationConfig(_Section):
    prompts: InputPath | None = None
    prompt_count: Positive | None = None
    ideas_per_prompt: Annotated[int, Field(ge=2)] = 10
    max_tokens_per_idea: Positive = 130
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    judge_url: str | None = None
    judge_model: str | None = None


class ReportConfig(_Section):
    """`verdict` says what was decided: the role the run's model is served in, or why it is not."""

    verdict: Annotated[str, Field(pattern=r"\S")] | None = None


class RunConfig(_Section):
    name: Name
    seed: int = 0
    output: Path = Path("runs")
    base: BaseConfig
    data: DataConfig
    lora: LoraConfig = LoraConfig()
    training: TrainConfig = TrainConfig()
    sweep: SweepConfig | None = None
    export: ExportConfig = ExportConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    report: ReportConfig = ReportConfig()
