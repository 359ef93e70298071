"""Finds the lines of a Markdown text that a node of its syntax tree comes from."""

import re

from markdown_it.tree import SyntaxTreeNode as Node


class Source:
    def __init__(self, text: str) -> None:
        self.text = re.sub(r"\r\n?", "\n", text)
        self._lines = self.text.split("\n")

    def line(self, node: Node) -> int:
        return self._range(node)[0] + 1

    def of(self, node: Node) -> str:
        begin, end = self._range(node)
        return "\n".join(self._lines[begin:end])

    def between(self, first: Node, whole: Node) -> str:
        """Returns the text from the first line of a child to the last line of its parent."""
        return "\n".join(self._lines[self._range(first)[0] : self._range(whole)[1]])

    def lines(self, begin: int, end: int | None) -> str:
        return "\n".join(self._lines[begin:end])

    def _range(self, node: Node) -> tuple[int, int]:
        return node.map or (0, 0)
