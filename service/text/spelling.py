"""Finds the words that a misspelt word may stand for, in any language.

It does not know which words there are: the caller has them.
"""

from collections.abc import Iterable

_SHORTEST = 4
_LONGEST_WITH_ONE = 7


def tolerance(word: str) -> int:
    """How many letters of the word may be wrong. Short words are near too many others, and a number
    with another digit is another number.
    """
    if len(word) < _SHORTEST or not word.isalpha():
        return 0
    return 1 if len(word) <= _LONGEST_WITH_ONE else 2


def near_words(word: str, words: Iterable[str]) -> list[tuple[int, str]]:
    """Returns those of `words` that the word may stand for with their distances, nearest first."""
    most = tolerance(word)
    if most == 0:
        return []
    letters = _letters(word)
    found = []
    for other in words:
        if abs(len(other) - len(word)) > most or other == word or not other.isalpha():
            continue
        # One change adds at most one letter to the difference on either side.
        if (letters ^ _letters(other)).bit_count() > 2 * most:
            continue
        if (far := distance(word, other, most)) <= most:
            found.append((far, other[0] != word[0], abs(len(other) - len(word)), other))
    return [(far, other) for far, _, _, other in sorted(found)]


def distance(first: str, second: str, most: int) -> int:
    """The number of letters to insert, remove, replace or swap with their neighbour; if that is more
    than `most`, any number above it.
    """
    rows = [list(range(len(second) + 1))]
    for i, letter in enumerate(first, start=1):
        above = rows[-1]
        row = [i]
        for j, other in enumerate(second, start=1):
            cost = min(above[j] + 1, row[-1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
        # A swap skips a row, so that two of them must be too far away.
        if min(row) > most and min(above) > most:
            return most + 1
    return rows[-1][-1]


def _letters(word: str) -> int:
    """The set of the word's letters, as bits. Different letters may share one."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 63)
    return bits
