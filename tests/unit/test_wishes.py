"""What a request to rewrite a note asks for is checked, as far as that can be checked."""

import pytest

from service.text.wishes import unmet

NOTE = "We plant thirty bulbs along the fence in October, so that the lane is yellow in March."
SHORT = "Thirty bulbs along the fence, planted in October."


@pytest.mark.parametrize(
    ("wish", "written", "lacking"),
    [
        ("shorter", SHORT, ()),
        ("shorter", NOTE, ("a shorter text",)),
        ("make it shorter, please", NOTE + " And we water them.", ("a shorter text",)),
        ("in at most 8 words", SHORT, ()),
        ("in at most 5 words", SHORT, ("a shorter text",)),
        ("say it in 1 sentences", NOTE + " We water them.", ("a shorter text",)),
        ("longer, with more details", SHORT, ("a longer text",)),
        ("add a first step", NOTE, ("a first step",)),
        ("add a first step", NOTE + " As a first step, we measure the fence.", ()),
        ("address the main risk", NOTE, ("the main risk",)),
        ("address the main risk", NOTE + " The main risk is frost.", ()),
        ("mention that Lena buys them for 25 euros", NOTE, ("Lena", "25")),
        ("mention that Lena buys them for 25 euros", NOTE + " Lena pays 25 euros.", ()),
        ("Mention it", NOTE, ()),
        ("shorter, 5 words at most", SHORT, ("a shorter text",)),
        ("one sentence, no more", NOTE, ()),
        ("one sentence, no more", NOTE + " We water them.", ("a shorter text",)),
        ("what could go wrong?", NOTE, ("the main risk",)),
        ("what could go wrong?", NOTE + " If frost comes, it fails.", ()),
        ("turn it into a list", NOTE, ("a list",)),
        ("turn it into a list", "- Bulbs\n- Fence\n", ()),
        ("as an email to the neighbours", NOTE, ("a greeting, as in a letter",)),
        ("as an email to the neighbours", "Dear neighbours,\n" + NOTE, ()),
        ("as a question", NOTE, ("a question",)),
        ("give an example", NOTE + " Tulips, for example.", ()),
        ("take the bit about the fence out", NOTE, ("a text without “fence”",)),
        ("remove the fence", "We plant bulbs in October.", ()),
        ("mention the neighbours", NOTE, ("neighbours",)),
        ("mention the fence", NOTE, ()),
        ("remove Lena", NOTE, ()),
        ("do not mention Lena", NOTE, ()),
        ("friendlier tone", NOTE, ()),
        ("", NOTE, ()),
    ],
)
def test_what_a_wish_asks_for_is_looked_for(
    wish: str, written: str, lacking: tuple[str, ...]
) -> None:
    assert tuple(map(str, unmet(wish, NOTE, written))) == lacking
