"""The views of a board: the tabs above its ideas. To add a view, add a line to `_VIEWS`."""

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
    ("cards", Text("Cards"), "cards", ""),
    ("table", Text("Table"), "table", "/table"),
    ("rank", Text("Ranking"), "rank", "/rank"),
    ("overview", Text("Overview"), "layers", "/summary"),
)


def board_views(board_id: str, current: str, rubric_id: str = "") -> list[BoardView]:
    """`current` is the name of the view that is shown; the table opens with the rubric."""
    queries = {"table": f"?rubric={rubric_id}"} if rubric_id else {}
    return [
        BoardView(
            name, title, icon, f"/boards/{board_id}{rest}{queries.get(name, '')}", name == current
        )
        for name, title, icon, rest in _VIEWS
    ]
