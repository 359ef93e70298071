from itertools import combinations

import pytest

from service.ideation.distinct_ideas import MOST_BARRED, TitleInitials

LETTERS = set("abcdefghijklmnopqrstuvwxyz")


def free(barred: str) -> set[str]:
    return LETTERS - set(barred)


def first_wave(topic: str, branches: int, seed: int = 1) -> list[set[str]]:
    initials = TitleInitials(topic, seed)
    return [free(initials.lend(one, [], branches - one)) for one in range(branches)]


@pytest.mark.parametrize("branches", [2, 8, 20])
def test_drafts_at_the_same_time_share_no_letter(branches: int) -> None:
    shares = first_wave("a tidy shed", branches)

    assert all(shares)
    assert not any(one & other for one, other in combinations(shares, 2))


def test_a_draft_alone_may_use_every_letter_but_those_of_the_topic() -> None:
    assert first_wave("keeping a garden tidy", 1) == [LETTERS - {"k", "g", "t"}]


def test_both_cases_of_a_letter_are_barred() -> None:
    barred = TitleInitials("", 1).lend(0, ["Übung", "Baum"], 1)

    assert set(barred) == set("üÜbB")


def test_a_draft_whose_title_has_begun_keeps_only_its_letter() -> None:
    initials = TitleInitials("", 1)
    share = free(initials.lend(0, [], 2))
    initials.settle(0, "Wall")

    assert free(initials.lend(1, [], 1)) == LETTERS - {"w"}
    assert len(share) > 1


def test_a_finished_draft_frees_its_letters() -> None:
    initials = TitleInitials("", 1)
    initials.lend(0, [], 2)
    initials.give_back(0)

    assert free(initials.lend(1, [], 1)) == LETTERS


def test_only_the_newest_titles_bar_their_letters() -> None:
    titles = [letter.upper() for letter in sorted(LETTERS)]

    assert len(LETTERS - free(TitleInitials("", 1).lend(0, titles, 1))) == MOST_BARRED


def test_letters_are_used_again_when_none_is_left() -> None:
    initials = TitleInitials("a tidy shed", 1)
    initials.lend(0, [], 1)

    assert free(initials.lend(1, [], 1))


def test_letters_of_other_scripts_are_barred_only_if_a_title_or_the_topic_begins_with_them() -> (
    None
):
    barred = TitleInitials("整洁的棚子", 1).lend(0, ["工具墙"], 8)

    assert set(barred) - LETTERS - {one.upper() for one in LETTERS} == {"整", "工"}


def test_a_seed_decides_who_gets_which_letters() -> None:
    assert first_wave("", 8, seed=1) == first_wave("", 8, seed=1) != first_wave("", 8, seed=2)
