from pathlib import Path

import pytest

from tests.support.docker_context import Context

# Of the tests of moby/patternmatcher: a pattern, a path, whether it is left out.
CASES = [
    ("**", "dir/file", True),
    ("**/", "file", True),
    ("**/**", "dir/file", True),
    ("dir/**", "dir/dir2/file", True),
    ("abc/**", "abc", False),
    ("**/dir", "dir", True),
    ("**/dir", "dir/file", True),
    ("**/dir2/*", "dir/dir2/file", True),
    ("**file", "dir/dir/file", True),
    ("**file", "dir/profile", True),
    ("**/file", "dir/profile", False),
    ("**/file*.txt*", "dir/dir/file.txt", True),
    ("**/**/*.txt2", "dir/dir/file.txt", False),
    ("a**/*.txt", "a/dir/dir/file.txt", True),
    ("a/*.txt", "a/dir/file.txt", False),
    ("a/*.txt**", "a/file.txt", True),
    ("a*", "ab/c", True),
    ("a*/b", "a/c/b", False),
    ("a[b-d]e", "ace", True),
    ("a[b-d]e", "ae", False),
    ("a[^b-d]e", "aze", True),
    (".*", ".foo", True),
    (".*", "foo", False),
    ("abc.def", "abcZdef", False),
    ("abc?def", "abcZdef", True),
    ("a?b", "a/b", False),
    ("**/.foo", "bar.foo", False),
    ("a(b)c/def", "a(b)c/def", True),
    ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
    (r"a\*b", "a*b", True),
    (r"a\*b", "ab", False),
    ("docs\n!docs/README.md", "docs/README.md", False),
    ("docs/\n!docs/README.md", "docs/guide.md", True),
    ("!notes.md\n*.md", "notes.md", True),
    ("**\n!util/docker/web", "util/docker/web/foo", False),
    ("**\n!util/docker/web\nutil/docker/web/foo", "util/docker/web/foo", True),
    # Of what the builder reads from the file.
    ("/a/file/here", "a/file/here", True),
    ("  docs/./images//  ", "docs/images", True),
    ("docs\n! /docs/README.md", "docs/README.md", False),
    ("# docs", "docs", False),
    (" # docs", "# docs", True),
    ("\ufeffdocs\r\n\r\nsite", "docs", True),
    # A folder that no pattern had left out when its exception was tried hands nothing on.
    ("a/x\n!a", "a/x", True),
]


@pytest.mark.parametrize(("ignore_file", "path", "is_left_out"), CASES)
def test_a_path_is_left_out_as_docker_does(ignore_file: str, path: str, is_left_out: bool) -> None:
    assert Context(ignore_file).has(path) is not is_left_out


def test_an_exclamation_mark_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="exclamation mark"):
        Context("docs\n!\n")


def test_files_are_found_in_folders_that_are_left_out_themselves(tmp_path: Path) -> None:
    for name in ("docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "other/b.md", "d.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert list(Context("*\n!docs/deep/*.md").files(tmp_path)) == ["docs/deep/b.md"]
    assert list(Context("*\n!docs\n**/deep").files(tmp_path)) == ["docs/a.md"]
