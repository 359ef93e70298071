from hypothesis import given
from hypothesis import strategies as st

from service.analysis.lineage import Forest, Place, layout
from service.schemas.lineage import Origin

LIMIT = 1000


@st.composite
def origins(draw: st.DrawFn) -> list[Origin]:
    """Anything a database may hold: circles, parents that are not there, deleted ideas."""
    count = draw(st.integers(0, 12))
    ids = st.sampled_from([str(number) for number in range(count + 2)])
    return [
        Origin(
            id=str(number),
            number=number,
            title=f"Idea {number}",
            status="draft",
            parent_id=draw(st.none() | ids),
            also_from=tuple(draw(st.lists(ids, max_size=2))),
            is_deleted=draw(st.booleans()),
        )
        for number in range(count)
    ]


def family(*links: tuple[str, str | None], deleted: str = "") -> Forest:
    return Forest(
        Origin(name, number, name.upper(), "draft", parent, is_deleted=name in deleted)
        for number, (name, parent) in enumerate(links)
    )


def drawn(forest: Forest, root: str, limit: int = LIMIT) -> str:
    return " ".join(f"{p.depth}{p.origin.id}" for p in forest.tree(root, limit))


@given(origins())
def test_every_living_idea_is_in_exactly_one_tree(found: list[Origin]) -> None:
    forest = Forest(found)
    roots = {forest.root_of(one) for one in forest.origins}
    seen = [place.origin.id for root in roots for place in forest.tree(root, LIMIT)]

    assert len(seen) == len(set(seen))
    assert set(seen) >= {one.id for one in found if not one.is_deleted}


@given(origins())
def test_a_deleted_idea_is_shown_only_above_a_living_one(found: list[Origin]) -> None:
    forest = Forest(found)
    for root in {forest.root_of(one) for one in forest.origins}:
        for place in forest.tree(root, LIMIT):
            assert place.children or not place.origin.is_deleted


@given(origins(), st.integers(1, 8))
def test_a_tree_over_the_limit_keeps_the_idea_in_focus(found: list[Origin], limit: int) -> None:
    forest = Forest(found)
    for one in forest.origins:
        root = forest.root_of(one)
        shown = [place.origin.id for place in forest.tree(root, limit, focus=one)]

        assert one in shown
        assert len(shown) == min(limit, forest.size(root))


@given(origins())
def test_no_two_ideas_share_a_position_on_the_map(found: list[Origin]) -> None:
    forest = Forest(found)
    for root in {forest.root_of(one) for one in forest.origins}:
        places = forest.tree(root, LIMIT)
        spots = {spot.place.origin.id: spot for spot in layout(places)}

        assert len({(spot.column, spot.row) for spot in spots.values()}) == len(places)
        for spot in spots.values():
            rows = [spots[child].row for child in spot.place.children]
            assert all(spots[child].column == spot.column + 1 for child in spot.place.children)
            assert not rows or min(rows) <= spot.row <= max(rows)


def test_children_follow_their_parent_in_the_order_they_were_made() -> None:
    forest = family(("a", None), ("b", "a"), ("c", "a"), ("d", "b"), ("e", None))

    assert drawn(forest, "a") == "0a 1b 2d 1c"
    assert forest.roots == ["a"]


def test_a_circle_is_cut_at_its_oldest_idea() -> None:
    forest = family(("a", "c"), ("b", "a"), ("c", "b"), ("d", "c"))

    assert drawn(forest, "a") == "0a 1b 2c 3d"


def test_deleted_ideas_are_shown_between_ideas_and_never_as_leaves() -> None:
    forest = family(("a", None), ("b", "a"), ("c", "b"), ("d", "a"), deleted="bd")

    assert drawn(forest, "a") == "0a 1b 2c"


def test_an_idea_made_from_several_names_the_others() -> None:
    forest = Forest(
        [
            Origin("a", 1, "A", "draft"),
            Origin("b", 2, "B", "draft"),
            Origin("c", 3, "C", "draft", "b", ("a", "b", "gone")),
            Origin("d", 4, "D", "draft", None, ("a", "b")),
        ]
    )

    assert (forest.parent("c"), forest.also_from("c")) == ("b", ["a"])
    assert (forest.parent("d"), forest.also_from("d")) == ("a", ["b"])


def test_the_ends_of_branches_are_left_out_first() -> None:
    forest = family(("a", None), ("b", "a"), ("c", "b"), ("d", "a"))

    assert drawn(forest, "a", 3) == "0a 1b 1d"


def test_ten_thousand_generations_are_laid_out() -> None:
    chain = [(str(n), str(n - 1) if n else None) for n in range(10_000)]
    forest = family(*chain)
    places: list[Place] = forest.tree("0", 20_000)

    assert len(layout(places)) == 10_000
    assert forest.tree("0", 5, focus="9999")[-1].origin.id == "9999"
