"""The picture of the layers, drawn from the import contract: a pool in section, deeper is lower.

It reads whatever layers stand in the contract; only captions are written here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

Layers = list[list[str]]

# A layer without one is drawn with its name alone.
CAPTIONS = {
    "__main__": "python -m service",
    "cli": "commands, clients of the API",
    "app": "composition root",
    "web": "REST, pages, OpenAI, guard",
    "mcp": "what assistants can do",
    "runs": "life and record of a run",
    "ideation": "brainstorm, refine, evaluate, rank",
    "analysis": "scores, ranking, similarity",
    "transfer": "import and export",
    "store": "tables and the only SQL",
    "schemas": "what the API takes and gives",
    "prompts": "prompts, grammars, answers",
    "backend": "which engine",
    "text": "diffs, passages, facts",
    "engine": "admission, batching, llama.cpp",
    "api_client": "REST, as a client",
    "errors": "the error tree",
    "settings": "the environment",
    "messages": "texts that translate",
}
WIDTH, EDGE = 960, 36
HEADER, FOOTER = 132, 64
LEFT, RIGHT = 92, 104
TILE, GAP, ROW_GAP = 58, 12, 14
IN_A_LINE = 4
# The fill of tiles from the surface to the ground, for light and for dark pages.
FILLS = {
    "light": ("#ffffff", "#63c0c1", "#0a4a53"),
    "dark": ("#7fd6d8", "#2b838a", "#164a52"),
}
INKS = ("#000507", "#ffffff")
# Of a letter beside the size of its font, on the generous side.
LETTER = 0.62
NAME_SIZE, SMALL_NAME_SIZE, CAPTION_SIZE = 17, 13, 12.5
STYLE = """\
svg { font-family: Inter, system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.deck { fill: #f6f1e4; } .grid { stroke: #ffffff; stroke-opacity: .45; }
rect[rx="12"] { stroke: #0b4f57; stroke-opacity: .16; }
.shallow { stop-color: #d8f0ef; } .deep { stop-color: #97cfd1; }
.title { font: 700 27px "Iowan Old Style", Palatino, "Palatino Linotype", P052, Georgia, serif; fill: #12262a; }
.note { font-size: 15px; fill: #3f565a; } .depth { font: 700 15px ui-monospace, Menlo, Consolas, monospace; fill: #0b4f57; }
.mark { stroke: #0b4f57; stroke-width: 2; } .name { font-weight: 700; } .caption { font-size: 12.5px; }
.rail { stroke: #6f979b; stroke-width: 6; fill: none; stroke-linecap: round; } .rung { stroke: #6f979b; stroke-width: 4; stroke-linecap: round; }
.arrow { stroke: #0b4f57; stroke-width: 2; fill: none; stroke-linecap: round; stroke-linejoin: round; }"""
DARK = """\
.deck { fill: #1d2523; } .grid { stroke: #7fd6d8; stroke-opacity: .09; }
.shallow { stop-color: #12353b; } .deep { stop-color: #071a1e; }
.title { fill: #eefaf8; } .note { fill: #a9bfbf; } .depth { fill: #9fe0e0; } .mark, .arrow { stroke: #9fe0e0; }
.rail, .rung { stroke: #57707a; }"""


@dataclass(frozen=True, slots=True)
class Tile:
    name: str
    x: float
    y: float
    width: float
    depth: int

    def draw(self) -> Iterator[str]:
        caption = CAPTIONS.get(self.name, "")
        if len(caption) * CAPTION_SIZE * LETTER > self.width:
            caption = ""
        is_long = len(self.name) * NAME_SIZE * LETTER > self.width - GAP
        yield (
            f'<rect class="d{self.depth}" x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" '
            f'height="{TILE}" rx="12"/>'
        )
        yield self._line("name", self.name, 26 if caption else 35, is_small=is_long)
        if caption:
            yield self._line("caption", caption, 45)

    def _line(self, kind: str, text: str, below: float, *, is_small: bool = False) -> str:
        size = SMALL_NAME_SIZE if is_small else NAME_SIZE
        font = f' font-size="{size}"' if kind == "name" else ""
        return (
            f'<text class="{kind} t{self.depth}" x="{self.x + self.width / 2:g}" '
            f'y="{self.y + below:g}"{font} text-anchor="middle">{escape(text)}</text>'
        )


def layers(project: Mapping[str, Any], container: str = "service") -> Layers:
    """Of the layers contract for the container, from the top; each with the modules beside another.

    Raises: LookupError where there is no such contract.
    """
    for contract in project["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers" and container in contract.get("containers", ()):
            return [
                [name.strip(" ()") for name in re.split(r"[|:]", layer)]
                for layer in contract["layers"]
            ]
    raise LookupError(f"pyproject.toml has no layers contract for {container}")


def picture(of: Layers) -> str:
    """The SVG, in its own colours for light and for dark pages."""
    tiles, tops, bottom = _place(of)
    height = bottom + FOOTER
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        'aria-labelledby="title note">',
        '<title id="title">The layers of the service</title>',
        f'<desc id="note">{escape(_in_words(of))}</desc>',
        f"<style>\n{STYLE}\n{_shades(len(of), 'light')}\n"
        f"@media (prefers-color-scheme: dark) {{\n{DARK}\n{_shades(len(of), 'dark')}\n}}\n</style>",
        *_ground(height),
        *_depths(tops),
        *_ladder(tops, bottom),
        *(line for tile in tiles for line in tile.draw()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _place(of: Layers) -> tuple[list[Tile], list[float], float]:
    """The tiles, the top of each layer, and where the last one ends."""
    tiles: list[Tile] = []
    tops: list[float] = []
    y = float(HEADER + 34)
    for depth, names in enumerate(of):
        tops.append(y)
        for line in _lines(names):
            room = WIDTH - LEFT - RIGHT - GAP * (len(line) - 1)
            width = room / len(line)
            tiles += [
                Tile(name, LEFT + place * (width + GAP), y, width, depth)
                for place, name in enumerate(line)
            ]
            y += TILE + GAP
        y += ROW_GAP - GAP
    return tiles, tops, y - ROW_GAP


def _lines(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """As few as hold them, of about the same length."""
    count = -(-len(names) // IN_A_LINE)
    size = -(-len(names) // count)
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _ground(height: float) -> Iterator[str]:
    """The deck with the title, the waves, and the tiled water below them."""
    yield f'<rect class="deck" width="{WIDTH}" height="{height:g}" rx="22"/>'
    yield f'<text class="title" x="{EDGE}" y="54">The layers of the service</text>'
    yield (
        f'<text class="note" x="{EDGE}" y="82">A layer may import the layers below it. '
        "Tiles side by side may not import each other.</text>"
    )
    yield (
        '<linearGradient id="depth" x2="0" y2="1"><stop class="shallow" offset="0"/>'
        '<stop class="deep" offset="1"/></linearGradient>'
    )
    crest, step = HEADER - 10, 40
    waves = "".join(
        f" q {step / 2:g} {-14 if one % 2 else 14} {step:g} 0" for one in range(WIDTH // step)
    )
    floor = height - 22
    yield (
        f'<path fill="url(#depth)" d="M 0 {crest}{waves} L {WIDTH} {floor:g} Q {WIDTH} {height:g} '
        f'{WIDTH - 22} {height:g} L 22 {height:g} Q 0 {height:g} 0 {floor:g} Z"/>'
    )
    columns = "".join(f"M {x} {HEADER + 6} V {height:g} " for x in range(40, WIDTH, 40))
    rows = "".join(f"M 0 {y} H {WIDTH} " for y in range(HEADER + 28, int(height), 40))
    yield f'<path class="grid" d="{columns}{rows}"/>'


def _depths(tops: Sequence[float]) -> Iterator[str]:
    """Depth marks on the wall, one a layer."""
    for number, top in enumerate(tops, 1):
        middle = top + TILE / 2
        yield f'<path class="mark" d="M {EDGE - 4} {middle:g} h 14"/>'
        yield f'<text class="depth" x="{EDGE + 16}" y="{middle + 5:g}">{number}</text>'


def _ladder(tops: Sequence[float], bottom: float) -> Iterator[str]:
    """On the other wall: the way that imports go, down."""
    left, right = WIDTH - EDGE - 40, WIDTH - EDGE - 8
    for rail, bow in ((left, -16), (right, 16)):
        yield (
            f'<path class="rail" d="M {rail + bow} {HEADER - 34} q {-bow} -26 {-bow} 10 '
            f'V {bottom:g}"/>'
        )
    for top in tops:
        yield f'<path class="rung" d="M {left} {top + TILE / 2:g} H {right}"/>'
    middle = (left + right) / 2
    yield (
        f'<path class="arrow" d="M {middle:g} {bottom + 8:g} v 26 m -8 -9 l 8 9 l 8 -9"/>'
        f'<text class="note" x="{left - 18}" y="{bottom + 28:g}" text-anchor="end">imports go down</text>'
    )


def _shades(count: int, scheme: str) -> str:
    """The fill of each layer's tiles, and the ink that can be read on it."""
    lines = []
    for depth in range(count):
        fill = _shade(FILLS[scheme], depth / max(1, count - 1))
        ink = max(INKS, key=lambda one: _contrast(one, fill))
        lines.append(f".d{depth} {{ fill: {fill}; }} .t{depth} {{ fill: {ink}; }}")
    return "\n".join(lines)


def _shade(stops: Sequence[str], share: float) -> str:
    """Between the first stop, at 0, and the last one, at 1."""
    place = share * (len(stops) - 1)
    first = min(int(place), len(stops) - 2)
    parts = zip(_channels(stops[first]), _channels(stops[first + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (place - first)):02x}" for a, b in parts)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (one / 255 for one in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _in_words(of: Layers) -> str:
    return "From top to bottom: " + "; ".join(" and ".join(names) for names in of) + "."
