"""A text keeps its message and values in copies, cookies and the database."""

import copy
import json
import pickle
import tracemalloc

import pytest

from service.messages import Counted, Text, pack, unpack

TEXTS = [
    Text("There is %(what)s of 100%%.", what=Text("an idea of %(size)s", size=2.5)),
    Counted("%(count)s idea of %(who)s", "%(count)s ideas of %(who)s", 5, who="Ö & %"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_copied_text_keeps_its_message_and_values(text: Text) -> None:
    for made in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
        assert made == text
        assert type(made) is type(text)
        assert vars(made) == vars(text)


@pytest.mark.parametrize("text", [*TEXTS, "only a string"])
def test_a_packed_text_can_be_unpacked(text: str) -> None:
    made = unpack(json.loads(json.dumps(pack(text))))

    assert made == text
    assert type(made) is type(text)
    assert pack(made) == pack(text)


@pytest.mark.parametrize(
    "packed",
    [
        None,
        7,
        [],
        {"message": 3, "values": {}},
        {"message": "%(x)s", "values": {}},
        {"message": "%(x)999999999s", "values": {"x": ""}},
        {"message": "%s", "values": {}},
        {"message": "x", "values": []},
        {"message": "x", "many": "y", "values": {}},
        {"message": "x", "values": {"x": None}},
    ],
)
def test_unpacking_anything_else_is_refused(packed: object) -> None:
    with pytest.raises(ValueError, match=r"not a packed text|invalid placeholder|not an integer"):
        unpack(packed)


def _doubled(times: int) -> object:
    packed: object = "x" * 10
    for _ in range(times):
        packed = {"message": "%(a)s%(a)s", "values": {"a": packed}}
    return packed


@pytest.mark.parametrize(
    "packed",
    [
        _doubled(18),
        {"message": "%(a)s" * 1000, "values": {"a": "x" * 1000}},
        {"message": "", "many": "%(a)s" * 1000, "values": {"a": "x" * 1000, "count": 1}},
        {"message": "", "values": {f"a{n}": _doubled(12) for n in range(10)}},
        {"message": "%(a)s" * 1000, "values": {"a": 10**1000}},
    ],
)
def test_a_packed_text_that_grows_out_of_proportion_is_refused_before_it_is_written(
    packed: object,
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="too long"):
            unpack(packed)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_packed_text_that_is_too_deep_is_refused() -> None:
    packed: object = "x"
    for _ in range(900):
        packed = {"message": "%(a)s", "values": {"a": packed}}

    with pytest.raises(ValueError, match="in one another"):
        unpack(packed)
