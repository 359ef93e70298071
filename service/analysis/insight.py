"""Says in one sentence what the scores of an evaluation show. A rule writes it, not the model.

It is pure. It claims a difference only where `ties` can tell two scores apart.
"""

from collections.abc import Mapping, Sequence

from service.analysis.ties import Measured, Place, is_higher
from service.messages import Counted, Text
from service.schemas.evaluation import DEFAULT_NAMES

# Half way between the lowest score, 1, and the highest, 10.
MIDDLE = Measured(5.5, 0.0)


def insight(scores: Mapping[str, float], spread: Mapping[str, float | None]) -> Text:
    measured = {name: Measured(score, spread.get(name)) for name, score in scores.items()}
    if all(one.error is None for one in measured.values()):
        return Text(
            "How far off these scores may be is not known, so their differences say little."
        )
    if len(measured) == 1:
        return _single(*next(iter(measured.items())))
    best, worst = _ends(measured)
    if not worst:
        return Text("About the same on all criteria: no difference is larger than the usual error.")
    is_strong = is_higher(measured[best[0]], MIDDLE)
    is_weak = is_higher(MIDDLE, measured[worst[0]])
    names = {"best": listed(best), "worst": listed(worst)}
    return _apart(is_strong=is_strong, is_weak=is_weak, names=names)


def leading(titles: Mapping[str, str], places: Mapping[str, Place]) -> Text:
    """Says which of at least two ideas comes first, or how many share the first place."""
    first = [idea_id for idea_id, place in places.items() if place.first == 1]
    if len(first) == len(places):
        return Text("The ideas score about the same: no difference is larger than the usual error.")
    if len(first) == 1:
        title = titles.get(first[0]) or Text("a deleted idea")
        return Text("“%(title)s” scores highest, by more than the usual error.", title=title)
    return Counted(
        "%(count)s idea could come first.",
        "%(count)s ideas could come first: they score about the same.",
        len(first),
    )


def listed(names: Sequence[str]) -> str:
    """Returns the names in one phrase. Only the names of the default criteria are translated."""
    words = [Text(name) if name in DEFAULT_NAMES else name for name in names]
    phrase = words[0]
    for word in words[1:-1]:
        phrase = Text("%(some)s, %(next)s", some=phrase, next=word)
    if len(words) > 1:
        phrase = Text("%(some)s and %(last)s", some=phrase, last=words[-1])
    return phrase


def _ends(measured: Mapping[str, Measured]) -> tuple[list[str], list[str]]:
    """The best criteria, best first, and the worst, worst first. Each of the best is higher than each of
    the worst; without such a difference, there are no worst.
    """
    known = [name for name, one in measured.items() if one.error is not None]
    ordered = sorted(known, key=lambda name: -measured[name].value)
    top, bottom = measured[ordered[0]], measured[ordered[-1]]
    worst = [
        name
        for name in reversed(ordered)
        if is_higher(top, measured[name]) and not is_higher(measured[name], bottom)
    ]
    best = [
        name
        for name in ordered
        if not is_higher(top, measured[name])
        and all(is_higher(measured[name], measured[other]) for other in worst)
    ]
    return best, worst


def _single(name: str, one: Measured) -> Text:
    words = listed([name])
    if is_higher(one, MIDDLE):
        return Text("Strong on %(name)s.", name=words)
    if is_higher(MIDDLE, one):
        return Text("Weak on %(name)s.", name=words)
    return Text("In the middle on %(name)s.", name=words)


def _apart(*, is_strong: bool, is_weak: bool, names: Mapping[str, str]) -> Text:
    if is_strong and is_weak:
        return Text(
            "Strong on %(best)s and weak on %(worst)s: the difference is larger than the usual error.",
            **names,
        )
    if is_strong:
        return Text(
            "Strong on %(best)s; weakest on %(worst)s, and the difference is larger than the usual "
            "error.",
            **names,
        )
    if is_weak:
        return Text(
            "Weak on %(worst)s; strongest on %(best)s, and the difference is larger than the usual "
            "error.",
            **names,
        )
    return Text(
        "Strongest on %(best)s, weakest on %(worst)s; the difference is larger than the usual error.",
        **names,
    )
