"""Finds settings of a config that cannot be used together. Reads no files."""

from collections.abc import Iterator

from training.config.schema import RunConfig, TrainConfig

OF_PREFERENCES = ("beta", "best_weight")


def conflicts(config: RunConfig) -> Iterator[str]:
    """Yields each problem, starting with the key it is about."""
    if config.training.objective == "preferences":
        yield from _of_preferences(config)
    else:
        yield from _of_answers(config)


def _of_preferences(config: RunConfig) -> Iterator[str]:
    training, data = config.training, config.data
    if training.accumulation != 1:
        yield "training.accumulation: cannot be used with preferences; leave it out"
    if training.patience is not None:
        yield "training.patience: cannot be used with preferences, which have no validation rows"
    if not all(source.kind == "graded" for source in data.sources):
        yield "data.sources: preferences need `graded` sources only"
    if data.validation_share:
        yield "data.validation_share: has to be 0 with preferences"
    if config.sweep is not None:
        yield "sweep: cannot be used with preferences, which have no validation rows to rank by"
    if data.train_rows is not None or data.test_rows is not None:
        yield (
            "data: `train_rows` and `test_rows` cannot be used with preferences, because the drafts "
            "of a prompt stay together"
        )


def _of_answers(config: RunConfig) -> Iterator[str]:
    for index, source in enumerate(config.data.sources):
        if source.kind == "graded":
            yield (
                f"data.sources.{index}.kind: graded drafts need "
                '`training.objective = "preferences"`'
            )
    usual = TrainConfig()
    for key in OF_PREFERENCES:
        # A dumped config spells out the default value of every key.
        if getattr(config.training, key) != getattr(usual, key):
            yield f'training.{key}: works only with `objective = "preferences"`; leave it out'
    if not config.data.validation_share:
        if config.training.patience is not None:
            yield "training.patience: needs validation rows; set `data.validation_share`"
        if config.sweep is not None:
            yield "sweep: needs validation rows to rank by; set `data.validation_share`"
