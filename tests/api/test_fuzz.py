"""Whether the API keeps to its description, briefly.

`make campaigns` sends more examples, and every boundary value of each schema, which alone takes
four minutes.
"""

from pathlib import Path

import pytest

from service.settings import Settings
from tests.support.fuzzing import fuzz

EXAMPLES = 8
PHASES = "examples,fuzzing,stateful"
PATIENCE_S = 900


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S + 60)
def test_the_api_behaves_as_its_description_says(settings: Settings, tmp_path: Path) -> None:
    fuzzed = fuzz(settings, tmp_path, examples=EXAMPLES, patience_s=PATIENCE_S, phases=PHASES)

    assert fuzzed.is_clean, fuzzed.failures
