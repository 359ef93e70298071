"""Reads any Markdown: list items are ideas, or sections if there are no lists.

A top heading names a board, and the headings under it become tags. A ticked box means done.
"""

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode as Node

from service.schemas.fields import TAG_CEILING
from service.schemas.imports import BoardDraft, Draft, Nested, ParsedFile
from service.transfer.readers.drafting import Faults, leave_out, shorten, title_and_body
from service.transfer.readers.sections import read_sections, with_facts
from service.transfer.readers.source import Source

_LISTS = ("bullet_list", "ordered_list")
_CHECKBOX = re.compile(r"^\[(?P<mark>[ xX])\]\s+")
_TAG = re.compile(r"#[^\W\d][\w/-]*")


def read_outline(text: str, *, nested: Nested, title_limit: int) -> ParsedFile:
    source = Source(text)
    nodes = list(Node(MarkdownIt("commonmark").parse(source.text)).children)
    headings = [node for node in nodes if node.type == "heading"]
    has_lists = any(node.type in _LISTS for node in nodes)
    if headings and (not has_lists or with_facts(nodes)):
        return read_sections(source, nodes, title_limit)
    faults = Faults()
    parsed = _Outline(source, nested, title_limit, faults).read(nodes, has_lists=has_lists)
    faults.check()
    return parsed


class _Outline:
    def __init__(self, source: Source, nested: Nested, title_limit: int, faults: Faults) -> None:
        self._source = source
        self._nested = nested
        self._title_limit = title_limit
        self._faults = faults
        self._parsed = ParsedFile()
        self._board: BoardDraft | None = None
        self._goals: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._tags: dict[int, str] = {}
        self._may_be_goal = False

    def read(self, nodes: Sequence[Node], *, has_lists: bool) -> ParsedFile:
        for node in nodes:
            if node.type == "heading":
                self._heading(node)
            elif node.type in _LISTS:
                self._may_be_goal = False
                self._items(node, parent=None)
            elif node.type == "paragraph" and not has_lists:
                self._add(node, node, self._source.line(node), parent=None)
            elif self._may_be_goal and self._board is not None:
                self._goals[self._board.name].append(
                    (self._source.line(node), self._source.of(node))
                )
            elif node.type != "hr":
                leave_out(self._parsed, self._source.of(node), self._source.line(node))
        for name, parts in self._goals.items():
            goal = "\n\n".join(text for _, text in parts).strip()
            self._parsed.boards[name].goal = self._faults.body(goal, parts[0][0])
        return self._parsed

    def _heading(self, node: Node) -> None:
        level, line = int(node.tag[1:]), self._source.line(node)
        name = plain_text(node.children[0]) if node.children else ""
        self._may_be_goal = level == 1
        self._tags = {} if level == 1 else {k: v for k, v in self._tags.items() if k < level}
        if not name:
            return
        if level == 1:
            name = self._faults.title(name, line, 3)
            self._board = self._parsed.boards.setdefault(name, BoardDraft(line, name))
        else:
            self._tags[level] = shorten(name, TAG_CEILING)

    def _items(self, node: Node, parent: int | None) -> None:
        for item in node.children:
            first = item.children[0] if item.children else None
            line = self._source.line(item)
            if first is not None and first.type == "paragraph":
                self._add(item, first, line, parent)
            elif first is not None:
                # An item that begins with a list, a quote or code has no line for a title.
                leave_out(self._parsed, self._source.of(item), line)

    def _add(self, item: Node, paragraph: Node, line: int, parent: int | None) -> None:
        words = plain_text(paragraph.children[0])
        box = _CHECKBOX.match(words)
        words = words[box.end() :] if box else words
        words, own_tags = _split_off_tags(words)
        tags = [*self._tags.values(), *own_tags]
        title, body = title_and_body(words, self._body(item, paragraph), self._title_limit)
        if not title:
            return
        self._parsed.ideas.append(
            Draft(
                line,
                self._faults.title(title, line),
                self._faults.body(body, line),
                board=self._board.name if self._board else None,
                status="done" if box and box["mark"] in "xX" else None,
                tags=self._faults.tags(list(dict.fromkeys(tags)), line) or None,
                parent=parent,
            )
        )
        if self._nested == "ideas" and item is not paragraph:
            place = len(self._parsed.ideas) - 1
            for child in item.children:
                if child.type in _LISTS:
                    self._items(child, parent=place)

    def _body(self, item: Node, paragraph: Node) -> str:
        """Returns the item's text without its title. A title cannot have links, so they come first."""
        parts = [self._source.of(paragraph)] if _has_links(paragraph) else []
        parts = [_without_bullet(part) for part in parts]
        rest = [] if item is paragraph else list(item.children[1:])
        if self._nested == "ideas":
            parts += [
                textwrap.dedent(self._source.of(child))
                for child in rest
                if child.type not in _LISTS
            ]
        elif rest:
            parts.append(textwrap.dedent(self._source.between(rest[0], item)))
        return "\n\n".join(part.strip("\n") for part in parts)


def plain_text(inline: Node) -> str:
    """Returns the words of an inline node without formatting and links."""
    words = "".join(_words(inline))
    return " ".join(words.split())


def _split_off_tags(words: str) -> tuple[str, list[str]]:
    """Returns the words, and the tags at their end; the first word is never a tag."""
    # From the end: a pattern for all tags would try each of them as the first one.
    pieces = words.split(" ")
    end = len(pieces)
    while end > 1 and _TAG.fullmatch(pieces[end - 1]):
        end -= 1
    return " ".join(pieces[:end]), [piece[1:] for piece in pieces[end:]]


def _words(node: Node) -> Iterator[str]:
    if node.type in ("text", "code_inline", "html_inline"):
        yield node.content
    elif node.type in ("softbreak", "hardbreak"):
        yield " "
    for child in node.children:
        yield from _words(child)


def _has_links(node: Node) -> bool:
    return any(one.type in ("link", "image") for one in node.walk())


def _without_bullet(text: str) -> str:
    text = re.sub(r"^\s*(?:[-*+]|\d+[.)])\s+", "", text)
    return _CHECKBOX.sub("", text)
