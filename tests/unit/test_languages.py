"""The language of the ideas: one line in the prompt, and letters that the grammar lets through."""

import re
from collections.abc import Callable

import pytest

from service.prompts.combine import combine_prompt
from service.prompts.grammars import suggestion_grammar, widened
from service.prompts.languages import AS_WRITTEN, IDEA_LANGUAGES
from service.prompts.methods import Angle
from service.prompts.tasks import (
    Prompt,
    brainstorm_prompt,
    evaluate_prompt,
    in_language,
    refine_prompt,
)

ANGLE = Angle("in pairs", "The idea has to do with helping each other in pairs.")
PROMPTS: list[Callable[[], Prompt]] = [
    lambda: brainstorm_prompt("a street party", ANGLE),
    lambda: combine_prompt([("Soup", "From one pot."), ("Chairs", "One each.")], ANGLE),
    lambda: refine_prompt("Soup", "From one pot."),
    lambda: evaluate_prompt("Soup", "From one pot."),
]


@pytest.mark.parametrize("make", PROMPTS)
def test_without_a_language_a_prompt_stays_as_it_is(make: Callable[[], Prompt]) -> None:
    assert in_language(make(), AS_WRITTEN) == make()


@pytest.mark.parametrize("make", PROMPTS)
def test_a_language_is_one_line_after_everything_else(make: Callable[[], Prompt]) -> None:
    plain, swedish = make(), in_language(make(), "sv")

    assert swedish.messages[:-1] == plain.messages[:-1]
    assert swedish.messages[-1].role == "user"
    assert swedish.messages[-1].content == (
        f"{plain.messages[-1].content}\nWrite all of it in Swedish."
    )


def test_a_title_may_begin_with_letters_of_the_language() -> None:
    plain = suggestion_grammar("a street party", barred_initials="SP")

    initial = re.search(r"^title ::= \[\^(.*?)\] ", widened(plain, "sv"), re.MULTILINE)

    assert "title ::= [ABCDEFGHIJKLMNOQRTUVWXYZ]" in plain
    assert initial is not None
    assert initial[1].endswith("PSps")
    assert widened(plain, "en") == plain


@pytest.mark.parametrize(("language", "is_barred"), [("ja", False), ("zh", False), ("sv", True)])
def test_east_asian_letters_are_allowed_only_on_request(language: str, is_barred: bool) -> None:
    grammar = widened(suggestion_grammar("a street party"), language)

    assert (r"\u2e80" in grammar) == is_barred
    assert "@" not in grammar


def test_every_language_has_a_name_in_the_prompt() -> None:
    assert all(name.isalpha() and name.istitle() for name in IDEA_LANGUAGES.values())
