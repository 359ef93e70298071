"""Numbers within bounds, digit by digit, as GBNF expressions."""

from dataclasses import dataclass
from decimal import Decimal

# Digits before the point where no bound asks for more.
MOST_DIGITS = 16
# A double tells apart all decimals of so many significant digits.
EXACT_DIGITS = 15


@dataclass(frozen=True)
class Bound:
    value: Decimal
    is_exclusive: bool = False


def integers(low: Bound | None, high: Bound | None) -> str | None:
    """All integers within the bounds; None if there are none."""
    least = None if low is None else _next_integer(low, 1)
    most = None if high is None else _next_integer(high, -1)
    most_digits = max([MOST_DIGITS, *(len(str(abs(one))) for one in (least, most) if one)])
    if least is None:
        least = 1 - 10**most_digits
    if most is None:
        most = 10**most_digits - 1
    options = []
    if least < 0 and least <= most:
        options.append(f'"-" ({_naturals(max(1, -most), -least)})')
    if max(least, 0) <= most:
        options.append(_naturals(max(least, 0), most))
    return " | ".join(options) or None


def decimals(low: Bound | None, high: Bound | None) -> str | None:
    """Numbers within the bounds, without an exponent; None if there are none."""
    zero = Bound(Decimal(0))
    options = []
    if low is None or low.value < 0:
        above_zero = Bound(Decimal(0), is_exclusive=True)
        nearest = _negated(high) if high is not None and high.value < 0 else above_zero
        magnitude = _magnitude(nearest, None if low is None else _negated(low))
        options += [f'"-" ({magnitude})'] if magnitude else []
    if high is None or high.value >= 0:
        nearest = low if low is not None and low.value >= 0 else zero
        magnitude = _magnitude(nearest, high)
        options += [magnitude] if magnitude else []
    return " | ".join(options) or None


def _next_integer(bound: Bound, step: int) -> int:
    """The first integer within a bound: upwards with the step 1, downwards with -1."""
    nearest = int(bound.value.to_integral_value("ROUND_CEILING" if step > 0 else "ROUND_FLOOR"))
    return nearest + step if bound.is_exclusive and nearest == bound.value else nearest


def _negated(bound: Bound) -> Bound:
    return Bound(bound.value.copy_negate(), bound.is_exclusive)


def _naturals(low: int, high: int) -> str:
    """`low` is at least 0."""
    options = []
    while low <= high:
        digits = len(str(low))
        if low == 10 ** (digits - 1) and len(str(high + 1)) > digits and low > 0:
            # All numbers of so many digits, and of more where they are all in the range.
            most = len(str(high + 1)) - 1
            options.append(
                "[1-9]" + (f" {_times('[0-9]', digits - 1, most - 1)}" if most > 1 else "")
            )
            low = 10**most
            continue
        last = min(high, 10**digits - 1)
        options.append(_alike(str(low), str(last)))
        low = last + 1
    return " | ".join(options)


def _alike(low: str, high: str) -> str:
    """The numbers from `low` to `high`, which have equally many digits."""
    if low == high:
        return f'"{low}"'
    rest = len(low) - 1
    first, last = int(low[0]), int(high[0])
    if not rest:
        return f"[{first}-{last}]"
    if first == last:
        return f'"{first}" ({_alike(low[1:], high[1:])})'
    options = []
    if low[1:].strip("0"):
        options.append(f'"{first}" ({_alike(low[1:], "9" * rest)})')
        first += 1
    edge = []
    if high[1:].strip("9"):
        edge.append(f'"{last}" ({_alike("0" * rest, high[1:])})')
        last -= 1
    if first <= last:
        options.append(f"[{first}-{last}] {_times('[0-9]', rest, rest)}")
    return " | ".join(options + edge)


def _times(text: str, least: int, most: int) -> str:
    if least == most:
        return text if least == 1 else f"{text}{{{least}}}"
    return f"{text}{{{least},{most}}}"


