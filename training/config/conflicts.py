"""What the sections of a config refuse of each other. Looks at no disk."""

from collections.abc import Iterator

from training.config.shapes import RunConfig, TrainConfig

OF_PREFERENCES = ("beta", "best_weight")


def conflicts(config: RunConfig) -> Iterator[str]:
    """Every problem, after the key it is about."""
    if config.training.objective == "preferences":
        yield from _of_preferences(config)
    else:
        yield from _of_answers(config)


def _of_preferences(config: RunConfig) -> Iterator[str]:
    training, data = config.training, config.data
    if training.accumulation != 1:
        yield "training.accumulation: preferences are learnt without it; leave it out"
    if training.patience is not None:
        yield "training.patience: preferences have no validation to have `patience` with"
    if not all(source.kind == "graded" for source in data.sources):
        yield "data.sources: preferences are learnt from `graded` sources alone"
    if data.validation_share:
        yield "data.validation_share: preferences have no validation; it has to be 0"
    if config.sweep is not None:
        yield "sweep: preferences have no validation to rank a sweep by"
    if data.train_rows is not None or data.test_rows is not None:
        yield "data: all drafts of a prompt are learnt together: no limits of rows"


def _of_answers(config: RunConfig) -> Iterator[str]:
    for index, source in enumerate(config.data.sources):
        if source.kind == "graded":
            yield (
                f"data.sources.{index}.kind: graded drafts need "
                '`training.objective = "preferences"`'
            )
    usual = TrainConfig()
    for key in OF_PREFERENCES:
        # A config that was written out has the usual values of all keys.
        if getattr(config.training, key) != getattr(usual, key):
            yield f'training.{key}: only `objective = "preferences"` has it; leave it out'
    if not config.data.validation_share:
        if config.training.patience is not None:
            yield "training.patience: it counts validations; give `data.validation_share`"
        if config.sweep is not None:
            yield "sweep: settings are ranked by validation rows; give `data.validation_share`"
