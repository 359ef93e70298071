"""Markdown to HTML that is safe to show, whoever wrote it; knows nothing of pages.

What people and models write is untrusted alike: raw HTML is not parsed, images are never loaded,
and the last step is an allow-list, so that nothing after it can add what it took away.
"""

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markupsafe import Markup

# A page has its own headings above an idea's text: the text's begin one level below them.
LEVEL_OFFSET = 2
DEEPEST = 6
_TAGS = set(
    "a blockquote br code del em h3 h4 h5 h6 hr li ol p pre s strong "
    "table tbody td th thead tr ul".split()
)
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_MARKS = re.compile(
    r"""!?\[([^\]]*)\]\([^)]*\)     # a link or an image becomes its words
      | ^[ ]{0,3}(?:\#{1,6}|>|[-*+]|\d+[.)])[ ]+   # what begins a heading, a quote, a list item
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
    parser.core.ruler.push("lower_headings", _lower_headings)
    return parser


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + LEVEL_OFFSET, DEEPEST)}"
