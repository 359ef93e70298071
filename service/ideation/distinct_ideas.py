"""What keeps the ideas of a brainstorm apart: from each other, and from what is there already.

Drafts that are written at the same time cannot know each other, so that each gets its own initial
letters for its title: another letter is another title, and so another idea. A finished idea is
refused if it shares too many words with one that is there. An idea of the board that shares no
words but means nearly the same is found by word vectors; models/word-vectors.md has the error
rates.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from service.analysis.word_overlap import NEAR, SAME_IDEA, most_similar, resemblance
from service.analysis.word_vectors import WordVectors
from service.errors import AnswerUnusable, ModelUnavailable
from service.messages import Text
from service.prompts.answers import parse_suggestion
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.identity import new_id

# Two cards under one title look like one idea twice, whatever stands below.
SAME_TITLE = 0.99
# A combination shares words with each of its parts; with more than these it is one of them.
COPY = 0.8
LIKE = 0.4
"""A suggestion is marked as similar to an idea of the board from this cosine on."""
# How often, of a hundred times, a word of an English title begins with the letter. Letters that
# are not here, such as all of other scripts, are lent to nobody. Which letters a draft gets, and
# so what a seed gives, depends on these numbers.
_WEIGHTS = {
    letter: weight
    for letters, weight in zip(
        "s c p mt bdfr alw egh i nov kqu jy xz".split(),
        (12, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5, 0.1),
        strict=True,
    )
    for letter in letters
}
# With more letters gone, the model has to force its titles.
MOST_BARRED = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BrainstormWork:
    """`known` are the ideas of the board by id, `combined` the title and text of those to be joined.

    No idea may be like one `beside` it, nor even come near to the texts in `avoided`.
    """

    topic: str
    context: str
    method: str
    n: int
    creativity: float
    known: tuple[tuple[str, str], ...]
    avoids_known: bool = True
    combined: tuple[tuple[str, str], ...] = ()
    avoided: tuple[str, ...] = ()
    beside: tuple[SuggestionPublic, ...] = ()
    angle: str | None = None

    @property
    def given(self) -> str:
        """What every idea of the run may repeat."""
        return " ".join([self.topic, *(body for _, body in self.combined)])


class DistinctIdeas:
    """The ideas made so far: usable, unlike each other and unlike what the work says."""

    def __init__(self, work: BrainstormWork) -> None:
        self.made: list[SuggestionPublic] = []
        self.work = work
        self.known: KnownIdeas | None = None

    def add(self, answer: str, angle: str) -> SuggestionPublic:
        """Raises `AnswerUnusable` for an answer that is no idea or is like one that is there."""
        parsed = parse_suggestion(answer, topic=self.work.topic)
        whole = f"{parsed.title}. {parsed.text}"
        for made in (*self.work.beside, *self.made):
            if self._is_alike(parsed.title, whole, made):
                raise AnswerUnusable(
                    Text(
                        "“%(title)s” is too like “%(other)s”.",
                        title=parsed.title,
                        other=made.title,
                    )
                )
        self._check(parsed.title, whole)
        suggestion = SuggestionPublic(
            id=new_id(),
            angle=angle,
            title=parsed.title,
            text=parsed.text,
            similar_to=self._known_like(whole, parsed.title),
        )
        self.made.append(suggestion)
        return suggestion

    def _is_alike(self, title: str, whole: str, made: SuggestionPublic) -> bool:
        # The words of the topic say nothing: every idea has them.
        return (
            resemblance(title, made.title) >= SAME_TITLE
            or resemblance(whole, f"{made.title}. {made.text}", ignore=self.work.given) >= SAME_IDEA
        )

    def _check(self, title: str, whole: str) -> None:
        for text in self.work.avoided:
            if resemblance(whole, text, ignore=self.work.topic) >= NEAR:
                raise AnswerUnusable(
                    Text("“%(title)s” is like what shall be avoided.", title=title)
                )
        if self.work.combined:
            self._check_parts(title, whole)

    def _check_parts(self, title: str, whole: str) -> None:
        """A combination has something of two ideas at least, and is none of them again."""
        parts = {name: f"{name}. {body}" for name, body in self.work.combined}
        shares = {name: resemblance(whole, part) for name, part in parts.items()}
        nearest = max(shares, key=shares.__getitem__)
        if shares[nearest] >= COPY:
            raise AnswerUnusable(
                Text("“%(title)s” only repeats “%(name)s”.", title=title, name=nearest)
            )
        if resemblance(whole, " ".join(parts.values())) >= COPY:
            raise AnswerUnusable(Text("“%(title)s” only puts the ideas side by side.", title=title))
        if sum(share > 0 for share in shares.values()) < 2:
            raise AnswerUnusable(Text("“%(title)s” does not join the ideas.", title=title))

    def _known_like(self, whole: str, title: str) -> str | None:
        nearest = most_similar(whole, self.work.known, ignore=self.work.topic)
        if nearest is None or nearest[1] < NEAR:
            return None if self.known is None else self.known.like(whole)
        if nearest[1] >= SAME_IDEA and self.work.avoids_known:
            raise AnswerUnusable(Text("“%(title)s” is on the board already.", title=title))
        return nearest[0]


class KnownIdeas:
    """Blocking, for the time it takes to read a board; `like` is quick."""

    def __init__(self, vectors: WordVectors, known: Sequence[tuple[str, str]], topic: str) -> None:
        """Raises: ModelUnavailable"""
        self._vectors = vectors
        self._topic = topic
        self._ids = [idea_id for idea_id, _ in known]
        self._rows = vectors.embed([text for _, text in known], ignore=topic)

    @classmethod
    def read(
        cls, vectors: WordVectors, known: Sequence[tuple[str, str]], topic: str
    ) -> "KnownIdeas | None":
        """None where there is nothing to compare with."""
        try:
            return cls(vectors, known, topic) if known else None
        except ModelUnavailable as error:
            # A brainstorm without these marks is better than none.
            _log.warning("Suggestions are compared by their words only: %s", error.detail)
            return None

    def like(self, text: str) -> str | None:
        """The id of the idea that means most nearly the same, if any does."""
        values = self._rows @ self._vectors.embed([text], ignore=self._topic)[0]
        best = int(values.argmax())
        return self._ids[best] if values[best] >= LIKE else None


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
