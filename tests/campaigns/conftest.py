"""Campaigns are not part of `make test`: `make campaigns` runs them."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scale",
        type=float,
        default=1.0,
        help="Share of the full size of each campaign: 0.05 takes about two minutes in all.",
    )


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--scale"))
