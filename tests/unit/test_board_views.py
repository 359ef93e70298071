"""The tabs that lead from one view of a board to the others."""

from service.web.board_views import board_views


def test_one_view_is_the_current_one() -> None:
    assert [view.name for view in board_views("b1", "rank") if view.is_current] == ["rank"]


def test_every_view_has_an_address_on_the_board() -> None:
    views = board_views("b1", "cards")

    assert views[0].address == "/boards/b1?view=cards"
    assert len({view.address for view in views}) == len(views)
    assert all(view.address.startswith("/boards/b1") for view in views)


def test_the_table_opens_with_the_rubric_of_the_cards() -> None:
    addresses = {view.name: view.address for view in board_views("b1", "cards", "r1")}

    assert addresses["table"] == "/boards/b1/table?rubric=r1"
    assert addresses["rank"] == "/boards/b1/rank"


def test_a_view_can_keep_the_filters_of_the_page() -> None:
    views = board_views("b1", "cards", filtered={"list": "/boards/b1?view=list&tag=food"})

    assert {view.name: view.address for view in views}["list"].endswith("&tag=food")
