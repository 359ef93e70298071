import math

import pytest

from service.prompts.answers import refine_answer
from service.text.preserved_facts import names
from training.evaluation.refinements import Note, RefinementMeasures, facts_kept, measure

BODY = "40 bikes at the office, no pump!! chain one to door B. asked Lena, she buys it, 25 euros."
FULL = (
    "Forty people come to the office by bike, but there is no pump. Lena buys one for 25 euros "
    "and chains it to door B."
)
PADDED = f"{FULL} They hope that all pump, ride, smile, wave, sing and come back every other day."


def refined(body: str, instruction: str = "", source: str = BODY) -> RefinementMeasures:
    note = Note("1", "bike pump", source, instruction)
    return measure(note, refine_answer("A Pump at the Door", body, ("Joined the notes",)))


def test_facts_said_in_other_words_are_kept() -> None:
    found = refined(FULL)

    assert (found.valid, found.facts_kept, found.numbers_added) == (1, 1, 0)


def test_a_dropped_name_and_a_changed_number_are_lost_facts() -> None:
    found = refined("Forty people come by bike. Somebody buys a pump for 35 euros at door B.")

    # 40 is kept; 25 and Lena are lost.
    assert found.facts_kept == pytest.approx(1 / 3)
    assert found.numbers_added == 1


def test_a_note_without_facts_has_no_share_of_kept_facts() -> None:
    assert math.isnan(facts_kept("a pump for all of us", "We share a pump."))


def test_words_that_begin_sentences_are_not_names() -> None:
    assert names("Bikes need air. The pump of Lena's shop\nStands near Door B.") == {"Lena", "Door"}


def test_an_unreadable_answer_is_not_valid() -> None:
    found = measure(Note("1", "a", BODY, ""), "Sure, here it is!")

    assert found.valid == 0
    assert math.isnan(found.length)


@pytest.mark.parametrize(
    ("instruction", "body", "obeyed"),
    [
        ("shorter", "Lena buys a pump for door B.", 1),
        ("shorter", FULL, 0),
        ("clearer", FULL, 1),
        ("", FULL, 1),
        ("", PADDED, 0),
        ("add a first step", f"{FULL} As a first step, Lena asks the porter.", 1),
        ("add a first step", f"As a first step, Lena asks the porter. {FULL}", 0),
        ("address the main risk", f"{FULL} The main risk is theft.", 1),
        ("Address the main risk", FULL, 0),
    ],
)
def test_wishes_that_a_program_can_check_are_checked(
    instruction: str, body: str, obeyed: int
) -> None:
    assert refined(body, instruction).obeyed == obeyed


def test_an_unknown_wish_is_not_checked() -> None:
    assert math.isnan(refined(FULL, "as a poem").obeyed)
