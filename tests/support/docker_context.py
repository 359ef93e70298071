"""Tells what `docker build` sees of a folder: what `.dockerignore` leaves out.

The rules are the same as `MatchesUsingParentResults` of github.com/moby/patternmatcher, for paths with slashes. The
`docker` package has an older copy of these rules, which misses what lies deeper in a folder that
`**/name` leaves out.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Pattern:
    """A line of the file; `is_exception` is one that begins with `!`."""

    text: str
    is_exception: bool

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(_regex_of(self.text), re.DOTALL)

    def matches(self, path: str) -> bool:
        return self._regex.fullmatch(path) is not None


class Context:
    """It knows which files of a folder are sent to the builder."""

    def __init__(self, ignore_file: str) -> None:
        self._patterns = _patterns(ignore_file)

    def has(self, path: str) -> bool:
        """Whether the file or folder itself passes; of a folder that does not, a part still may."""
        parts = path.split("/")
        is_out, above = False, [False] * len(self._patterns)
        for end in range(1, len(parts) + 1):
            is_out, above = self._left_out("/".join(parts[:end]), above)
        return not is_out

    def files(self, folder: Path) -> Iterator[str]:
        """The paths of those that pass, relative to `folder`. A folder left out is entered only where
        there are exceptions.
        """
        yield from self._below(folder, "", [False] * len(self._patterns))

    def _below(self, folder: Path, at: str, above: list[bool]) -> Iterator[str]:
        for entry in sorted((folder / at).iterdir()):
            path = posixpath.join(at, entry.name)
            is_out, matched = self._left_out(path, above)
            if entry.is_dir() and not entry.is_symlink():
                if not is_out or self._may_have_exceptions_in(path):
                    yield from self._below(folder, path, matched)
            elif not is_out:
                yield path

    def _left_out(self, path: str, above: list[bool]) -> tuple[bool, list[bool]]:
        """Whether the last pattern that matches leaves `path` out; which match it, or matched the
        folder around it.
        """
        is_out, matched = False, []
        for pattern, is_inherited in zip(self._patterns, above, strict=True):
            # A pattern that would change nothing is not tried, and so not inherited either.
            could_change = pattern.is_exception == is_out
            is_match = is_inherited or (could_change and pattern.matches(path))
            matched.append(is_match)
            if is_match:
                is_out = not pattern.is_exception
        return is_out, matched

    def _may_have_exceptions_in(self, folder: str) -> bool:
        exceptions = [pattern.text for pattern in self._patterns if pattern.is_exception]
        return any(text.startswith(f"{folder}/") or _WILD.search(text) for text in exceptions)


def _patterns(ignore_file: str) -> list[Pattern]:
    """Raises ValueError for a `!` that names nothing, as the builder refuses it."""
    patterns = []
    for line in ignore_file.removeprefix("\ufeff").splitlines():
        # A comment is one only at the very beginning of its line.
        text = "" if line.startswith("#") else line.strip()
        if not text:
            continue
        is_exception = text.startswith("!")
        text = text.removeprefix("!").strip()
        if is_exception and not text:
            raise ValueError("There is nothing after the exclamation mark.")
        cleaned = posixpath.normpath(text).lstrip("/")
        patterns.append(Pattern(cleaned, is_exception))
    return patterns


_WILD = re.compile(r"[*?\[\]\\]")


def _regex_of(pattern: str) -> str:
    """`*` and `?` stop at a slash, `**` does not; a backslash takes away a sign's meaning."""
    ending = pattern.removeprefix("**")
    if ending != pattern and not ending.startswith("/") and not _WILD.search(ending):
        # Only here may `**` end in the middle of a name.
        return ".*" + re.escape(ending)
    regex, rest = "", pattern
    while rest:
        if rest.startswith("**"):
            rest = rest.removeprefix("**").removeprefix("/")
            regex += "(.*/)?" if rest else ".*"
            continue
        sign, rest = rest[0], rest[1:]
        if sign == "*":
            regex += "[^/]*"
        elif sign == "?":
            regex += "[^/]"
        elif sign == "\\" and rest:
            regex, rest = regex + re.escape(rest[0]), rest[1:]
        elif sign in "[]^-":
            regex += sign
        else:
            regex += re.escape(sign)
    return regex
