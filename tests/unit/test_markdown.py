import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.markdown import excerpt, render

ALLOWED = set(
    "a blockquote br code del em h3 h4 h5 h6 hr input li ol p pre s strong "
    "table tbody td th thead tr ul".split()
)
ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](http://evil.example/p.png)",
    "![pixel][p]\n\n[p]: http://evil.example/p.png",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "<javascript:alert(1)>",
    "[click](vbscript:msgbox)",
    '[x](http://a.example "\\" onmouseover=alert(1)")',
    '<b hx-get="/x" hx-trigger="load">x</b>',
    "<style>*{display:none}</style>",
    "<iframe src=http://evil.example></iframe>",
    "<svg><animate onbegin=alert(1)>",
    "<form action=http://evil.example><button>x</button></form>",
    '<a id=alerts name=body class="alert" href=http://a.example>x</a>',
    '<input type="text" onfocus=alert(1) autofocus>',
    "- [ ] <input autofocus onfocus=alert(1)>",
    '- [x] " onfocus="alert(1)',
    'https://a.example/"onmouseover=alert(1)',
    "https://a.example/<script>alert(1)</script>",
    "javascript:alert(1) and JAVASCRIPT://a.example/%0aalert(1)",
    "http://javascript:alert(1)@a.example",
    "```html\n<script>alert(1)</script>\n```",
    "| a |\n| :-: |\n| <img src=x onerror=alert(1)> |",
)


def as_address(text: str) -> str:
    return text.replace("::", "- [ ] ").replace("//", "https://a.b/")


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_safe(html: str) -> None:
    for tag, attributes in Tags(html).found:
        assert tag in ALLOWED
        if tag == "input":
            assert set(attributes) <= {"type", "disabled", "checked", "aria-label"}
            assert (attributes["type"], "disabled" in attributes) == ("checkbox", True)
            continue
        assert set(attributes) <= {"href", "title", "rel", "start"}
        if tag == "a" and "href" in attributes:
            assert re.match(r"(https?:|mailto:|[^:]*$)", attributes["href"] or "", re.IGNORECASE)
            assert attributes["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_acts_or_loads_gets_through(attack: str) -> None:
    assert_safe(render(f"Before\n\n{attack}\n\nafter"))


@given(st.text(alphabet="<>[]()!&\"'`*_#-=:/ab\n jsx", max_size=80).map(as_address))
def test_any_text_is_safe(text: str) -> None:
    assert_safe(render(text))


def test_renders_what_people_write() -> None:
    html = render("# Plan\n\n**Bold** and [a link](https://a.example)\n\n- one\n- two\n\n3. three")

    assert "<h3>Plan</h3>" in html
    assert "<strong>Bold</strong>" in html
    assert 'href="https://a.example"' in html
    assert "<li>one</li>" in html
    assert '<ol start="3">' in html


def test_headings_stay_below_those_of_the_page() -> None:
    assert "<h6>deep</h6>" in render("###### deep")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Plan\n- **one**\n- `two`", "Plan one two"),
        ("[a link](https://a.example) and ![a picture](p.png)", "a link and a picture"),
        ("2 * 3 * 4 is not_a_mark", "2 * 3 * 4 is not_a_mark"),
        ("bring *one* and _two_ of **three**", "bring one and two of three"),
        ("", ""),
    ],
)
def test_an_excerpt_is_plain_words(text: str, words: str) -> None:
    assert excerpt(text) == words


def test_an_excerpt_ends_between_words() -> None:
    assert excerpt("one two three four", 10) == "one two…"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("See https://a.example.", ["https://a.example"]),
        ("(see http://a.example/b_c_d), or not", ["http://a.example/b_c_d"]),
        ("https://a.example/x_(y)!", ["https://a.example/x_(y)"]),
        ("HTTPS://A.example/?a=1&b=2 https://b.example", ["HTTPS://A.example/?a=1&b=2", "https://b.example"]),
        ("“https://a.example”", ["https://a.example"]),
        ("**https://a.example**", ["https://a.example"]),
        ("<https://a.example>", ["https://a.example"]),
        ("[words](https://a.example)", ["https://a.example"]),
        ("[https://b.example](https://a.example)", ["https://a.example"]),
        ("`https://a.example`", []),
        ("https:// and ftp://a.example and javascript:alert(1)", []),
        ("xhttps://a.example", []),
    ],
)  # fmt: skip
def test_addresses_are_links(text: str, addresses: list[str]) -> None:
    links = [attributes for tag, attributes in Tags(render(text)).found if tag == "a"]

    assert [link["href"] for link in links] == addresses
    assert all(link["rel"] == "noopener noreferrer nofollow" for link in links)


def test_the_text_around_an_address_stays() -> None:
    html = render("See https://a.example/b, then & now.")

    assert re.sub(r"<[^>]+>", "", html).strip() == "See https://a.example/b, then &amp; now."


def test_tasks_show_boxes_that_cannot_be_ticked() -> None:
    html = render("- [ ] **Buy** bread\n- [x] Ask *Lena*\n- [y] no task\n\n[ ] no list")

    boxes = [attributes for tag, attributes in Tags(html).found if tag == "input"]
    assert [box["aria-label"] for box in boxes] == ["Buy bread", "Ask Lena"]
    assert ["checked" in box for box in boxes] == [False, True]
    assert "<strong>Buy</strong> bread" in html
    assert "[y] no task" in html
    assert "[ ] no list" in html


def test_an_excerpt_leaves_out_the_boxes_of_tasks() -> None:
    assert excerpt("- [ ] Buy bread\n- [x] Ask Lena") == "Buy bread Ask Lena"
