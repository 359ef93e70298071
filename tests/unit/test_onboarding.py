"""The templates and the sample board are complete in every language and can be used as they are."""

import re
from pathlib import Path

import pytest

from service.errors import ConfigurationError, InvalidInput, NotFound
from service.onboarding import catalogue
from service.onboarding.boards import is_sample, sample_id
from service.schemas.board_templates import BoardTemplate, SampleBoard
from service.settings import Settings
from service.web.pages.cookies import COOKIES
from service.web.translation import LANGUAGES

DEFAULTS = Settings.model_fields
TITLE_LIMIT, IDEA_LIMIT = DEFAULTS["title_limit"].default, DEFAULTS["idea_limit"].default
SERVICE = Path(catalogue.__file__).parents[1]
KEYS = Path(catalogue.__file__).parents[2] / "static" / "keys.js"


def shape_of(template: BoardTemplate) -> object:
    """What must be the same in every language."""
    return (
        template.id,
        len(template.tags),
        [each.weight for each in template.rubric.criteria],
        [prompt.method for prompt in template.prompts],
        {name for name, text in template.situation.model_dump().items() if text},
    )


def test_every_language_of_the_pages_has_templates_and_a_sample() -> None:
    assert set(catalogue.languages()) == set(LANGUAGES)
    assert all(catalogue.sample(language).ideas for language in LANGUAGES)


def test_templates_are_the_same_in_every_language() -> None:
    shapes = [[shape_of(one) for one in catalogue.templates(name)] for name in LANGUAGES]

    assert len(shapes[0]) == 8
    assert shapes.count(shapes[0]) == len(shapes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_templates_have_every_text_within_the_limits(language: str) -> None:
    for one in catalogue.templates(language):
        titles = [one.name, one.rubric.name, *(prompt.topic for prompt in one.prompts)]
        descriptions = [each.description for each in one.rubric.criteria]

        assert all(text.strip() for text in (*titles, *descriptions, *one.tags, one.purpose))
        assert max(map(len, titles)) <= TITLE_LIMIT
        assert 0 < len(one.goal) <= IDEA_LIMIT
        assert len(set(map(str.casefold, one.tags))) == len(one.tags)
        assert len(one.rubric.criteria) >= 3
        assert len({prompt.topic for prompt in one.prompts}) == 3


def test_no_two_texts_of_different_languages_are_the_same() -> None:
    english, swedish = (catalogue.templates(language) for language in ("en", "sv"))

    for one, other in zip(english, swedish, strict=True):
        assert one.purpose != other.purpose
        assert one.goal != other.goal
        assert not {each.topic for each in one.prompts} & {each.topic for each in other.prompts}


def outline(sample: SampleBoard) -> object:
    return [
        (one.key, len(one.tags), one.status, one.star, one.grown_from, one.earlier is not None)
        for one in sample.ideas
    ]


def test_the_sample_shows_what_a_board_can_hold_in_every_language() -> None:
    english, swedish = catalogue.sample("en"), catalogue.sample("sv")

    assert outline(english) == outline(swedish)
    assert len(english.ideas) == 14
    assert {one.status for one in english.ideas} == {
        *("draft", "kept", "in-progress", "done", "archived")
    }
    keys = [one.key for one in english.ideas]
    assert len(set(keys)) == len(keys)
    assert {one.grown_from for one in english.ideas} - {None} <= set(keys)
    assert any(one.earlier for one in english.ideas)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_of_the_sample_keep_the_limits(language: str) -> None:
    for one in catalogue.sample(language).ideas:
        assert len(one.title) <= TITLE_LIMIT
        assert len(one.body) <= IDEA_LIMIT
    assert [len(one.topic) <= TITLE_LIMIT for one in catalogue.sample(language).examples] == (
        [True] * 3
    )


def test_the_sample_of_each_language_has_an_id_that_never_changes() -> None:
    assert {language: sample_id(language) for language in ("en", "sv")} == {
        "en": "762e25e6-abb8-5da7-932b-43c517850529",
        "sv": "bb212885-98be-51c6-8aef-aff771974bb0",
    }
    assert is_sample(sample_id("sv"))
    assert not is_sample("6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55")


def test_an_unknown_template_or_language_says_which_ones_there_are() -> None:
    with pytest.raises(NotFound, match=r"no template “party”; choose one of retro, festival"):
        catalogue.template("party", "en")
    with pytest.raises(InvalidInput, match="choose one of en, sv"):
        catalogue.templates("tlh")


def test_a_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "templates.en.toml").write_text('[[template]]\nid = "x"\ncolour = "red"\n')
    monkeypatch.setattr(catalogue, "DATA", tmp_path)

    with pytest.raises(ConfigurationError, match=r"templates\.en\.toml: .*"):
        catalogue._templates.__wrapped__()


def test_the_about_page_names_every_cookie_that_the_code_sets() -> None:
    setters = [path for path in SERVICE.rglob("*.py") if "set_cookie(" in path.read_text()]
    # Each of these modules sets the cookies of its constants, or those of `_remember`.
    known = {"board_layout", "sign_in", "preferences", "responses", "secrets_once"}

    assert {path.stem for path in setters} == known, "name its cookies in web/pages/cookies.py"
    assert len({one.name for one in COOKIES}) == len(COOKIES) == 7


def test_the_list_of_shortcuts_names_the_keys_that_the_script_knows() -> None:
    script = KEYS.read_text()
    listed = (KEYS.parents[1] / "templates" / "shared" / "_shortcuts.html").read_text()
    tables = re.findall(r"const (?:KEYS|ON_CARD|PRESSES) = \{(.+?)\};", script, re.DOTALL)
    known = set()
    for table in tables:
        known |= {a or b for a, b in re.findall(r'(?:^|[\s,{])(?:"([^"]+)"|(\w+)):', table)}
    rows = re.findall(r"\(\((\".+?),?\), _\(\"", listed)
    shown = {key for row in rows for key in re.findall(r'"([^"]+)"', row)}
    alone = {key for key in shown if " " not in key}
    combined = {"Ctrl K", "Shift K", "Alt ←", "Alt →", "Alt ↑", "Alt ↓", "↑ ↓ ← →"}
    of_map = {"t", "+", "−", "0"}
    map_script = KEYS.with_name("map.js").read_text()

    assert len(tables) == 3
    # The script handles these two by name.
    assert alone - {"?", "Esc", "Space"} - of_map == known - {" ", "K", "D"}
    assert {key for key in of_map if f'"{key}"' in map_script or f" {key}:" in map_script} == of_map
    assert shown - alone == combined | {f"g {key}" for key in "brotm"}
