import re

import pytest

from service.prompts.grammars import (
    assessment_grammar,
    passage_grammar,
    refinement_grammar,
    suggestion_grammar,
)

GRAMMARS = [
    suggestion_grammar("a shed"),
    suggestion_grammar("棚"),
    refinement_grammar("a shed", sentences=3),
    refinement_grammar("`a` <b>", sentences=1),
    passage_grammar("a shed", units=2),
    passage_grammar("a shed", units=1, words=9),
    assessment_grammar("a shed"),
]


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_every_rule_that_is_used_is_defined(grammar: str) -> None:
    defined = set(re.findall(r"^(\w+) ::=", grammar, re.MULTILINE))
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]', " ", grammar)
    used = set(re.findall(r"[a-z]+", bare))

    assert "root" in defined
    assert used <= defined
    assert "@" not in grammar


def test_a_refinement_may_have_as_many_sentences_as_asked() -> None:
    assert "(gap point){0,6}" in refinement_grammar("a shed", sentences=7)


def test_a_phrase_may_have_as_many_words_as_asked() -> None:
    assert '(" " bit+){0,8}' in passage_grammar("a shed", units=1, words=9)


def test_code_marks_are_allowed_when_the_note_has_them() -> None:
    assert "`<>{}" in refinement_grammar("a shed", sentences=1)
    assert "`<>{}" not in refinement_grammar("List<str> in `main`", sentences=1)


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("den 3. oktober", '"3." [ ,]'),
        ("school no. 73", '"no." [ ,]'),
        ("on Maple St., where", '"St." [ ,]'),
        ("M. Garnier decides", '"M." [ ,]'),
    ],
)
def test_an_abbreviation_of_the_note_does_not_end_a_sentence(note: str, kept: str) -> None:
    assert kept in refinement_grammar(note, sentences=1)


def test_the_end_of_a_sentence_is_not_an_abbreviation() -> None:
    assert refinement_grammar("No pump. Chain it.", sentences=1) == refinement_grammar(
        "No pump", sentences=1
    )


def test_a_dot_inside_a_word_is_allowed_when_the_note_has_one() -> None:
    dotted = '"." [0-9a-z,)]'

    assert dotted in refinement_grammar("written in node.js", sentences=1)
    assert dotted not in refinement_grammar("It ends. It begins.", sentences=1)
