"""A model's claims about its changes are shown only if the changes name them."""

import pytest

from service.text.claims import backed
from service.text.edits import Note
from service.web.pages.change_facts import change_facts

BEFORE = Note("Pump", "We have no pump. Lena knows a shop in the town. It is far.")
AFTER = Note("Pump", "We have no pump. As a first step, Lena calls the shop.")


@pytest.mark.parametrize(
    ("claim", "is_shown"),
    [
        ("Turned the notes into a story", False),
        ("Made the text clearer and shorter", False),
        ("Said how a 15-year-old hears about it", False),
        ("Added a first step", True),
        ("Removed the town", True),
        ("Kept that there is no pump", False),
        ("", False),
    ],
)
def test_a_claim_needs_a_word_of_the_changes(claim: str, is_shown: bool) -> None:
    assert backed([claim], BEFORE, AFTER) == ([claim] if is_shown else [])


def test_facts_name_new_parts_and_how_much_shorter_the_text_is() -> None:
    facts = [str(one) for one in change_facts(BEFORE, AFTER)]

    assert "New: a first step" in facts
    assert "2 words shorter" in facts
