"""Corrects misspelt words of a search that finds nothing.

The words of the index are those of all ideas, so a correction counts only if an idea contains it that the
acting person may read and that the rest of the search fits.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from sqlmodel import Session, col

from service.store.dialects import search_index
from service.store.dialects.expressions import WORD, contains_word
from service.store.dialects.words import words_in
from service.store.listing import IdeaQuery
from service.store.tables import Idea
from service.text.spelling import near_words, tolerance

# A longer search is a sentence. Each word costs a query.
_MOST_WORDS = 8
# There are rarely more than a handful. Each costs a query.
_MOST_CANDIDATES = 24


def corrected(session: Session, query: IdeaQuery) -> IdeaQuery:
    """Returns the query with its misspelt words corrected, or unchanged if that helps nothing.

    A search that finds something is left alone: whoever wrote it may have meant just that, and programs
    get exactly what they ask for.
    """
    words = list(dict.fromkeys(WORD.findall(query.q)))
    if not 0 < len(words) <= _MOST_WORDS or _finds(session, query):
        return query
    unknown = {word: _folded(word) for word in words if not _exists(session, query, word)}
    if not unknown or not all(map(tolerance, unknown.values())):
        return query
    known = _vocabulary(session, unknown.values())
    found = [word for word in words if word not in unknown]
    meant: dict[str, str] = {}
    for word, folded in unknown.items():
        correction = _correction(session, replace(query, q=" ".join(found)), folded, known)
        if correction is None:
            return query
        meant[word] = correction
        found.append(correction)
    return replace(query, q=WORD.sub(lambda one: meant.get(one[0], one[0]), query.q))


def _finds(session: Session, query: IdeaQuery) -> bool:
    return session.exec(query.selected(Idea.number).limit(1)).first() is not None


def _exists(session: Session, query: IdeaQuery, word: str) -> bool:
    """Whether the word is spelt well, as it stands in an idea that only the filters leave out."""
    return _finds(session, IdeaQuery(board=query.board, deleted=query.deleted, q=word))


def _folded(word: str) -> str:
    """The word as it is in the index; empty if it is none or several there."""
    words = words_in(word)
    return words[0] if len(words) == 1 else ""


def _vocabulary(session: Session, words: Collection[str]) -> Sequence[str]:
    shortest = min(len(word) - tolerance(word) for word in words)
    longest = max(len(word) + tolerance(word) for word in words)
    return search_index(session).words(session, shortest, longest)


def _correction(session: Session, others: IdeaQuery, word: str, known: Sequence[str]) -> str | None:
    """The nearest word in ideas that the query for the other words finds; of equally near ones, that of
    most ideas.
    """
    for group in _groups(near_words(word, known)[:_MOST_CANDIDATES]):
        counts = {one: _count(session, others, one) for one in group}
        best = max(group, key=lambda one: counts[one])
        if counts[best]:
            return _as_written(session, others, best)
    return None


def _groups(words: Sequence[tuple[int, str]]) -> Iterator[list[str]]:
    for far in dict.fromkeys(far for far, _ in words):
        yield [word for other, word in words if other == far]


def _count(session: Session, query: IdeaQuery, word: str) -> int:
    statement = query.counted().where(contains_word(col(Idea.number), word))
    return session.scalar(statement) or 0


def _as_written(session: Session, query: IdeaQuery, word: str) -> str:
    """The word with its diacritics, which the index leaves out, from an idea that contains it."""
    statement = query.selected(Idea.title, Idea.body).where(contains_word(col(Idea.number), word))
    for text in session.exec(statement.limit(1)).one():
        for written in WORD.findall(text):
            if words_in(written) == [word]:
                return str(written.lower())
    # It is in a tag.
    return word