def _magnitude(low: Bound, high: Bound | None) -> str | None:
    """Numbers from 0 up; both bounds are at least 0."""
    first, low_digits = _split(low.value)
    last, high_digits = 10 ** max(MOST_DIGITS, len(str(first))), ""
    if high is not None:
        last, high_digits = _split(high.value)
    places = max(
        EXACT_DIGITS - len(str(first if high is None else last)),
        len(low_digits) + 1,
        len(high_digits) + 1,
    )
    at_least, at_most = (low_digits, low.is_exclusive), None
    if high is not None:
        at_most = (high_digits, high.is_exclusive)
        if first > last:
            return None
        if first == last:
            return _with_fraction(f'"{first}"', at_least, at_most, places)
    options = [_with_fraction(f'"{first}"', at_least, None, places)]
    if first + 1 < last:
        options.append(_with_fraction(f"({_naturals(first + 1, last - 1)})", None, None, places))
    if high is not None:
        options.append(_with_fraction(f'"{last}"', None, at_most, places))
    return " | ".join(option for option in options if option) or None


def _split(value: Decimal) -> tuple[int, str]:
    """The whole part, and the digits after the point without zeros at the end."""
    whole, _, fraction = f"{value:f}".partition(".")
    return int(whole), fraction.rstrip("0")


# Digits after the point that are the least or the most, and whether they themselves are barred.
Edge = tuple[str, bool]


def _with_fraction(whole: str, low: Edge | None, high: Edge | None, places: int) -> str | None:
    digits, may_be_absent = _fraction(low, high, places)
    if digits is None:
        return whole if may_be_absent else None
    return f'{whole} ("." ({digits}))' + ("?" if may_be_absent else "")


def _fraction(low: Edge | None, high: Edge | None, places: int) -> tuple[str | None, bool]:
    """Digits within the edges, at least one, and whether no digits at all are within them, too.

    Without `high`, the largest fraction is below the next whole number.
    """
    if low == ("", False):
        low = None
    if high is not None and not high[0]:
        none_fits = low is not None or high[1]
        digits = None if none_fits or places < 1 else _times('"0"', 1, places)
        return digits, not none_fits
    may_be_absent = low is None
    if places < 1:
        return None, may_be_absent
    if low is None and high is None:
        return _times("[0-9]", 1, places), True
    if low == ("", True) and high is None:
        return _more_than_zero(places), False
    return _edges(low, high, places), may_be_absent


def _more_than_zero(places: int) -> str:
    if places == 1:
        return "[1-9]"
    zeros = _times('"0"', 0, places - 1)
    return f"{zeros} [1-9] {_times('[0-9]', 0, places - 1)}"


def _edges(low: Edge | None, high: Edge | None, places: int) -> str | None:
    first = int(low[0][:1] or "0") if low is not None else 0
    last = int(high[0][0]) if high is not None else 9
    options = []
    if low is not None and high is not None and first == last:
        return _after(first, (low[0][1:], low[1]), (high[0][1:], high[1]), places)
    if low is not None:
        options.append(_after(first, (low[0][1:], low[1]), None, places))
        first += 1
    if high is not None:
        options.append(_after(last, None, (high[0][1:], high[1]), places))
        last -= 1
    if first <= last:
        options.append(_after_range(first, last, places))
    return " | ".join(option for option in options if option) or None


def _after(digit: int, low: Edge | None, high: Edge | None, places: int) -> str | None:
    digits, may_be_absent = _fraction(low, high, places - 1)
    if digits is None:
        return f'"{digit}"' if may_be_absent else None
    return f'"{digit}" ({digits})' + ("?" if may_be_absent else "")


def _after_range(first: int, last: int, places: int) -> str:
    digits = f"[{first}-{last}]"
    return digits if places == 1 else f"{digits} {_times('[0-9]', 0, places - 1)}"
