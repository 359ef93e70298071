"""Files made to stop the server that reads them, and the limits that each must be read or refused in."""

from service.schemas.imports import Draft, ImportFormat
from service.transfer.file_reader import MIB, FileReader, ReadingLimits

STRICT = ReadingLimits(cpu_s=1, memory_bytes=100 * MIB)
K = 1000
OWN = "## T\n\nStatus: draft <!-- ideapool:idea a1 -->\n"
FACTS = "# T\n\nStatus: draft · {} <!\n"
MARKDOWN = {
    "quotes in tags": FACTS.format("Tags: " + '""' * 40),
    "quotes in an author": FACTS.format("By: " + '""' * 40),
    "odd quotes in tags": FACTS.format("Tags: " + '""' * 40 + '"'),
    "quotes in tags of an own file": OWN + "## T\n\nStatus: draft · Tags: " + '""' * 40 + " x\n",
    "open quotes in many own ideas": OWN + '## T\n\nStatus: draft · Tags: """\n\n' * 3 * K,
    "a long status": "# T\n\nStatus: " + "a " * 20 * K + "!\n",
    "many own ideas": OWN * 3 * K,
    "text before an own idea": "b\n\n" * 40 * K + OWN,
    "tags before a word": "- a " + "#a " * 20 * K + "!\n",
    "headings": "# a\n" * 3 * K,
    "a goal of many paragraphs": "# a\n\n" + "b\n\n" * 2 * K + "- c\n",
    "nested quotes": ">" * 20 * K + " a",
    "nested lists": "".join(" " * 2 * depth + "- a\n" for depth in range(300)),
    "nested emphasis": "- " + "*a " * 8 * K,
    "open brackets": "- " + "[" * 15 * K,
    "open links": "- " + "[a](" * 8 * K,
    "runs of backticks": "- " + "".join("`" * count + "a" for count in range(300)),
    "open comments": "- " + "<!--" * 20 * K,
    "open tags": "- " + "<a " * 20 * K,
    "entities": "- " + "&" * 50 * K,
    "link definitions": "[a]: " * 20 * K,
    "blank lines": " \n" * 100 * K + "- a",
    "combining marks": "- a" + "\u0301\u0316" * 20 * K,
}
CSV = {
    "quotes in the header": '"' * 100 * K + "\ntitle,a\n",
    "one huge cell": 'title,body\na,"' + "b" * 8 * K * K + '"\n',
    "columns": ",".join(["title", *(f"c{number}" for number in range(30 * K))]) + "\n",
    "tag columns": "title" + ",tags" * 30 * K + "\n" + "a," * 30 * K + "a\n",
    "spaces before a quote in tags": 'title,tags\na,"' + " " * 100 * K + '""x"\n',
    "quotes in tags": 'title,tags\na,"' + '""' * 100 * K + 'x"\n',
    "commas and quotes in tags": 'title,tags\na,"' + 'a"",b,' * 30 * K + '"\n',
    "apostrophes": "title\n" + "'" * 100 * K + "x\n",
    "faults": "title\n" + "a,b\n" * 20 * K,
    "line breaks in a cell": 'title\n"' + "\n" * 100 * K + 'a"\n',
}
LINES = {
    "a long line": "a " * 300 * K,
    "spaces": " " * 1000 * K + "x",
    "a bullet and spaces": "-" + " " * 1000 * K,
    "combining marks": "a" + "\u0301\u0316" * 30 * K,
}
CASES: dict[str, tuple[ImportFormat, str]] = {
    **{f"markdown: {name}": ("markdown", text) for name, text in MARKDOWN.items()},
    **{f"csv: {name}": ("csv", text) for name, text in CSV.items()},
    **{f"lines: {name}": ("lines", text) for name, text in LINES.items()},
    "json: nested": ("json", "[" * 200 * K),
    "json: unknown fields": (
        "json",
        "{" + ",".join(f'"a{number}":1' for number in range(20 * K)) + "}",
    ),
}
BOMBS: dict[str, tuple[ImportFormat, str]] = {
    "items": ("markdown", "- a\n" * 500 * K),
    "cells": ("csv", "title" + ",a" * 4 * K * K),
    "lines": ("lines", "a\n" * 2 * K * K),
}


def read(reader: FileReader, format: ImportFormat, text: str) -> list[Draft]:
    if format == "json":
        reader.archive(text.encode())
        return []
    return reader.parsed(text.encode(), format).ideas
