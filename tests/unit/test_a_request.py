"""docs/design/a-request.md names the files of a brainstorm."""

from service.settings import PROJECT_ROOT
from tests.support.tracing import files_named


def test_the_path_of_a_brainstorm_has_at_most_twenty_files() -> None:
    assert 0 < len(files_named("The path")) <= 20


def test_every_file_is_named_once_and_exists() -> None:
    named = files_named()

    assert len(named) == len(set(named))
    assert [one for one in named if not (PROJECT_ROOT / one).is_file()] == []
