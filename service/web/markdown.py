"""Markdown to HTML that is safe to show, whoever wrote it; knows nothing of pages.

What people and models write is untrusted alike: raw HTML is not parsed, images are never loaded,
and the last step is an allow-list, so that nothing after it can add what it took away.
"""

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup, escape

# A page has its own headings above an idea's text: the text's begin one level below them.
LEVEL_OFFSET = 2
DEEPEST = 6
_TAGS = set(
    "a blockquote br code del em h3 h4 h5 h6 hr input li ol p pre s strong "
    "table tbody td th thead tr ul".split()
)
_ATTRIBUTES = {
    "a": {"href", "title"},
    "input": {"checked", "aria-label"},
    "ol": {"start"},
}
# An address ends before the punctuation of the sentence that it stands in.
_ADDRESS = re.compile(r"\bhttps?://[^\s<>]+", re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?'\"*_~…\u2019\u201d\u00bb"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_TASK = re.compile(r"\[([ xX])\]\s+(?=\S)")
_MARKS = re.compile(
    r"""!?\[([^\]]*)\]\([^)]*\)     # a link or an image becomes its words
      | ^[ ]{0,3}(?:\#{1,6}|>|(?:[-*+]|\d+[.)])(?:[ ]+\[[ xX]\])?)[ ]+   # a heading, quote, list item
      | \*\*|__|~~|`+
      | (?<!\w)([*_])(?=\S)([^\n]+?)(?<=\S)\2(?!\w)   # emphasis, but not snake_case or 2 * 3""",
    re.MULTILINE | re.VERBOSE,
)


@lru_cache(maxsize=512)
def render(text: str) -> Markup:
    return Markup(
        nh3.clean(
            _parser().render(text),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            tag_attribute_values={"input": {"type": {"checkbox"}}},
            set_tag_attribute_values={"input": {"disabled": ""}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer nofollow",
        )
    )


def excerpt(text: str, length: int = 220) -> str:
    """The first `length` characters or so as plain words, for where Markdown would be noise."""
    plain = " ".join(
        _MARKS.sub(lambda mark: mark.group(1) or mark.group(3) or "", text[: 2 * length]).split()
    )
    if len(plain) <= length:
        return plain
    return plain[:length].rsplit(" ", 1)[0].rstrip(",;:.") + "…"


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("js-default", {"breaks": True}).disable("image")
    for rule in (_lower_headings, _tick_boxes, _link_addresses):
        parser.core.ruler.push(rule.__name__, rule)
    return parser


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + LEVEL_OFFSET, DEEPEST)}"


def _tick_boxes(state: StateCore) -> None:
    """A list item that begins with [ ] or [x] is a task: its box cannot be ticked here."""
    for item, paragraph, inline in zip(
        state.tokens, state.tokens[1:], state.tokens[2:], strict=False
    ):
        is_first = (item.type, paragraph.type) == ("list_item_open", "paragraph_open")
        mark = _TASK.match(inline.content) if is_first and inline.type == "inline" else None
        first = inline.children[0] if mark and inline.children else None
        if mark and first and first.type == "text" and _TASK.match(first.content + " x"):
            first.content = first.content[mark.end() :]
            name = escape(excerpt(inline.content[mark.end() :]))
            ticked = "" if mark[1] == " " else " checked"
            box = Token("html_inline", "", 0)
            box.content = f'<input type="checkbox" disabled{ticked} aria-label="{name}"> '
            inline.children = [box, *(inline.children or [])]


def _link_addresses(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = _with_links(state, token.children)


def _with_links(state: StateCore, tokens: list[Token]) -> list[Token]:
    found: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        found += [token] if depth or token.type != "text" else _linked(state, token)
    return found


def _linked(state: StateCore, token: Token) -> list[Token]:
    """The text with the addresses in it as links."""
    parts, at = [], 0
    for match in _ADDRESS.finditer(token.content):
        address = _without_punctuation(match[0])
        link = state.md.normalizeLink(address)
        if address.endswith("://") or not state.md.validateLink(link):
            continue
        opening, closing = Token("link_open", "a", 1), Token("link_close", "a", -1)
        opening.attrs = {"href": link}
        parts += [_text(token.content[at : match.start()]), opening, _text(address), closing]
        at = match.start() + len(address)
    return [*parts, _text(token.content[at:])]


def _text(content: str) -> Token:
    token = Token("text", "", 0)
    token.content = content
    return token


def _without_punctuation(address: str) -> str:
    while address:
        last = address[-1]
        is_unpaired = last in _PAIRS and address.count(last) > address.count(_PAIRS[last])
        if last not in _AFTER_ADDRESS and not is_unpaired:
            break
        address = address[:-1]
    return address
