"""Keeps the ideas of a brainstorm different from each other and from those on the board.

Drafts that are written at the same time do not know each other, so each one gets its own initial
letters for its title: another letter makes another title, and so another idea. A finished idea is
refused if it shares too many words with an existing one. Ideas of the board that share no words
but mean nearly the same are found by word vectors; models/word-vectors.md has the error rates.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from service.analysis.board_taste import subject_of
from service.analysis.idea_bank import NearIdea
from service.analysis.taste import Taste
from service.analysis.word_overlap import (
    NEAR,
    SAME_IDEA,
    is_same_idea,
    most_similar,
    resemblance,
)
from service.analysis.word_vectors import WordVectors
from service.errors import AnswerUnusable, ModelUnavailable, RepeatedIdea
from service.messages import Text
from service.prompts.answers import parse_suggestion
from service.prompts.idea_lists import RelatedIdeas
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.identity import new_id

# A combination shares words with each of its parts; with more than this share it is a copy.
COPY = 0.8
SIMILAR_MEANING = 0.4
"""The cosine from which a suggestion is marked as similar to an idea of the board."""
# The percentage of English title words that begin with the letter. Other letters, such as those of
# other scripts, are given to no draft. Changing a number changes the ideas that a seed gives.
_WEIGHTS = {
    letter: weight
    for letters, weight in zip(
        "s c p mt bdfr alw egh i nov kqu jy xz".split(),
        (12, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5, 0.1),
        strict=True,
    )
    for letter in letters
}
# With more letters barred, the model writes forced titles.
MOST_BARRED = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BrainstormWork:
    """`known` has the ideas of the board as (id, text), `combined` those to be joined as (title, text).

    `n` ideas are asked of the model, and up to `bank_n` of the idea bank and of boards other than
    `board_id`, without those whose titles are in `bank_seen`.

    With `writes_lists`, the model may write several ideas at a time, without an angle; those in `liked`
    are ideas to follow. After `most_s` seconds, the ideas so far are the result. If it `learns`, what
    the board's people are likely to keep comes first.

    An idea must differ from the `siblings`, and must not even be similar to one in `avoided`.
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
    siblings: tuple[SuggestionPublic, ...] = ()
    angle: str | None = None
    writes_lists: bool = False
    liked: tuple[RelatedIdeas, ...] = ()
    most_s: float | None = None
    board_id: str = ""
    learns: bool = False
    bank_n: int = 0
    bank_seen: frozenset[str] = frozenset()

    @property
    def given(self) -> str:
        """The text that every idea of the run may repeat."""
        return " ".join([self.topic, *(body for _, body in self.combined)])


