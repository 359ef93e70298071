"""How long a run still takes: measured before, corrected by what it does, never made up."""

import pytest

from service.runs.estimates import Progress, TimedRun, pace, remaining_s


def test_without_any_run_before_nothing_is_said_until_two_items_are_there() -> None:
    assert pace([], 8) is None
    assert remaining_s(None, Progress(8, made=1, running_s=9)) is None
    assert remaining_s(None, Progress(8, made=2, running_s=10)) == pytest.approx(30)


def test_the_pace_is_that_of_runs_of_about_the_same_size() -> None:
    small = [TimedRun(1, 9.0)] * 5
    large = [TimedRun(8, 40.0), TimedRun(7, 35.0), TimedRun(8, 48.0), TimedRun(8, 40.0)]

    assert pace([*small, *large, TimedRun(9, 45.0)], 8) == pytest.approx(5.0)
    assert pace([*large, *small], 1) == pytest.approx(9.0)


def test_what_was_measured_before_is_all_that_counts_at_the_beginning() -> None:
    assert remaining_s(5.0, Progress(8)) == pytest.approx(40)
    assert remaining_s(5.0, Progress(8, running_s=12)) == pytest.approx(28)


def test_a_clock_that_is_set_back_during_a_run_makes_no_time_of_its_own() -> None:
    assert remaining_s(5.0, Progress(8, running_s=-3600)) == pytest.approx(40)


def test_a_run_that_is_slower_than_those_before_is_expected_to_stay_slow() -> None:
    usual = remaining_s(5.0, Progress(8, made=2, running_s=10))
    slow = remaining_s(5.0, Progress(8, made=2, running_s=30))

    assert usual == pytest.approx(30)
    assert slow is not None
    assert 30 < slow < 8 * 15 - 30


def test_drafts_that_are_being_written_count_half() -> None:
    without = remaining_s(5.0, Progress(8, made=2, running_s=30))
    with_two = remaining_s(5.0, Progress(8, made=2, drafts=2, running_s=30))

    assert without is not None
    assert with_two is not None
    assert with_two < without


def test_a_run_that_takes_longer_than_foreseen_has_no_estimate() -> None:
    assert remaining_s(5.0, Progress(1, running_s=6)) is None
