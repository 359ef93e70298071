"""Which letters a run's titles may begin with: another letter is another title, and so another idea.

A grammar can bar letters without a word more in the prompt, which all branches share. Pure.
"""

from collections.abc import Collection, Sequence
from random import Random

# How often, of a hundred times, a word of an English title begins with the letter. Letters that
# are not here, such as all of other scripts, are lent to nobody.
_WEIGHTS = {
    letter: weight
    for letters, weight in (
        ("s", 12),
        ("c", 9),
        ("p", 8),
        ("mt", 7),
        ("bdfr", 6),
        ("alw", 5),
        ("egh", 4),
        ("i", 3),
        ("nov", 2),
        ("kqu", 1),
        ("jy", 0.5),
        ("xz", 0.1),
    )
    for letter in letters
}
# With more letters gone, the model has to force its titles.
MOST_BARRED = 10


class TitleInitials:
    """Lends each draft its own share of the letters, until its title shows which one it took.

    No title begins like one of the newest, or like a word of the topic, which it should not just
    repeat.
    """

    def __init__(self, topic: str, seed: int) -> None:
        draw = Random(seed)
        # Another seed groups the letters otherwise.
        self._weights = {
            letter: weight * draw.uniform(0.8, 1.25) for letter, weight in _WEIGHTS.items()
        }
        words = [word for word in topic.split() if len(word) > 3]
        self._topic = {word[0].casefold() for word in words[:4]}
        self._lent: dict[int, frozenset[str]] = {}

    def lend(self, branch: int, titles: Sequence[str], sharers: int) -> str:
        """The letters the branch's title may not begin with, in both cases.

        `titles` are there already; what is free is shared with `sharers - 1` drafts to come.
        """
        lent = {letter for letters in self._lent.values() for letter in letters}
        room = max(0, MOST_BARRED - len(lent))
        used = {title[0].casefold() for title in titles[len(titles) - room :]}
        own = set(self._weights) - self._topic
        share = self._share(own - lent - used or own, sharers)
        self._lent[branch] = share
        barred = (set(self._weights) - share) | self._topic | used
        return "".join(sorted(letter for one in barred for letter in {one, one.upper()}))

    def settle(self, branch: int, title: str) -> None:
        """The branch's title has begun: only its own letter stays lent."""
        self._lent[branch] = frozenset(title[0].casefold())

    def give_back(self, branch: int) -> None:
        self._lent.pop(branch, None)

    def _share(self, free: Collection[str], sharers: int) -> frozenset[str]:
        """One of `sharers` shares of about the same weight."""
        shares: list[set[str]] = [set() for _ in range(sharers)]
        sums = [0.0] * sharers
        for letter in sorted(free, key=lambda one: (-self._weights[one], one)):
            lightest = sums.index(min(sums))
            shares[lightest].add(letter)
            sums[lightest] += self._weights[letter]
        return frozenset(shares[0])
