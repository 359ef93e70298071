"""Groups similar items and suggests titles for the groups. Knows neither ideas nor the source of
the vectors.

Groups come from average linkage: the two groups with the highest mean similarity are merged, until
no two are similar enough. So a higher threshold only divides the groups of a lower one, and the
same vectors always give the same groups.

The number of groups of two or more first rises as items are merged, and falls once whole groups are.
`steps_of` only offers cuts from that peak on, so that another step never means both fewer and
narrower groups.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from service.analysis.word_overlap import content_words

Alikeness = NDArray[np.float64]
TITLE_WORDS = 2


@dataclass(frozen=True, slots=True)
class Join:
    """Two groups that become one, each named by its first member; `alikeness` is their mean."""

    kept: int
    gone: int
    alikeness: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The first `joins` carried out, which leaves so many groups of two and more."""

    joins: int
    groups: int
    alikeness: float


def average_linkage(alikeness: Alikeness, threshold: float) -> list[list[int]]:
    """The groups as lists of indices, including groups of one. Groups and members are in order."""
    return grouped(len(alikeness), joins_of(alikeness, threshold))


def joins_of(alikeness: Alikeness, threshold: float) -> list[Join]:
    """What is joined, the most alike first, down to the threshold."""
    between = np.array(alikeness, dtype=np.float64)
    np.fill_diagonal(between, -np.inf)
    sizes = np.ones(len(between))
    joins: list[Join] = []
    if not len(between):
        return joins
    nearest = between.argmax(axis=1)
    while True:
        values = between[np.arange(len(between)), nearest]
        first = int(values.argmax())
        if values[first] < threshold or values[first] == -np.inf:
            return joins
        kept, gone = sorted((first, int(nearest[first])))
        joins.append(Join(kept, gone, float(values[first])))
        _merge(between, sizes, kept, gone)
        # Averages never rise, so only rows whose nearest was one of the two can have a new nearest.
        is_stale = (nearest == kept) | (nearest == gone)
        is_stale[[kept, gone]] = True
        stale = np.flatnonzero(is_stale)
        nearest[stale] = between[stale].argmax(axis=1)


def grouped(size: int, joins: Sequence[Join]) -> list[list[int]]:
    members = [[place] for place in range(size)]
    for join in joins:
        members[join.kept] = sorted(members[join.kept] + members[join.gone])
        members[join.gone] = []
    return sorted(group for group in members if group)


def steps_of(joins: Sequence[Join], count: int, preferred: float) -> list[Cut]:
    """`count` cuts from few broad groups to the most groups there can be; none if nothing joins.

    From step to step the number of groups never falls, and it grows by about the same factor. Of
    cuts with as many groups it is the one that still joins what is `preferred` alike.
    """
    cuts = _cuts(joins)
    if not cuts:
        return []
    ladder = _ladder(cuts, preferred)
    fewest, most = ladder[-1].groups, ladder[0].groups
    wanted = [fewest * (most / fewest) ** (step / max(1, count - 1)) for step in range(count)]
    return [min(_reaching(ladder, number), key=lambda cut: cut.groups) for number in wanted]


def _reaching(ladder: Sequence[Cut], number: float) -> list[Cut]:
    # The last target is the peak, but for what the power has rounded away.
    return [cut for cut in ladder if cut.groups >= number - 1e-9]


def _cuts(joins: Sequence[Join]) -> list[Cut]:
    """After each join; what is equally alike is joined together."""
    is_group: set[int] = set()
    cuts = []
    for place, join in enumerate(joins, start=1):
        is_group.add(join.kept)
        is_group.discard(join.gone)
        is_last = place == len(joins)
        if is_last or joins[place].alikeness < join.alikeness:
            cuts.append(Cut(place, len(is_group), join.alikeness))
    return cuts


def _ladder(cuts: Sequence[Cut], preferred: float) -> list[Cut]:
    """From the peak on, a cut for each number of groups that is lower than all before."""
    peak = max(range(len(cuts)), key=lambda place: cuts[place].groups)
    ladder: list[Cut] = []
    for cut in cuts[peak:]:
        if not ladder or cut.groups < ladder[-1].groups:
            ladder.append(cut)
        elif cut.groups == ladder[-1].groups and cut.alikeness >= preferred:
            ladder[-1] = cut
    return ladder


def _merge(between: Alikeness, sizes: NDArray[np.float64], kept: int, gone: int) -> None:
    total = sizes[kept] + sizes[gone]
    mean = (sizes[kept] * between[kept] + sizes[gone] * between[gone]) / total
    mean[[kept, gone]] = -np.inf
    between[kept], between[:, kept] = mean, mean
    between[gone], between[:, gone] = -np.inf, -np.inf
    sizes[kept] = total


def middle(alikeness: Alikeness, group: Sequence[int]) -> int:
    """The member that is most similar to all others; the first of equals."""
    return group[int(alikeness[np.ix_(group, group)].sum(axis=1).argmax())]


def mean_alikeness(alikeness: Alikeness, group: Sequence[int]) -> float:
    """The mean similarity over all pairs of members."""
    block = alikeness[np.ix_(group, group)]
    return float((block.sum() - np.trace(block)) / (len(group) * (len(group) - 1)))


def suggest_titles(texts: Sequence[str], groups: Sequence[Sequence[int]], limit: int) -> list[str]:
    """A title for each group, of the words that it uses more than the others (class-based TF-IDF).

    Words of a single member are only used if no two members share any. A title has at most `limit`
    characters.
    """
    words = [content_words(text) for text in texts]
    counts = [Counter(stem for place in group for stem, _ in words[place]) for group in groups]
    total = Counter[str]()
    for counted in counts:
        total.update(counted)
    average = sum(total.values()) / max(1, len(groups))
    return [
        _title(
            [words[place] for place in group],
            {stem: count * log(1 + average / total[stem]) for stem, count in counted.items()},
            limit,
        )
        for group, counted in zip(groups, counts, strict=True)
    ]


def _title(members: list[list[tuple[str, str]]], weights: dict[str, float], limit: int) -> str:
    spread = Counter(stem for words in members for stem in {stem for stem, _ in words})
    shared = {stem for stem in spread if spread[stem] > 1 and not stem.isdigit()}
    eligible = shared or set(spread)
    best = sorted(eligible, key=lambda stem: (-weights[stem] * spread[stem], stem))[:TITLE_WORDS]
    forms = Counter(pair for words in members for pair in words)
    named = [
        max((pair for pair in forms if pair[0] == stem), key=lambda pair: (forms[pair], pair))[1]
        for stem in best
    ]
    title = " & ".join(named) if len(" & ".join(named)) <= limit else "".join(named[:1])
    return (title[:1].upper() + title[1:])[:limit]
