"""Groups similar items and suggests titles for the groups. Knows neither ideas nor the source of
the vectors.

Groups come from average linkage: the two groups with the highest mean similarity are merged, until
no two are similar enough. So a higher threshold only divides the groups of a lower one, and the
same vectors always give the same groups.
"""

from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from service.analysis.word_overlap import content_words

Alikeness = NDArray[np.float64]
TITLE_WORDS = 2


def average_linkage(alikeness: Alikeness, threshold: float) -> list[list[int]]:
    """The groups as lists of indices, including groups of one. Groups and members are in order."""
    between = np.array(alikeness, dtype=np.float64)
    np.fill_diagonal(between, -np.inf)
    members = [[place] for place in range(len(between))]
    if not members:
        return []
    nearest = between.argmax(axis=1)
    while True:
        values = between[np.arange(len(between)), nearest]
        first = int(values.argmax())
        if values[first] < threshold:
            return sorted(group for group in members if group)
        kept, gone = sorted((first, int(nearest[first])))
        _merge(between, members, kept, gone)
        # Averages never rise, so only rows whose nearest was one of the two can have a new nearest.
        is_stale = (nearest == kept) | (nearest == gone)
        is_stale[[kept, gone]] = True
        stale = np.flatnonzero(is_stale)
        nearest[stale] = between[stale].argmax(axis=1)


def _merge(between: Alikeness, members: list[list[int]], kept: int, gone: int) -> None:
    sizes = len(members[kept]), len(members[gone])
    mean = (sizes[0] * between[kept] + sizes[1] * between[gone]) / sum(sizes)
    mean[[kept, gone]] = -np.inf
    between[kept], between[:, kept] = mean, mean
    between[gone], between[:, gone] = -np.inf, -np.inf
    members[kept], members[gone] = sorted(members[kept] + members[gone]), []


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
