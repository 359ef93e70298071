"""Printing: text for people, JSON for programs. Results go to standard output, notes to standard error."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from service.text.cleaning import clean_text

WIDEST = 100


def as_json(value: Any) -> None:
    # A terminal that is not UTF-8 cannot show every character; JSON escapes them.
    print(json.dumps(value, ensure_ascii=not _is_unicode(), indent=2), flush=True)


def line(text: str = "") -> None:
    """Flushes, so that a reader behind a pipe sees each line at once."""
    print(_shown(text), flush=True)


def paragraph(text: str, indent: str = "") -> None:
    """Wraps to the width of the terminal; a pipe gets the lines unchanged."""
    for part in clean_text(text).splitlines():
        if sys.stdout.isatty():
            width = max(40, min(WIDEST, shutil.get_terminal_size().columns))
            part = textwrap.fill(
                part, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
            )
            line(part)
        else:
            line(indent + part if part else "")


def note(text: str) -> None:
    print(_shown(text), file=sys.stderr, flush=True)


def facts(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)


def _shown(text: str) -> str:
    """Removes control characters, which a terminal would execute."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    return indent + clean_text(text)


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
