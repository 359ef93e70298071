"""Collects the names of the methods' angles for `make translations`.

They cannot be marked where they are written: they are part of hints that go into prompts, which
stay English.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any, cast

from babel.messages.extract import extract_python

from service.prompts.methods import METHODS


def methods(
    file: IO[bytes],
    keywords: Mapping[str, Any],
    comment_tags: Collection[str],
    options: Mapping[str, Any],
) -> Iterator[tuple[Any, ...]]:
    """A Babel extraction method for `service/prompts/methods.py`."""
    yield from extract_python(file, keywords, comment_tags, cast(Any, options))
    for name in dict.fromkeys(angle.name for one in METHODS.values() for angle in one.angles):
        yield 1, None, name, []
