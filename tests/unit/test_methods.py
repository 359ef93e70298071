import pytest

from service.errors import InvalidInput
from service.prompts.methods import METHODS, draw_angles

IDS = [
    "free",
    "scamper",
    "reverse",
    "six-hats",
    "personas",
    "constraints",
    "analogies",
    "questions",
]


def test_every_method_of_the_contract_exists_under_its_id() -> None:
    assert list(METHODS) == IDS
    assert all(method.id == key for key, method in METHODS.items())


@pytest.mark.parametrize("method_id", IDS)
def test_hints_are_single_different_sentences(method_id: str) -> None:
    hints = [angle.hint for angle in METHODS[method_id].angles]

    assert len(set(hints)) == len(hints)
    assert all(hint.startswith("The idea ") and hint[-1] in ".?" for hint in hints)
    assert all("\n" not in hint and "{" not in hint for hint in hints)


@pytest.mark.parametrize("method_id", IDS)
def test_no_hint_is_repeated_before_all_were_used(method_id: str) -> None:
    angles = METHODS[method_id].angles

    assert len(set(draw_angles(method_id, len(angles), seed=3))) == len(angles)


@pytest.mark.parametrize("method_id", IDS)
def test_there_are_enough_hints_for_the_largest_run(method_id: str) -> None:
    assert len(set(draw_angles(method_id, 20, seed=0))) == 20


def test_free_has_enough_angles_for_the_largest_run_and_its_redraws() -> None:
    assert len(METHODS["free"].angles) >= 40


def test_every_hat_is_used_once_before_any_is_repeated() -> None:
    names = [angle.name for angle in draw_angles("six-hats", 12, seed=5)]

    assert len(set(names[:6])) == len(set(names[6:])) == 6


def test_the_same_seed_draws_the_same_angles_and_another_seed_others() -> None:
    assert draw_angles("free", 8, seed=1) == draw_angles("free", 8, seed=1)
    assert draw_angles("free", 8, seed=1) != draw_angles("free", 8, seed=2)


def test_asking_for_more_continues_the_same_draw() -> None:
    assert draw_angles("scamper", 40, seed=7)[:9] == draw_angles("scamper", 9, seed=7)


def test_drawing_nothing_gives_nothing() -> None:
    assert draw_angles("free", 0, seed=1) == ()


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="six-hats") as refused:
        draw_angles("telepathy", 1, seed=0)

    assert refused.value.pointer == "/method"
