"""Every text that a page can show is marked for translation, and every catalogue is complete."""

import ast
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_keywords
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from service import errors
from service.messages import Counted, Text
from service.settings import PROJECT_ROOT
from service.web.templating import TEMPLATES, Templates
from service.web.translation import DEFAULT, LANGUAGES, Translator, catalogue_of, choose

FOREIGN = sorted(set(LANGUAGES) - {DEFAULT})
FILES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
PLACEHOLDER = re.compile(r"%\(\w+\)s")
TAG = re.compile(r"</?\w+[^>]*>")
# Names that are the same in every language.
NAMES = {"Ideapool", "CSV", "JSON", "Markdown", "Enter", "Esc", "Ctrl", "Ctrl K", "· Ideapool"}
SHOWN_ATTRIBUTES = {"placeholder", "title", "aria-label", "alt"}
MARKERS = {"_", "gettext", "ngettext"}


def collected() -> set[str | tuple[str, ...]]:
    config = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["tool"]["babel"]
    methods, options = [], {}
    for mapping in config["mappings"]:
        pattern = mapping.pop("pattern")
        methods.append((pattern, mapping.pop("method")))
        if "keywords" in mapping:
            mapping["keywords"] = parse_keywords(mapping["keywords"])
        options[pattern] = mapping
    found = extract_from_dir(PROJECT_ROOT, methods, options)
    return {message for _, _, message, _, _ in found}


def catalogue(language: str) -> Catalog:
    with catalogue_of(language).open("rb") as file:
        return read_po(file, locale=language)


def messages(language: str) -> Iterator[Message]:
    return (message for message in catalogue(language) if message.id)


def pairs(language: str) -> Iterator[tuple[str, str]]:
    """Each English form with its translation."""
    for message in messages(language):
        ids, forms = (
            [part] if isinstance(part, str) else list(part or "")
            for part in (message.id, message.string)
        )
        for number, form in enumerate(forms):
            yield ids[min(number, len(ids) - 1)], form


@pytest.mark.parametrize("language", FOREIGN)
def test_a_catalogue_has_every_text_and_no_other(language: str) -> None:
    known = {tuple(m.id) if isinstance(m.id, list) else m.id for m in messages(language)}
    texts = collected()

    assert sorted(map(str, texts - known)) == [], "run `make translations`, then translate these"
    assert sorted(map(str, known - texts)) == [], "run `make translations`: these are gone"
    assert not catalogue(language).obsolete


@pytest.mark.parametrize("language", FOREIGN)
def test_a_catalogue_translates_every_text(language: str) -> None:
    assert [message.id for message in messages(language) if message.fuzzy] == []
    assert [english for english, said in pairs(language) if not said] == []


@pytest.mark.parametrize("language", FOREIGN)
def test_a_translation_has_the_placeholders_and_tags_of_its_text(language: str) -> None:
    for english, said in pairs(language):
        assert sorted(PLACEHOLDER.findall(said)) == sorted(PLACEHOLDER.findall(english)), said
        assert TAG.findall(said) == TAG.findall(english)
        assert said % dict.fromkeys(re.findall(r"%\((\w+)\)", english), "x")
        assert (said[0].isspace(), said[-1].isspace()) == (
            english[0].isspace(),
            english[-1].isspace(),
        )


class _Texts(HTMLParser):
    """Collects the texts of a template that a reader sees or hears."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in SHOWN_ATTRIBUTES]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def unmarked_texts(source: str) -> set[str]:
    bare = re.sub(r"\{% trans.*?endtrans %\}", "", source, flags=re.DOTALL)
    bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", bare, flags=re.DOTALL)
    found = {" ".join(text.split()) for text in _Texts(bare).found}
    # A macro gives the attributes of forms and fields, which are no text.
    attributes = ("method=", "aria-describedby=", "data-press=")
    said = {text for text in found - NAMES if not text.startswith(attributes)}
    return {text for text in said if re.search(r"[^\W\d_]{2}", text)}


def test_every_text_of_a_template_is_marked() -> None:
    found = {name: unmarked_texts((TEMPLATES / name).read_text()) for name in FILES}

    assert found
    assert {name: texts for name, texts in found.items() if texts} == {}


@pytest.fixture(scope="module")
def environment() -> Environment:
    return Templates().environment()


def shown_constants(node: nodes.Node) -> Iterator[str]:
    """The constant strings that an expression may evaluate to."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr | nodes.Or | nodes.Concat):
        for part in node.iter_child_nodes(exclude=("test",)):
            yield from shown_constants(part)


@pytest.fixture(scope="module")
def trees(environment: Environment) -> dict[str, nodes.Template]:
    return {name: environment.parse((TEMPLATES / name).read_text()) for name in FILES}


def test_every_text_in_an_expression_is_marked(trees: dict[str, nodes.Template]) -> None:
    shown = [
        (name, text)
        for name, tree in trees.items()
        for output in tree.find_all(nodes.Output)
        for part in output.nodes
        for text in shown_constants(part)
    ]

    assert shown
    assert [one for one in shown if re.search(r"^[A-Z]|\w \w", one[1].strip())] == []


