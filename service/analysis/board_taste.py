"""What a board has learnt of its people's taste, from what they decided on it."""

from collections import Counter
from dataclasses import dataclass

from service.analysis.taste import Accuracy, Choice, Decision, Subject, Taste, TasteLearner
from service.analysis.word_vectors import WordVectors
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.taste import TasteCounts, TastePublic, TasteState
from service.store import Store
from service.store.taste import Decisions, Opinion

# With fewer decisions, what is learnt helps hardly or not (docs/design/quality.md).
LEAST_DECISIONS = 20
# "Less like this" and a liked suggestion say more than a discarded or kept one; a suggestion that was
# left open while others were kept or discarded says little.
STRONG, USUAL, WEAK = 2.0, 1.0, 0.25
MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class _Learnt:
    made: Decisions
    decisions: list[Decision]
    state: TasteState
    accuracy: Accuracy | None
    taste: Taste | None


class BoardTaste:
    """Its methods block: call them in a thread."""

    def __init__(self, store: Store, vectors: WordVectors) -> None:
        self._store = store
        self._vectors = vectors

    def of(self, board_id: str) -> Taste | None:
        """None if the board does not learn, or has not learnt enough.

        Raises:
            NotFound: there is no such board.
            ModelUnavailable: the file of the word vectors cannot be read.
        """
        if not self._store.boards.get(board_id).learns:
            return None
        learnt = self._learn(board_id, learns=True)
        return learnt.taste if learnt.state == "in_use" else None

    def report(self, board_id: str) -> TastePublic:
        """Raises: NotFound, ModelUnavailable"""
        learnt = self._learn(board_id, learns=self._store.boards.get(board_id).learns)
        accuracy = learnt.accuracy
        speaking_for, against = _words(learnt)
        return TastePublic(
            board_id=board_id,
            state=learnt.state,
            since=learnt.made.since,
            counts=_counts(learnt.made),
            needed=LEAST_DECISIONS,
            pairs=accuracy.pairs if accuracy else 0,
            accuracy=accuracy.learnt if accuracy and accuracy.pairs else None,
            accuracy_without=accuracy.prior if accuracy and accuracy.pairs else None,
            words_for=speaking_for,
            words_against=against,
        )

    def _learn(self, board_id: str, *, learns: bool) -> _Learnt:
        made = self._store.taste.decisions(board_id)
        decisions = [_decision(one) for one in made.opinions]
        counts = _counts(made)
        if counts.total < LEAST_DECISIONS or not (counts.wanted and counts.unwanted):
            return _Learnt(made, decisions, "gathering" if learns else "off", None, None)
        choices = [Choice(one.first, one.second) for one in made.preferences]
        learner = TasteLearner(self._vectors, decisions, choices)
        accuracy = learner.accuracy()
        state: TasteState = "in_use" if accuracy.pays else "no_better"
        return _Learnt(made, decisions, state if learns else "off", accuracy, learner.fit())


def subject_of(suggestion: SuggestionPublic) -> Subject:
    return Subject(suggestion.whole, suggestion.origin, suggestion.likeness)


def _decision(opinion: Opinion) -> Decision:
    one = opinion.suggestion
    weight = WEAK if one.state == "open" else USUAL
    if opinion.is_liked or one.state == "avoided":
        weight = STRONG
    is_wanted = one.state == "kept" or opinion.is_liked
    return Decision(subject_of(one), is_wanted, weight, opinion.run_id)


def _words(learnt: _Learnt) -> tuple[list[str], list[str]]:
    if learnt.taste is None:
        return [], []
    sure = [one for one in learnt.decisions if one.weight >= USUAL]
    wanted = [one.subject.text for one in sure if one.is_wanted]
    unwanted = [one.subject.text for one in sure if not one.is_wanted]
    return learnt.taste.words(wanted, unwanted, MOST_WORDS)


def _counts(made: Decisions) -> TasteCounts:
    states = Counter(one.suggestion.state for one in made.opinions)
    return TasteCounts(
        kept=states["kept"],
        discarded=states["discarded"],
        avoided=states["avoided"],
        liked=sum(one.is_liked for one in made.opinions),
        compared=len(made.preferences),
    )