class DistinctIdeas:
    """The ideas of the run so far, all usable and different.

    `related` are ideas that the model has before it and must not copy. `taste` is what the board has
    learnt.
    """

    def __init__(self, work: BrainstormWork) -> None:
        self.made: list[SuggestionPublic] = []
        self.work = work
        self.known: KnownIdeas | None = None
        self.related: list[str] = []
        self.taste: Taste | None = None

    def add(self, answer: str, angle: str) -> SuggestionPublic:
        """Raises: AnswerUnusable if the answer is not an idea, or is too similar to another one."""
        parsed = parse_suggestion(answer, topic=self.work.topic)
        whole = f"{parsed.title}. {parsed.text}"
        if any(
            resemblance(whole, one, ignore=self.work.topic) >= SAME_IDEA for one in self.related
        ):
            raise RepeatedIdea(
                Text("“%(title)s” copies an idea for a related topic.", title=parsed.title)
            )
        return self._accept(parsed.title, parsed.text, angle=angle)

    def add_inspiration(self, idea: NearIdea) -> SuggestionPublic:
        """Raises: RepeatedIdea if it is too similar to another one."""
        return self._accept(
            idea.title,
            idea.text,
            angle="",
            origin=idea.origin,
            written_for=idea.written_for,
            likeness=idea.likeness,
            copied_from=idea.copied_from,
        )

    def _accept(self, title: str, text: str, **fields: Any) -> SuggestionPublic:
        suggestion = SuggestionPublic(id=new_id(), title=title, text=text, **fields)
        for made in (*self.work.siblings, *self.made):
            if is_same_idea(suggestion, made, ignore=self.work.given):
                raise RepeatedIdea(
                    Text(
                        "“%(title)s” is too similar to “%(other)s”.", title=title, other=made.title
                    )
                )
        self._check(title, suggestion.whole)
        suggestion.similar_to = self._similar_known(suggestion.whole, title)
        if self.taste is not None:
            (suggestion.fit,) = self.taste.probabilities([subject_of(suggestion)])
        self.made.append(suggestion)
        return suggestion

    def _check(self, title: str, whole: str) -> None:
        for text in self.work.avoided:
            if resemblance(whole, text, ignore=self.work.topic) >= NEAR:
                raise RepeatedIdea(
                    Text("“%(title)s” is too similar to something you asked to avoid.", title=title)
                )
        if self.work.combined:
            self._check_parts(title, whole)

    def _check_parts(self, title: str, whole: str) -> None:
        """A combination must share words with at least two of its ideas, and must not copy one."""
        parts = {name: f"{name}. {body}" for name, body in self.work.combined}
        shares = {name: resemblance(whole, part) for name, part in parts.items()}
        nearest = max(shares, key=shares.__getitem__)
        if shares[nearest] >= COPY:
            raise AnswerUnusable(
                Text("“%(title)s” only repeats “%(name)s”.", title=title, name=nearest)
            )
        if resemblance(whole, " ".join(parts.values())) >= COPY:
            raise AnswerUnusable(
                Text("“%(title)s” only repeats the ideas one after the other.", title=title)
            )
        if sum(share > 0 for share in shares.values()) < 2:
            raise AnswerUnusable(Text("“%(title)s” does not join the ideas.", title=title))

    def _similar_known(self, whole: str, title: str) -> str | None:
        nearest = most_similar(whole, self.work.known, ignore=self.work.topic)
        if nearest is None or nearest[1] < NEAR:
            return None if self.known is None else self.known.nearest(whole)
        if nearest[1] >= SAME_IDEA and self.work.avoids_known:
            raise RepeatedIdea(Text("“%(title)s” is on the board already.", title=title))
        return nearest[0]


class KnownIdeas:
    """The ideas of a board as word vectors. Making it reads the board and blocks; `nearest` is fast."""

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
        """None if there is nothing to compare with."""
        try:
            return cls(vectors, known, topic) if known else None
        except ModelUnavailable as error:
            # A brainstorm without these marks is better than no brainstorm.
            _log.warning("Suggestions are compared by their words only: %s", error.detail)
            return None

    def nearest(self, text: str) -> str | None:
        """The id of the idea that is most similar in meaning, if one is similar enough."""
        values = self._rows @ self._vectors.embed([text], ignore=self._topic)[0]
        best = int(values.argmax())
        return self._ids[best] if values[best] >= SIMILAR_MEANING else None


class TitleInitials:
    """Lends each draft its own share of the letters, until its title has begun.

    No title begins like one of the newest titles, or like a word of the topic, which it should not
    just repeat.
    """

    def __init__(self, topic: str, seed: int) -> None:
        draw = Random(seed)
        # Each seed groups the letters differently.
        self._weights = {
            letter: weight * draw.uniform(0.8, 1.25) for letter, weight in _WEIGHTS.items()
        }
        words = [word for word in topic.split() if len(word) > 3]
        self._topic = {word[0].casefold() for word in words[:4]}
        self._lent: dict[int, frozenset[str]] = {}

    def lend(self, branch: int, titles: Sequence[str], sharers: int) -> str:
        """The letters that the branch's title must not begin with, in upper and lower case.

        `titles` have been written; the free letters are shared with `sharers - 1` other drafts.
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
        """Keep only the letter that the branch's title has begun with."""
        self._lent[branch] = frozenset(title[0].casefold())

    def give_back(self, branch: int) -> None:
        self._lent.pop(branch, None)

    def _share(self, free: Collection[str], sharers: int) -> frozenset[str]:
        """One of `sharers` shares of about the same total weight."""
        shares: list[set[str]] = [set() for _ in range(sharers)]
        sums = [0.0] * sharers
        for letter in sorted(free, key=lambda one: (-self._weights[one], one)):
            lightest = sums.index(min(sums))
            shares[lightest].add(letter)
            sums[lightest] += self._weights[letter]
        return frozenset(shares[0])
