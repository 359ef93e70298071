"""The views of a board: the tabs above its ideas. To add a view, add a line to `_VIEWS`."""

from collections.abc import Mapping
from typing import NamedTuple

from service.messages import Text


class BoardView(NamedTuple):
    """A tab. `icon` names a shape in `shared/macros.html`."""

    name: str
    title: Text
    icon: str
    address: str
    is_current: bool


# Each view's name, title, icon and address after that of the board.
_VIEWS = (
    ("cards", Text("Cards"), "cards", "?view=cards"),
    ("lanes", Text("Lanes"), "lanes", "?view=lanes"),
    ("list", Text("List"), "rows", "?view=list"),
    ("map", Text("Map"), "map", "/map"),
    ("table", Text("Table"), "table", "/table"),
    ("rank", Text("Ranking"), "rank", "/rank"),
    ("overview", Text("Overview"), "layers", "/summary"),
)


def board_views(
    board_id: str, current: str, rubric_id: str = "", filtered: Mapping[str, str] | None = None
) -> list[BoardView]:
    """`current` is the name of the view that is shown; the table opens with the rubric. `filtered` has
    the addresses of views that keep the filters of the page.
    """
    addresses = {name: f"/boards/{board_id}{rest}" for name, _, _, rest in _VIEWS}
    if rubric_id:
        addresses["table"] += f"?rubric={rubric_id}"
    addresses |= filtered or {}
    return [
        BoardView(name, title, icon, addresses[name], name == current)
        for name, title, icon, _ in _VIEWS
    ]
