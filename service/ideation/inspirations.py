"""Finds ideas that exist already for topics like the one that a brainstorm is about."""

import logging
import re
from collections.abc import Iterator

from service.analysis.board_ideas import BoardIdeas
from service.analysis.idea_bank import ENGLISH, IdeaBank, NearIdea
from service.analysis.word_overlap import is_same_idea
from service.errors import ModelUnavailable
from service.prompts.idea_lists import RelatedIdeas
from service.prompts.languages import AS_WRITTEN
from service.text.cleaning import count_words

# From this cosine of the topics on, 56 of 100 ideas of the bank are useful to readers; from 0.5 to
# 0.6, 5 are (models/idea-bank/README.md).
NEAR_TOPIC = 0.6
# The same by the pieces of words, for other languages: 45 of 100 are useful.
NEAR_TRANSLATED_TOPIC = 0.45
# From this cosine on, ideas are near enough to set the tone and depth of what the model writes.
RELATED_TOPIC = 0.45
RELATED_TOPICS, OF_A_RELATED_TOPIC, MOST_WORDS = 2, 2, 60
MOST_INSPIRATIONS = 8
# Of one topic, so that a topic that only seems near does not fill the page. From the fourth idea of a
# very near topic on, 55 of 100 are useful to readers; of another, 24 are.
MOST_OF_A_TOPIC, MOST_OF_A_VERY_NEAR_ONE, VERY_NEAR = 3, 8, 0.7
# More topics than are needed: repetitions are left out, and so is what is on the board already.
TOPICS = 8
# The ideas of the bank are in English, but its topics are translated.
TRANSLATED = ("de", "sv")
# A topic that asks for a name is near to its other topics by the encoder, but wants other ideas: where
# only one of two very near topics asks for a name, none of the ideas read was useful.
_ASKS_FOR_NAME = re.compile(r"\b(names?|naming|namn|namnet|namen)\b", re.IGNORECASE)
_log = logging.getLogger(__name__)


class Inspirations:
    """Its methods block: call them in a thread. What is switched off is None."""

    def __init__(self, bank: IdeaBank | None, boards: BoardIdeas | None = None) -> None:
        self._bank = bank
        self._boards = boards

    def warm_up(self) -> None:
        """Read the files, which takes a second that the first brainstorm need not wait for."""
        try:
            if self._bank is not None:
                self._bank.load()
            if self._boards is not None:
                self._boards.load()
        except ModelUnavailable as error:
            _log.warning("Ideas that exist are not offered: %s", error.detail)

    def find(
        self, topic: str, language: str = AS_WRITTEN, *, board_id: str = ""
    ) -> Iterator[NearIdea]:
        """Yields different ideas that were written for near topics: ideas of boards other than
        `board_id`, and those of the bank if it has topics in the language. A few of each topic come
        first, nearest topic first, then more of the very near ones.

        Raises: ModelUnavailable if a file of the bank is missing.
        """
        near: list[NearIdea] = []
        if self._boards is not None:
            near += self._boards.near(topic, NEAR_TOPIC, TOPICS, outside=board_id)
        if self._bank is not None and language in (AS_WRITTEN, ENGLISH):
            near += self._bank.near(topic, NEAR_TOPIC, TOPICS)
        if self._bank is not None and language in (AS_WRITTEN, *TRANSLATED):
            near += self._bank.near_translated(topic, NEAR_TRANSLATED_TOPIC, TOPICS)
        wanted = _of_its_kind(near, topic)
        found: list[NearIdea] = []
        # A few of each topic first: the nearest may still mean something else.
        for most, least in ((MOST_OF_A_TOPIC, -1.0), (MOST_OF_A_VERY_NEAR_ONE, VERY_NEAR)):
            for idea in wanted:
                is_full = sum(one.written_for == idea.written_for for one in found) >= most
                is_there = any(_is_alike(idea, other) for other in found)
                if idea.likeness >= least and not is_full and not is_there:
                    found.append(idea)
                    yield idea

    def related(
        self, topic: str, language: str = AS_WRITTEN, *, board_id: str = ""
    ) -> list[RelatedIdeas]:
        """A few ideas for the model to follow, nearest topic last; only in English.

        Raises: ModelUnavailable if a file of the bank is missing.
        """
        if language not in (AS_WRITTEN, ENGLISH):
            return []
        near: list[NearIdea] = []
        if self._boards is not None:
            near += self._boards.near(topic, RELATED_TOPIC, RELATED_TOPICS, outside=board_id)
        if self._bank is not None and self._bank.is_english(topic):
            near += self._bank.near(topic, RELATED_TOPIC, RELATED_TOPICS)
        topics: dict[str, list[tuple[str, str]]] = {}
        for idea in _of_its_kind(near, topic):
            if count_words(idea.text) <= MOST_WORDS:
                topics.setdefault(idea.written_for, []).append((idea.title, idea.text))
        nearest = list(topics.items())[:RELATED_TOPICS]
        return [
            RelatedIdeas(name, tuple(ideas[:OF_A_RELATED_TOPIC])) for name, ideas in nearest[::-1]
        ]


def _of_its_kind(near: list[NearIdea], topic: str) -> list[NearIdea]:
    """Names for a topic that asks for a name, and no names for another; nearest topic first."""
    kind = _asks_for_name(topic)
    wanted = [one for one in near if _asks_for_name(one.written_for) == kind]
    return sorted(wanted, key=lambda one: -one.likeness)


def _asks_for_name(topic: str) -> bool:
    return _ASKS_FOR_NAME.search(topic) is not None


def _is_alike(idea: NearIdea, other: NearIdea) -> bool:
    return is_same_idea(idea, other, ignore=f"{idea.written_for} {other.written_for}")
