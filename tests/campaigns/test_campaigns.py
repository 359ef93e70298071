"""Long runs against the product: each prints its table, and fails if a promise in it is broken."""

from pathlib import Path

import pytest

from service.settings import Settings
from tests.campaigns import (
    connections,
    full_disk,
    fuzz,
    hostile_files,
    hostile_grammars,
    kills,
    random_walk,
    soak,
    stalled_readers,
)
from tests.campaigns.report import Report, tell
from tests.support.small_disk import DiskRefused

pytestmark = pytest.mark.timeout(3600)


def settle(report: Report) -> None:
    tell("done\n")
    print(report, flush=True)
    assert report.broken == []


def test_nothing_acknowledged_is_lost_or_torn_when_the_server_is_killed(
    settings: Settings, tmp_path: Path, scale: float
) -> None:
    settle(kills.campaign(settings, tmp_path, seconds=max(20, kills.SECONDS * scale)))


def test_a_full_disk_loses_nothing_and_is_recovered_from(tmp_path: Path, scale: float) -> None:
    try:
        report = full_disk.campaign(tmp_path, rounds=max(3, round(full_disk.ROUNDS * scale)))
    except DiskRefused as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    settle(report)


def test_random_steps_leave_what_a_plain_model_of_them_says(tmp_path: Path, scale: float) -> None:
    settle(random_walk.campaign(tmp_path, steps=max(50, round(random_walk.STEPS * scale))))


def test_connections_that_misbehave_are_closed_while_others_are_served(
    tmp_path: Path, scale: float
) -> None:
    settle(connections.campaign(tmp_path, rounds=max(1, round(connections.ROUNDS * scale))))


def test_readers_who_stall_cost_only_themselves(tmp_path: Path, scale: float) -> None:
    settle(
        stalled_readers.campaign(tmp_path, readers=max(5, round(stalled_readers.READERS * scale)))
    )


def test_hostile_files_are_read_or_refused_within_limits(tmp_path: Path, scale: float) -> None:
    settle(hostile_files.campaign(tmp_path, files=max(20, round(hostile_files.FILES * scale))))


def test_hostile_grammars_fail_alone_while_a_neighbour_is_answered(
    tmp_path: Path, scale: float
) -> None:
    grammars = max(20, round(hostile_grammars.RANDOM * scale))
    settle(hostile_grammars.campaign(tmp_path, grammars=grammars))


def test_the_server_stays_as_it_was_under_work_that_does_not_end(
    tmp_path: Path, scale: float
) -> None:
    settle(soak.campaign(tmp_path, minutes=max(1.0, soak.MINUTES * scale)))


def test_no_answer_contradicts_the_description_of_the_api(
    settings: Settings, tmp_path: Path, scale: float
) -> None:
    settle(fuzz.campaign(settings, tmp_path, examples=max(2, round(fuzz.EXAMPLES * scale))))
