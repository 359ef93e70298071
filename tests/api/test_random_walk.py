"""Random steps over REST, compared with a plain model; `make campaigns` takes ten times as many."""

import pytest
from fastapi.testclient import TestClient

from tests.support.random_walk import SHARES, RandomWalk

pytestmark = pytest.mark.both_databases
STEPS, PART = 200, 50


def test_random_steps_leave_what_a_plain_model_of_them_says(client: TestClient) -> None:
    walk = RandomWalk(client, seed=1)
    list(walk.walk_and_compare(STEPS, PART))

    assert walk.faults == []
    assert set(walk.taken) == set(SHARES)
