"""The config of a run, one TOML file: base, data, training, sweep, export and evaluation."""

from training.config.reading import (
    CATALOG,
    as_toml,
    dump_config,
    is_non_commercial,
    read_config,
    with_values,
)
from training.config.schema import (
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
