"""Renders Markdown as HTML that is safe to show, whoever wrote it.

Texts of people and of models are both untrusted. Raw HTML is not parsed, and no images are loaded but
those that are attached to the idea. Filtering by an allow-list is the last step, so that nothing after
it can add tags again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup, escape

from service.schemas.attachments import AttachmentPublic
from service.web.checkboxes import Box, boxes, tick, without_mark

# A page has headings of its own above an idea's text, so the text's headings start at h3.
LEVEL_OFFSET = 2
DEEPEST = 6
_TAGS = set(
    "a blockquote br button code del em h3 h4 h5 h6 hr img input li ol p pre s strong "
    "table tbody td th thead tr ul".split()
)
_ATTRIBUTES = {
    "a": {"href", "title"},
    "button": {"value", "id", "aria-label"},
    "img": {"src", "alt", "width", "height"},
    "input": {"checked", "aria-label"},
    "ol": {"start"},
}
_VALUES = {
    "button": {
        "form": {"ticks"},
        "name": {"tick"},
        "class": {"tick"},
        "role": {"checkbox"},
        "aria-checked": {"true", "false"},
    },
    "img": {"loading": {"lazy"}},
    "input": {"type": {"checkbox"}},
}
# Images come from this server only: those that are attached to the idea.
_FILE_URL = re.compile(r"/(?:api/v1|shared/[\w-]+)/attachments/[\w-]+/content", re.ASCII)
_FILE_SCHEME = "attachment:"
# Punctuation after an address belongs to the sentence around it.
_ADDRESS = re.compile(r"\bhttps?://[^\s<>]+", re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?'\"*_~…\u2019\u201d\u00bb"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_MARKS = re.compile(
    r"""!?\[([^\]]*)\]\([^)]*\)     # a link or an image becomes its words
      | ^[ ]{0,3}(?:\#{1,6}|>|(?:[-*+]|\d+[.)])(?:[ ]+\[[ xX]\])?)[ ]+   # a heading, quote, list item
      | \*\*|__|~~|`+
      | (?<!\w)([*_])(?=\S)([^\n]+?)(?<=\S)\2(?!\w)   # emphasis, but not snake_case or 2 * 3""",
    re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file that the text may show, and where it is."""

    id: str
    url: str
    alt: str
    width: int | None
    height: int | None


def as_html(
    text: str,
    files: Sequence[AttachmentPublic] = (),
    place: str = "/api/v1",
    *,
    ticks: bool = False,
) -> Markup:
    """The text of an idea with its `files`, which are below the address `place`.

    With `ticks`, the boxes in it are buttons of the form with the id `ticks`.
    """
    shown = tuple(
        ShownFile(
            file.id,
            f"{place}/attachments/{file.id}/content",
            file.alt or file.name,
            file.width,
            file.height,
        )
        for file in files
    )
    return render(text, shown, has_ticks=ticks)


@lru_cache(maxsize=512)
def render(text: str, files: tuple[ShownFile, ...] = (), *, has_ticks: bool = False) -> Markup:
    facts = {"files": {file.id: file for file in files}, "has_ticks": has_ticks}
    return Markup(
        nh3.clean(
            _parser().render(text, facts),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_allowed,
            tag_attribute_values=_VALUES,
            set_tag_attribute_values={"input": {"disabled": ""}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer nofollow",
        )
    )


def ticked(text: str, wanted: str) -> str | None:
    """The text with a box ticked or not, by the value of its button; None if it has no such box."""
    return tick(text, list(boxes(_plain_parser().parse(text))), wanted)


def _allowed(tag: str, name: str, value: str) -> str | None:
    return None if (tag, name) == ("img", "src") and not _FILE_URL.fullmatch(value) else value


def excerpt(text: str, length: int = 220) -> str:
    """About the first `length` characters as plain words, without Markdown."""
    plain = " ".join(
        _MARKS.sub(lambda mark: mark.group(1) or mark.group(3) or "", text[: 2 * length]).split()
    )
    if len(plain) <= length:
        return plain
    return plain[:length].rsplit(" ", 1)[0].rstrip(",;:.") + "…"


def _new_parser() -> MarkdownIt:
    return MarkdownIt("js-default", {"breaks": True}).disable("image")


_plain_parser = lru_cache(maxsize=1)(_new_parser)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = _new_parser()
    # Before escaped signs become text, so that `\\!` is no image.
    parser.core.ruler.before("text_join", _show_files.__name__, _show_files)
    for rule in (_lower_headings, _show_boxes, _link_addresses):
        parser.core.ruler.push(rule.__name__, rule)
    return parser


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + LEVEL_OFFSET, DEEPEST)}"


def _show_boxes(state: StateCore) -> None:
    """Gives each list item that begins with [ ] or [x] a checkbox."""
    for box in boxes(state.tokens):
        first, *rest = box.inline.children or []
        first.content = without_mark(first.content)
        box.inline.children = [_html(_box(box, state)), first, *rest]


def _box(box: Box, state: StateCore) -> str:
    name = escape(excerpt(box.words))
    if not state.env.get("has_ticks"):
        ticked = " checked" if box.is_ticked else ""
        return f'<input type="checkbox" disabled{ticked} aria-label="{name}"> '
    return (
        f'<button class="tick" form="ticks" name="tick" value="{box.toggle}" id="tick-{box.number}" '
        f'role="checkbox" aria-checked="{str(box.is_ticked).lower()}" aria-label="{name}"></button> '
    )


def _show_files(state: StateCore) -> None:
    """Shows what `![words](attachment:ID)` and `[words](attachment:ID)` name.

    The rule for images is off, so that the former is a link after an exclamation mark.
    """
    files = state.env.get("files", {})
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = list(_with_files(token.children, files))


def _with_files(tokens: list[Token], files: Mapping[str, ShownFile]) -> Iterator[Token]:
    rest = iter(zip(tokens, [*tokens[1:], None], strict=True))
    for token, following in rest:
        named = _named_file(following)
        is_image = token.type == "text" and token.content.endswith("!") and named is not None
        if is_image:
            token.content = token.content[:-1]
            yield token
            token = next(rest)[0]
        named = _named_file(token)
        if named is None:
            yield token
            continue
        words = "".join(_until_close(rest))
        yield _file(files.get(named), words, is_image=is_image)


def _named_file(token: Token | None) -> str | None:
    href = str(token.attrGet("href")) if token is not None and token.type == "link_open" else ""
    return href.removeprefix(_FILE_SCHEME) if href.startswith(_FILE_SCHEME) else None


def _until_close(rest: Iterator[tuple[Token, Token | None]]) -> Iterator[str]:
    for token, _ in rest:
        if token.type == "link_close":
            return
        yield token.content


def _file(file: ShownFile | None, words: str, *, is_image: bool) -> Token:
    """A file that is not there any more leaves its words."""
    if file is None:
        return _text(words)
    if not is_image or file.width is None:
        return _html(f'<a href="{escape(file.url)}">{escape(words or file.alt)}</a>')
    return _html(
        f'<a href="{escape(file.url)}"><img src="{escape(file.url)}" alt="{escape(words or file.alt)}" '
        f'width="{file.width}" height="{file.height}" loading="lazy"></a>'
    )


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
    """Splits the text into tokens in which addresses are links."""
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


def _html(content: str) -> Token:
    token = Token("html_inline", "", 0)
    token.content = content
    return token


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
