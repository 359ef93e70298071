"""Makes a page on which people judge pairs blind, and counts their answers.

The page does not say which model wrote a text; a separate key file does.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from training.errors import DataProblem
from training.evaluation.judge import Pair, Side
from training.evaluation.statistics import Interval, sign_test, wilson

PAIRS = 60
PAGE = "blind-{kind}.html"
KEY = "blind-{kind}-key.json"
ANSWERS = "blind-{kind}-answers.json"
"""The file that the page saves. Files of other readers have a suffix before `.json`."""
_TEMPLATE = Path(__file__).with_name("blind.html")
Place = Literal["left", "right"]
Use = Literal["useful", "passable", "not"]


@dataclass(frozen=True, slots=True)
class Key:
    """`left` maps the number of a pair to the model whose text is on the left. `page` is a digest."""

    page: str
    left: dict[str, Side]


@dataclass(frozen=True, slots=True)
class Opinion:
    better: Place | Literal["same"]
    left: Use | None = None
    right: Use | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The file that the page saves. `reader` names who or what has read; it is added by hand."""

    page: str
    answers: dict[str, Opinion]
    reader: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The answers of one reader. `p` is from a sign test without the pairs judged the same.

    `shown` is the number of pairs on the page. `useful` and `passable` are shares of the texts read.
    """

    page: str
    shown: int
    reader: str | None
    pairs: int
    wins: int
    losses: int
    win_rate: Interval
    p: float
    useful: dict[Side, Interval]
    passable: dict[Side, Interval]


_KEY = TypeAdapter(Key)
_ANSWERS = TypeAdapter(Answers)


def draw(pairs: Sequence[Pair], *, kind: str, seed: int, count: int = PAIRS) -> tuple[str, Key]:
    """The page with `count` random pairs, and its key. `kind` names the texts, such as "ideas"."""
    random = Random(seed)
    chosen = random.sample(list(pairs), min(count, len(pairs)))
    left: dict[str, Side] = {}
    shown: list[dict[str, str]] = []
    for number, pair in enumerate(chosen, start=1):
        side: Side = random.choice(("base", "tuned"))
        left[str(number)] = side
        texts = (pair.base, pair.tuned) if side == "base" else (pair.tuned, pair.base)
        shown.append({"request": pair.request, "left": texts[0], "right": texts[1]})
    # Otherwise `</script>` in a text would end the script.
    data = json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c")
    digest = hashlib.sha256(data.encode()).hexdigest()[:16]
    page = _TEMPLATE.read_text(encoding="utf-8")
    filled = {
        "@TITLE": escape(f"Which {kind} are better?"),
        "@ANSWERS": escape(ANSWERS.format(kind=kind)),
        "@PAGE": digest,
        "@PAIRS": data,
    }
    for mark, value in filled.items():
        page = page.replace(mark, value)
    return page, Key(digest, left)


def key_as_json(key: Key) -> dict[str, Any]:
    return asdict(key)


def answers_in(folder: Path, kind: str) -> list[Path]:
    """The files of all readers, in their order."""
    name = Path(ANSWERS.format(kind=kind))
    found = folder.glob(f"{name.stem}*{name.suffix}")
    return sorted(found, key=lambda path: (len(path.name), path.name))


def read(key_path: Path, answers_path: Path) -> Reading:
    """Counts the answers. Raises `DataProblem` for an invalid file or answers to another page."""
    key = _load(_KEY, key_path)
    answers = _load(_ANSWERS, answers_path)
    if key.page != answers.page:
        raise DataProblem("the answers belong to another page than the key.", path=answers_path)
    unknown = sorted(set(answers.answers) - set(key.left))
    if unknown:
        raise DataProblem("the page does not have this pair.", path=answers_path, row=unknown[0])
    return count_opinions(key, answers.answers, reader=answers.reader)


def count_opinions(
    key: Key, opinions: Mapping[str, Opinion], *, reader: str | None = None
) -> Reading:
    wins = losses = 0
    uses: dict[Side, list[Use]] = {"base": [], "tuned": []}
    for number, opinion in opinions.items():
        left = key.left[number]
        right: Side = "tuned" if left == "base" else "base"
        for side, use in ((left, opinion.left), (right, opinion.right)):
            if use is not None:
                uses[side].append(use)
        if opinion.better != "same":
            is_win = (left if opinion.better == "left" else right) == "tuned"
            wins, losses = wins + is_win, losses + (not is_win)
    return Reading(
        page=key.page,
        shown=len(key.left),
        reader=reader,
        pairs=len(opinions),
        wins=wins,
        losses=losses,
        win_rate=wilson(wins, wins + losses),
        p=sign_test(wins, losses),
        useful={side: _share(found, ("useful",)) for side, found in uses.items()},
        passable={side: _share(found, ("useful", "passable")) for side, found in uses.items()},
    )


def _share(found: Sequence[Use], counted: tuple[Use, ...]) -> Interval:
    return wilson(sum(use in counted for use in found), len(found))


def _load(shape: TypeAdapter[Any], path: Path) -> Any:
    try:
        return shape.validate_json(path.read_bytes())
    except OSError as error:
        raise DataProblem(f"cannot be read: {error.strerror}.", path=path) from error
    except ValidationError as error:
        raise DataProblem(
            f"is not a file that the page saves: {error.errors()[0]['msg']}.", path=path
        ) from error
