"""The ranking of a board by people's votes or by the model, from the stored comparisons."""

import zlib
from collections import Counter
from collections.abc import Collection, Sequence

from service.actor import acting_person_id
from service.analysis.bradley_terry import Pair, Ranking, Result
from service.analysis.consensus import Ballot, Consensus, consensus
from service.errors import Conflict
from service.messages import Text
from service.schemas.fields import Judge
from service.schemas.ranking import (
    ComparisonPublic,
    ConsensusPublic,
    ContestedPublic,
    PairPublic,
    RankingPublic,
    StandingPublic,
)
from service.store import Store
from service.store.comparisons import Contender

MOST_CONTESTED = 5


class Standings:
    """Comparisons of ideas that were deleted, archived or moved away do not count until the ideas are
    back. People may vote on a pair as often as they like. The model would answer the same again, so
    only its newest verdict on a pair counts.
    """

    def __init__(
        self,
        board_id: str,
        by: Judge,
        contenders: Sequence[Contender],
        comparisons: Sequence[ComparisonPublic],
    ) -> None:
        self.board_id = board_id
        self.by = by
        self.contenders = {one.id: one for one in contenders}
        self._counted = [
            one
            for one in (_newest(comparisons) if by == "model" else comparisons)
            if one.first_id in self.contenders and one.second_id in self.contenders
        ]
        self.ranking = Ranking(list(self.contenders), self.results)

    @property
    def comparisons(self) -> int:
        return len(self._counted)

    @property
    def results(self) -> list[Result]:
        return [result_of(one) for one in self._counted]

    @property
    def settled(self) -> set[Pair]:
        """The pairs whose texts have not changed since they were compared."""
        return {
            frozenset((one.first_id, one.second_id))
            for one in self._counted
            if not self._outdated(one)
        }

    @property
    def consensus(self) -> Consensus:
        """How far the people agree whose votes count."""
        return consensus(
            [Ballot(_voter(one), one.first_id, one.second_id, one.outcome) for one in self._counted]
        )

    def judged_by(self, person_id: str) -> set[Pair]:
        """The pairs that this person compared, unless a text has changed since."""
        return {
            frozenset((one.first_id, one.second_id))
            for one in self._counted
            if _voter(one) == person_id and not self._outdated(one)
        }

    def public(self) -> RankingPublic:
        outdated = Counter(idea for one in self._counted for idea in self._outdated(one))
        ranks = self.ranking.ranks
        return RankingPublic(
            board_id=self.board_id,
            by=self.by,
            comparisons=self.comparisons,
            consensus=self._consensus() if self.by == "people" else None,
            ideas=[
                self._standing(idea_id, ranks.get(idea_id), outdated[idea_id])
                for idea_id in self.ranking.order
            ],
        )

    def _consensus(self) -> ConsensusPublic:
        found = self.consensus
        return ConsensusPublic(
            people=found.people,
            shared_pairs=found.shared_pairs,
            agreement=_rounded(found.agreement),
            alpha=_rounded(found.alpha),
            contested=[
                ContestedPublic(
                    idea_id=one.idea_id,
                    title=self.contenders[one.idea_id].title,
                    contested=one.contested,
                    shared=one.shared,
                )
                for one in found.contested[:MOST_CONTESTED]
            ],
        )

    def _standing(self, idea_id: str, rank: int | None, outdated: int) -> StandingPublic:
        strength = self.ranking.strengths[idea_id]
        return StandingPublic(
            rank=rank,
            idea_id=idea_id,
            title=self.contenders[idea_id].title,
            score=round(strength.score, 1),
            low=round(strength.low, 1),
            high=round(strength.high, 1),
            strength=round(strength.value, 4),
            standard_error=round(strength.standard_error, 4),
            comparisons=strength.comparisons,
            outdated=outdated,
        )

    def _outdated(self, one: ComparisonPublic) -> list[str]:
        """The ideas of the pair whose text has changed since the comparison."""
        sides = ((one.first_id, one.first_version), (one.second_id, one.second_version))
        return [idea for idea, version in sides if version < self.contenders[idea].version]


def board_standings(
    store: Store, board_id: str, by: Judge, round_id: str | None = None
) -> Standings:
    """With `round_id`, only the ideas of this writing round are ranked.

    Raises: NotFound.
    """
    contenders = store.comparisons.contenders(board_id, round_id)
    return Standings(board_id, by, contenders, store.comparisons.of_board(board_id, by))


def compared_standings(store: Store, board_id: str, by: Judge) -> Standings:
    """As `board_standings`, of the ideas that were compared. Of a large board these are few."""
    made = store.comparisons.of_board(board_id, by)
    contenders = store.comparisons.contenders(board_id, compared_by=by) if made else []
    return Standings(board_id, by, contenders, made)


def rank_order(store: Store, board_id: str) -> dict[str, int]:
    """A value by which to sort ideas that people compared; the best idea has the highest."""
    ranking = compared_standings(store, board_id, "people").ranking
    return {
        idea_id: round(1e6 * strength.value)
        for idea_id, strength in ranking.strengths.items()
        if strength.comparisons
    }


def next_pair(
    store: Store, standings: Standings, skipped: Collection[Pair] = ()
) -> PairPublic | None:
    """The next pair to vote on. It stays the same until somebody votes; None if all are skipped.

    A person gets pairs of their own: one that they have not compared yet, as long as there is one.

    Raises:
        Conflict: there are no two ideas to compare.
    """
    if len(standings.contenders) < 2:
        raise Conflict(Text("There are no two ideas to compare. Add some to the board first."))
    person = acting_person_id() or ""
    seed = zlib.crc32(f"{standings.board_id} {standings.comparisons} {person}".strip().encode())
    ranking, own = standings.ranking, standings.judged_by(person) if person else set()
    question = ranking.next_question(seed=seed, without={*skipped, *own})
    if question is None and own:
        question = ranking.next_question(seed=seed, without=skipped)
    if question is None:
        return None
    return PairPublic(
        first=store.ideas.get(question.first),
        second=store.ideas.get(question.second),
        information=round(question.information, 4),
    )


def result_of(one: ComparisonPublic) -> Result:
    return Result(one.first_id, one.second_id, one.outcome)


def _newest(comparisons: Sequence[ComparisonPublic]) -> list[ComparisonPublic]:
    return list({frozenset((one.first_id, one.second_id)): one for one in comparisons}.values())


def _voter(one: ComparisonPublic) -> str:
    return "" if one.author is None else one.author.id


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
