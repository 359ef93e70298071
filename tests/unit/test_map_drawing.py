"""The drawing of a map: titles that fit, outlines, and cards in the order in which one reads."""

import re

import pytest

from service.schemas.idea_map import MapGroup, MapIdea, MapPublic
from service.web.map_drawing import CARD_HEIGHT, CARD_WIDTH, LINES, draw, smooth, wrapped
from service.web.tag_colours import tag_class


def idea(name: str, x: float, y: float, group: str | None = None, *tags: str) -> MapIdea:
    return MapIdea(id=name, title=name, x=x, y=y, group=group, tags=list(tags))


def shown(*ideas: MapIdea, groups: tuple[MapGroup, ...] = ()) -> MapPublic:
    return MapPublic(
        board_id="b",
        group="meaning",
        width=4,
        height=3,
        ideas=list(ideas),
        groups=list(groups),
        unplaced=[],
        unseen=0,
    )


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("Soup", ["Soup"]),
        ("Repair café on the first Saturday", ["Repair café on the", "first Saturday"]),
        ("W" * 40, ["W" * 9 + "…"]),
    ],
)
def test_a_title_is_broken_into_lines(title: str, lines: list[str]) -> None:
    assert wrapped(title) == lines


@pytest.mark.parametrize("title", ["a long title of many words " * 8, "汉" * 60, "i" * 200])
def test_a_title_that_is_too_long_is_cut(title: str) -> None:
    lines = wrapped(title)

    assert len(lines) <= LINES
    assert lines[-1].endswith("…")


def test_cards_are_around_their_places_in_the_order_in_which_one_reads() -> None:
    drawing = draw(shown(idea("low", 0.2, 0.9), idea("right", 0.9, 0.1), idea("left", 0.1, 0.1)))

    assert [card.idea.id for card in drawing.cards] == ["left", "right", "low"]
    assert drawing.width > 4 * CARD_WIDTH
    assert drawing.height > 3 * CARD_HEIGHT
    assert all(card.x >= 0 and card.y >= 0 for card in drawing.cards)


def test_an_area_has_the_colour_of_the_tag_that_it_gives() -> None:
    area = [(0.1, 0.1), (0.5, 0.1), (0.5, 0.6), (0.1, 0.6)]
    group = MapGroup(name="Soup & bread", tag="food", ideas=1, area=area)

    drawing = draw(shown(idea("Soup", 0.3, 0.4, "Soup & bread", "food", "warm"), groups=(group,)))

    assert drawing.alone == []
    assert drawing.areas[0].colour == tag_class("food")
    assert [dot.colour for dot in drawing.areas[0].cards[0].dots] == [
        tag_class("food"),
        tag_class("warm"),
    ]


def test_an_outline_is_closed_and_round_at_each_corner() -> None:
    path = smooth([(0, 0), (100, 0), (100, 80), (0, 80)])

    assert re.fullmatch(r"M[\d. ]+(Q[\d. ]+L?[\d. ]*)+Z", path)
    assert path.count("Q") == 4
