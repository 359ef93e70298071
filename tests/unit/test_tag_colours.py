"""Tags have colours that stay the same and can be read."""

import re

from service.web.tag_colours import COLOURS, tag_class
from service.web.templating import STATIC

RULE = re.compile(
    r"\.tag-(\d+) \{ --fill: light-dark\((#\w+), (#\w+)\); --hue: light-dark\((#\w+), (#\w+)\); \}"
)
ENOUGH = 4.5


def test_a_tag_always_has_the_same_colour() -> None:
    assert tag_class("street") == tag_class("street") == "tag-9"
    assert tag_class(" Street") == tag_class("street")
    assert tag_class("cafe\N{COMBINING ACUTE ACCENT}") == tag_class("café")


def test_names_spread_over_all_colours() -> None:
    assert len({tag_class(f"tag {number}") for number in range(200)}) == COLOURS


def test_each_colour_has_enough_contrast_in_both_themes() -> None:
    rules = RULE.findall((STATIC / "app.css").read_text())

    assert sorted(int(number) for number, *_ in rules) == list(range(COLOURS))
    for _, light_fill, dark_fill, light_text, dark_text in rules:
        assert _contrast(light_fill, light_text) > ENOUGH
        assert _contrast(dark_fill, dark_text) > ENOUGH


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
