"""Pieces of Markdown: tables whose cells are safe, and the note on top of a generated page."""

import re
from collections.abc import Iterable, Sequence

WARNING = "<!-- Made by `make reference` from the code. Changes here are overwritten. -->"


def page(title: str, *parts: str) -> str:
    """Parts are separated by blank lines; empty ones are left out."""
    return "\n\n".join([WARNING, f"# {title}", *filter(None, parts)]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Empty where there are no rows."""
    lines = [_row(row) for row in rows]
    if not lines:
        return ""
    return "\n".join([_row(headings), "|" + "---|" * len(headings), *lines])


def code(text: str) -> str:
    return f"`{text}`"


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def anchor(heading: str) -> str:
    """As GitHub and MyST make it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sentence(text: str) -> str:
    """With a capital letter and a full stop, unless it starts with code or has its end."""
    if not text:
        return ""
    begun = text[0].upper() + text[1:]
    return begun if begun.endswith((".", "?", "!", ":")) else f"{begun}."


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
