from pathlib import Path

import pytest

from service.engine.files.atomic_write import replacing, write_whole


def test_a_file_is_replaced_as_a_whole_and_folders_are_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "note.json"
    write_whole(file, "old")

    with replacing(file) as draft:
        draft.write_text("new")
        seen = file.read_text()

    assert (seen, file.read_text()) == ("old", "new")
    assert draft.suffix == ".json"
    assert list(file.parent.iterdir()) == [file]


def test_a_failure_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "note.json"
    file.write_text("old")

    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "half \ud800")

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_draft_that_was_never_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "note.json"):
        pass

    assert list(tmp_path.iterdir()) == []