def test_templates_mark_only_constants(trees: dict[str, nodes.Template]) -> None:
    """Marked texts are shown unescaped; values need the filter `translate`."""
    marked = [
        (f"{name}:{call.lineno}", call.args[: 2 if call.node.name == "ngettext" else 1])
        for name, tree in trees.items()
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in MARKERS
    ]

    assert marked
    assert [
        place for place, texts in marked if not all(isinstance(text, nodes.Const) for text in texts)
    ] == []


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "sv-SE,sv;q=0.9,en;q=0.8", "sv"),
        (None, "de-DE,de;q=0.9,sv;q=0.3,en;q=0.2", "sv"),
        (None, "en-GB,sv;q=0.9", "en"),
        (None, "fr, *;q=0.5", "en"),
        (None, "sv;q=0, fr", "en"),
        (None, "sv;q=x", "en"),
        ("sv", "en", "sv"),
        ("en", "sv", "en"),
        ("auto", "sv", "sv"),
        ("../../etc/passwd", "sv", "sv"),
    ],
)
def test_a_reader_gets_the_chosen_language_or_the_browsers(
    cookie: str | None, accepted: str, language: str
) -> None:
    assert choose(cookie, accepted) == language


def test_a_text_is_english_and_can_be_translated() -> None:
    text = Text("The board “%(name)s” is ready.", name="Summer")

    assert text == "The board “Summer” is ready."
    assert Translator("en").text(text) == text
    assert Translator("sv").text(text) == "Tavlan ”Summer” är klar."


def test_a_count_chooses_the_plural_form_of_the_language() -> None:
    one, many = (
        Counted("%(word)s: %(count)s idea", "%(word)s: %(count)s ideas", n, word=Text("Done"))
        for n in (1, 1200)
    )

    assert [one, many] == ["Done: 1 idea", "Done: 1200 ideas"]
    assert Translator("en").text(many) == "Done: 1,200 ideas"
    assert Translator("sv").text(one) == "Klar: 1 idé"
    assert Translator("sv").text(many) == "Klar: 1\xa0200 idéer"


def test_numbers_and_times_follow_the_language() -> None:
    before = datetime.now(UTC) - timedelta(hours=2, minutes=1)

    assert Translator("sv").number(7.3) == "7,3"
    assert Translator("sv").age(before) == "för 2 timmar sedan"
    assert Translator("sv").age(datetime.now(UTC)) == "just nu"
    assert (
        Translator("sv").time(datetime(2026, 3, 1, 9, 5, tzinfo=UTC)) == "1 mars 2026 09:05:00 UTC"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (90, "2 minutes ago"), (7300, "2 hours ago"), (2e5, "2 days ago")],
)
def test_an_age_is_rounded_to_one_unit(seconds: float, words: str) -> None:
    assert Translator("en").age(datetime.now(UTC) - timedelta(seconds=seconds)) == words


def test_a_text_from_a_route_is_translated_and_escaped() -> None:
    page = Templates().environment("sv").from_string("{{ text }} {{ plain }}")
    text = Text("Added “%(title)s”.", title="<b>Draft</b>")

    assert page.render(text=text, plain="Draft") == "Lade till ”&lt;b&gt;Draft&lt;/b&gt;”. Draft"


def test_a_marked_text_escapes_its_values() -> None:
    page = Templates().environment("sv").from_string("{{ _('Tags: %(tags)s', tags=tags) }}")

    assert page.render(tags="<i>") == "Taggar: &lt;i&gt;"


def test_the_container_image_contains_the_catalogues() -> None:
    assert "COPY translations translations\n" in Path(PROJECT_ROOT / "Dockerfile").read_text()


# Only operators and programmers see these: commands, and errors in the setup of engines.
ENGLISH = ("api_client", "cli", "mcp", "store/backup.py", "engine", "web/openai")
NOT_ON_PAGES = {"ConfigurationError", "ClientLeft", "ServerRefused", "ServerUnreachable"}
PAGE_ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.ServiceError)
} - NOT_ON_PAGES
MODULES = sorted(
    path
    for path in (PROJECT_ROOT / "service").rglob("*.py")
    if not any(path.is_relative_to(PROJECT_ROOT / "service" / part) for part in ENGLISH)
)


def test_errors_that_a_page_may_show_can_be_translated() -> None:
    shown = [
        (f"{module.relative_to(PROJECT_ROOT)}:{call.lineno}", call.args[0])
        for module in MODULES
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.Call)
        and call.args
        and isinstance(call.func, ast.Name)
        and call.func.id in PAGE_ERRORS | {"Flash"}
    ]

    assert shown
    assert [place for place, text in shown if isinstance(text, ast.Constant | ast.JoinedStr)] == []


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("seconds", [0, 59, 61, 7200])
def test_an_age_is_translated_into_every_language(language: str, seconds: int) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)

    assert Translator(language).age(moment) != Translator(DEFAULT).age(moment)


def test_a_score_always_has_one_decimal() -> None:
    assert Translator("en").score(2.0) == "2.0"
    assert Translator("sv").score(7.35) == "7,4"
