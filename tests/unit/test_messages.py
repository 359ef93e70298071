"""A text keeps its message and values in copies, cookies and the database."""

import copy
import json
import pickle

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
