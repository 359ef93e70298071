"""One TOML file says all of a run: base, data, settings, sweep, export and evaluation."""

from training.config.reading import (
    CATALOG,
    as_toml,
    dump_config,
    is_non_commercial,
    read_config,
    with_values,
)
from training.config.shapes import (
    BaseConfig,
    DataConfig,
    DuplicateConfig,
    EvaluationConfig,
    ExportConfig,
    FilterConfig,
    LoraConfig,
    Optimizer,
    Range,
    RunConfig,
    SourceConfig,
    SourceKind,
    SweepConfig,
    TrainConfig,
)

__all__ = [
    "CATALOG",
    "BaseConfig",
    "DataConfig",
    "DuplicateConfig",
    "EvaluationConfig",
    "ExportConfig",
    "FilterConfig",
    "LoraConfig",
    "Optimizer",
    "Range",
    "RunConfig",
    "SourceConfig",
    "SourceKind",
    "SweepConfig",
    "TrainConfig",
    "as_toml",
    "dump_config",
    "is_non_commercial",
    "read_config",
    "with_values",
]
