"""What the commands print: texts for people, JSON for programs. Results go to standard output,
everything else to standard error.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from service.text.cleaning import clean_text

WIDEST = 100


def as_json(value: Any) -> None:
    # Lone surrogates of a broken file cannot be encoded; nothing else is escaped.
    print(json.dumps(value, ensure_ascii=not _is_unicode(), indent=2), flush=True)


def line(text: str = "") -> None:
    """At once, so that who reads through a pipe gets it as it comes."""
    print(_shown(text), flush=True)


def paragraph(text: str, indent: str = "") -> None:
    """Wrapped to the terminal; through a pipe, the lines are as they are."""
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
    """Without what a terminal would obey instead of showing it."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    return indent + clean_text(text)


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
