"""Reads Markdown in sections: a heading with its text is an idea, a higher heading is a board."""

import re
from collections.abc import Sequence
from itertools import pairwise

from markdown_it.tree import SyntaxTreeNode as Node

from service.schemas.imports import BoardDraft, Draft, ParsedFile
from service.transfer.readers.drafting import Faults, leave_out, status_of, title_and_body
from service.transfer.readers.own_markdown import FACTS
from service.transfer.readers.source import Source
from service.transfer.text_escaping import split_tags

_FACTS = re.compile(FACTS)


def with_facts(nodes: Sequence[Node]) -> list[Node]:
    """Returns the headings before a line with status and tags, as older exports of Ideapool have it."""
    return [
        node
        for node, after in pairwise(nodes)
        if node.type == "heading" and _facts(after) is not None
    ]


def _facts(node: Node) -> re.Match[str] | None:
    if node.type != "paragraph":
        return None
    found = _FACTS.fullmatch(node.children[0].content)
    return found if found and status_of(found["status"]) else None


def read_sections(source: Source, nodes: Sequence[Node], title_limit: int) -> ParsedFile:
    headings = [node for node in nodes if node.type == "heading"]
    deepest = _idea_level(nodes, headings)
    parts = [node for node in headings if _level(node) <= deepest]
    parsed, faults = ParsedFile(), Faults()
    leave_out(parsed, source.lines(0, source.line(parts[0]) - 1), 1)
    board: str | None = None
    following_nodes = {id(node): after for node, after in pairwise(nodes)}
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        line = source.line(part)
        end = None if following is None else source.line(following) - 1
        name = part.children[0].content if part.children else ""
        after = following_nodes.get(id(part))
        facts = None if after is None else _facts(after)
        begin = _end(part if facts is None or after is None else after)
        text = source.lines(begin, end)
        if not name.strip():
            continue
        if _level(part) < deepest:
            board = faults.title(name, line)
            goal = faults.body(text, begin + 1)
            parsed.boards.setdefault(board, BoardDraft(line, board, goal))
            continue
        title, body = title_and_body(name, text, title_limit)
        draft = Draft(line, faults.title(title, line), faults.body(body, begin + 1), board=board)
        if facts is not None:
            draft.status = status_of(facts["status"])
            draft.star = facts["star"] is not None
            draft.tags = faults.tags(split_tags(facts["tags"] or ""), line + 2)
        parsed.ideas.append(draft)
    faults.check()
    return parsed


def _idea_level(nodes: Sequence[Node], headings: Sequence[Node]) -> int:
    """Returns the heading level of ideas: the one with facts, or else the second or only level."""
    marked = [_level(node) for node in with_facts(nodes)]
    levels = sorted({_level(node) for node in headings})
    return min(marked) if marked else levels[:2][-1]


def _level(heading: Node) -> int:
    return int(heading.tag[1:])


def _end(node: Node) -> int:
    return node.map[1] if node.map else 0
