"""The ridge regression of a score head on synthetic data."""

from dataclasses import replace

import numpy as np
import pytest

from service.analysis.calibration.ridge import Examples, choose, cross_validated, fit

ROWS, FEATURES = 80, 12
TRUE = np.linspace(-1, 1, FEATURES)


def examples(noise: float = 0.1, seed: int = 0) -> Examples:
    """Two targets: one that the features decide, and a random one. Rows come in pairs."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, FEATURES)) * 3 + 1
    y = np.column_stack([x @ TRUE + noise * random.normal(size=ROWS), random.normal(size=ROWS)])
    pairs = np.arange(ROWS).reshape(-1, 2)
    nothing = np.zeros((0, FEATURES)), np.zeros(0, dtype=np.int64)
    return Examples(x, y, np.arange(ROWS) // 2, pairs, *nothing)


def test_a_fit_finds_the_features_that_decide_a_target() -> None:
    known, unknown = examples(), examples(seed=1)
    ridge = fit(known, (0.1, 0.1))

    assert ridge.predict(unknown.x)[:, 0] == pytest.approx(unknown.y[:, 0], abs=0.5)


def test_each_target_gets_the_penalty_that_suits_it() -> None:
    signal, chance = choose(examples(), (1.0, 100_000.0))

    assert signal == 1.0
    assert chance == 100_000.0


def test_a_row_does_not_help_to_predict_itself_or_its_group() -> None:
    twins = examples()
    twins.x[1::2] = twins.x[::2]
    twins.y[1::2, 0] = twins.y[::2, 0]
    twins.y[:, 1] = np.repeat(np.random.default_rng(3).normal(size=ROWS // 2), 2)
    twins = replace(twins, differences=twins.differences[:0])
    predicted = cross_validated(twins, (1.0,))

    # Whoever had the twin could say it exactly.
    assert abs(np.corrcoef(predicted[:, 1], twins.y[:, 1])[0, 1]) < 0.3
    assert np.corrcoef(predicted[:, 0], twins.y[:, 0])[0, 1] > 0.95


def test_leaving_out_a_row_leaves_out_its_differences_and_moves() -> None:
    whole = examples()
    moved = np.array([0, 1, 7])
    whole = replace(whole, moves=np.ones((3, FEATURES)) * moved[:, None], moved=moved)
    is_kept = np.ones(ROWS, dtype=bool)
    is_kept[[0, 1]] = False
    kept = whole.only(is_kept)

    assert len(kept.x) == ROWS - 2
    assert len(kept.differences) == ROWS // 2 - 1
    assert kept.moved.tolist() == [5]
    assert kept.moves[0, 0] == 7
    assert np.array_equal(kept.x[kept.differences], whole.x[whole.differences][1:])


def test_a_move_that_should_not_count_loses_its_effect() -> None:
    free = examples()
    moves = np.tile(np.eye(FEATURES)[-1] * 3, (200, 1))
    taught = replace(free, moves=moves, moved=np.zeros(200, dtype=np.int64))
    effects = [fit(one, (1.0, 1.0)).weights[0, -1] for one in (free, taught)]

    assert abs(effects[1]) < 0.75 * abs(effects[0])


def test_outliers_hardly_change_the_fit() -> None:
    clean, spoilt = examples(), examples()
    spoilt.y[::20, 0] += 40
    spoilt = replace(spoilt, differences=spoilt.differences[:0])
    known = fit(clean, (1.0, 1.0)).predict(clean.x)[:, 0]
    errors = np.abs(fit(spoilt, (1.0, 1.0)).predict(clean.x)[:, 0] - known)

    # The mean of the outliers alone is 2.
    assert errors.mean() < 0.7
