import pytest

from service.text.preserved_facts import left_out

NOTE = "40 bikes at the office, no pump!! chain one to door B. Ask Lena (reception), 25 euros, by 9:30."


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Forty bikes stand at the office. Lena buys a pump for 25 euros by 9.30.", ()),
        ("40 bikes stand at the office. Somebody buys a pump.", ("Lena", "25", "9:30")),
        ("40 bikes. Lena's pump costs 250 euros at 9:30.", ("25",)),
    ],
)
def test_missing_numbers_and_names_are_listed_as_the_note_writes_them(
    written: str, expected: tuple[str, ...]
) -> None:
    assert left_out(NOTE, written) == expected


@pytest.mark.parametrize(
    ("note", "written"),
    [
        ("kids water w cans, 1 barrel and the tap", "The kids use a barrel and the tap."),
        ("vi är 4 på tisdag, 30 kr", "Vi är fyra på tisdag och betalar 30 kr."),
        ("1,200 seats and the hall", "The hall has 1200 seats."),
        ("the net is CLOSED, and I'm sure of it", "The net is closed."),
        ("laituri on irti, kysy Pekka", "Laituri on irti. Kysytään Pekalta, sanoi Pekan veli."),
        ("der Garten, die Schule, das Fest und der Kuchen", "Wir feiern mit Gebäck im Freien."),
    ],
    ids=["one", "small in words", "thousands", "shouted", "inflected", "nouns like names"],
)
def test_a_fact_in_other_words_does_not_count_as_missing(note: str, written: str) -> None:
    assert left_out(note, written) == ()


def test_names_of_days_do_not_count_as_missing_in_a_translation() -> None:
    note, written = "We meet Lena on Monday, room 214", "Vi träffar Lena på måndag, rum 214."

    assert left_out(note, written) == ("Monday",)
    assert left_out(note, written, is_translated=True) == ()


def test_each_missing_fact_is_listed_once() -> None:
    assert left_out("25 euros, and again 25 euros, of Lena and Lena", "Nothing.") == ("25", "Lena")
