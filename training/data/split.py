"""Splits rows into train, validation and test, keeping every group together.

The split of a group depends only on its name, so it is the same for any choice of sources.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from training.config import DataConfig
from training.data.rows import Dropped, Row
from training.data.sources import fraction

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def side_of(group: str, config: DataConfig) -> Split:
    place = fraction(config.split_seed, group)
    if place < config.test_share:
        return "test"
    if place < config.test_share + config.validation_share:
        return "validation"
    return "train"


def divide(
    rows: Sequence[Row], config: DataConfig, held_out: Collection[str] = ()
) -> tuple[dict[Split, list[Row]], list[Dropped]]:
    """The rows of each split in their order, and the rows beyond the limits of the config.

    `held_out` has the ids of rows that are always test rows.
    """
    sides: dict[Split, list[Row]] = {name: [] for name in SPLITS}
    for row in rows:
        sides["test" if row.id in held_out else side_of(row.group, config)].append(row)
    limits: dict[Split, int | None] = {
        "train": config.train_rows,
        "validation": config.validation_rows,
        "test": config.test_rows,
    }
    dropped = [
        Dropped(row, f"beyond the limit `data.{name}_rows`")
        for name, limit in limits.items()
        if limit is not None
        for row in sides[name][limit:]
    ]
    return {name: side[: limits[name]] for name, side in sides.items()}, dropped
