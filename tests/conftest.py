"""What every kind of test may use: settings that touch nothing but a temporary folder."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from service.settings import PROJECT_ROOT, Settings

DATA = PROJECT_ROOT / "data"
# The same examples each time, and none fails for what else the machine does meanwhile.
hypothesis.settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own IDEAPOOL_* variables must not decide what a test sees."""
    for name in list(os.environ):
        if name.startswith("IDEAPOOL_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """Where a shell started the tests in the background, they and what they start ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Its own database; the real small model, which `make test` has fetched."""
    return Settings(data_dir=tmp_path, bundled_models_dir=DATA / "models", model="small")
