"""Finds rows that duplicate an earlier one, exactly or nearly (MinHash, then the exact index).

Rows of our own tasks are compared by their answers, because their prompts differ only in the angle.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.rows import OWN_TASKS, Dropped, Row
from training.data.texts import Shingles, jaccard, normal, shingles, user_text

SAME = "the same as an earlier row"
NEARLY_SAME = "nearly the same as an earlier row"
HASHES = 128
# At most one in 200 pairs whose similarity equals the threshold is missed.
MISSED = 0.005
_PRIME = np.uint64((1 << 31) - 1)


def without_same(rows: Sequence[Row]) -> tuple[list[Row], list[Dropped]]:
    first: dict[tuple[str, str, str], Row] = {}
    dropped: list[Dropped] = []
    for row in rows:
        key = (row.task, normal(user_text(row)), normal(row.answer))
        earlier = first.setdefault(key, row)
        if earlier is not row:
            dropped.append(Dropped(row, SAME, earlier.id))
    return list(first.values()), dropped


def without_nearly_same(rows: Sequence[Row], threshold: float) -> tuple[list[Row], list[Dropped]]:
    """Keeps the first of rows whose Jaccard index of word shingles reaches the threshold.

    All graded answers are kept: similar answers with different grades are what is learnt from.
    """
    sets = [shingles(_compared(row)) for row in rows]
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    kept: list[Row] = []
    dropped: list[Dropped] = []
    rows_per_band = _rows_per_band(threshold)
    for index, (row, signature) in enumerate(zip(rows, _signatures(sets), strict=True)):
        if row.grade is not None:
            kept.append(row)
            continue
        bands = [
            (band, signature[band : band + rows_per_band].tobytes())
            for band in range(0, HASHES - rows_per_band + 1, rows_per_band)
        ]
        candidates = sorted({earlier for band in bands for earlier in buckets.get(band, ())})
        for earlier in candidates:
            value = jaccard(sets[earlier], sets[index])
            if value >= threshold:
                dropped.append(Dropped(row, NEARLY_SAME, f"{rows[earlier].id} ({value:.2f})"))
                break
        else:
            kept.append(row)
            for band in bands:
                buckets[band].append(index)
    return kept, dropped


def _compared(row: Row) -> str:
    return row.answer if row.task in OWN_TASKS else f"{user_text(row)}\n{row.answer}"


def _signatures(sets: Sequence[Shingles]) -> Iterator[NDArray[np.uint64]]:
    random = np.random.default_rng(0)
    # Products of two numbers below 2^31 stay within 64 bits.
    factors, offsets = random.integers(1, int(_PRIME), size=(2, HASHES, 1), dtype=np.uint64)
    numbers: dict[tuple[str, ...], int] = {}
    for found in sets:
        values = [numbers.setdefault(shingle, len(numbers) + 1) for shingle in found]
        # Scrambled after numbering, because MinHash needs neighbours to be far apart.
        hashes = np.array(values or [0], dtype=np.uint64) * np.uint64(2654435761) % _PRIME
        yield ((factors * hashes + offsets) % _PRIME).min(axis=1)


def _rows_per_band(threshold: float) -> int:
    def missed(rows: int) -> float:
        return float((1 - threshold**rows) ** (HASHES // rows))

    return max((rows for rows in range(1, HASHES) if missed(rows) <= MISSED), default=1)
