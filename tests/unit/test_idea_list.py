"""The reader of lists is a judge in a benchmark: it must not be the reason that ours wins."""

import pytest

from benchmarks.idea_list import as_answer, items
from service.prompts.answers import brainstorm_answer

TEXT = "Hang a hook for every tool. Then draw around it."


@pytest.mark.parametrize(
    "item",
    [
        f"Tool Wall: {TEXT}",
        f"**Tool Wall**: {TEXT}",
        f"**Tool Wall:** {TEXT}",
        f"Tool Wall - {TEXT}",
        f"**Tool Wall**\n   {TEXT}",
        f"Tool Wall\n   - {TEXT}",
        f"Title: Tool Wall\nIdea: {TEXT}",
        f"Tool Wall. {TEXT}",
    ],
)
def test_an_item_is_read_in_any_usual_form(item: str) -> None:
    assert as_answer(item) == brainstorm_answer("Tool Wall", TEXT)


@pytest.mark.parametrize("number", ["{}.", "{})", "**{}.**", "### {}."])
def test_items_are_found_by_any_usual_number(number: str) -> None:
    text = "".join(f"{number.format(one)} Tool Wall: {TEXT}\n" for one in (1, 2, 3))

    assert items(text, is_whole=True) == [f"Tool Wall: {TEXT}"] * 3


def test_the_last_item_counts_once_the_text_is_whole() -> None:
    text = "Here are two:\n\n1. One: this.\n2. Two: th"

    assert items(text, is_whole=False) == ["One: this."]
    assert len(items(text, is_whole=True)) == 2
