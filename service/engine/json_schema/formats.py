"""Named formats of strings and numbers: what of them is written, and its lengths or bounds.

Every text is valid in its format. Not all valid texts are here: years have four digits, addresses
of the web begin with http, addresses of IPv6 are not shortened.
"""

from decimal import Decimal

from service.engine.json_schema.numbers import Bound
from service.engine.json_schema.patterns import StringRule

_FOURTH_YEAR = '("0" [48] | [2468] [048] | [13579] [26])'
_LEAP_YEAR = f'([1-9] [0-9] {_FOURTH_YEAR} | ([2468] [048] | [13579] [26]) "00")'
_TO_28 = '("0" [1-9] | "1" [0-9] | "2" [0-8])'
_DATE = (
    f'([1-9] [0-9]{{3}} "-" (("0" [13-9] | "1" [0-2]) "-" ({_TO_28} | "29" | "30")'
    f' | ("0" [13578] | "1" [02]) "-31" | "02-" {_TO_28}) | {_LEAP_YEAR} "-02-29")'
)
_CLOCK = '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9]'
_TIME = f'{_CLOCK} ":" [0-5] [0-9] ("." [0-9]{{1,6}})? ("Z" | [+\\x2d] {_CLOCK})'
_SECONDS = '[0-9]{1,4} "S"'
_MINUTES = f'[0-9]{{1,4}} "M" ({_SECONDS})?'
_HOURS = f'[0-9]{{1,4}} "H" ({_MINUTES})?'
_SPAN = f'"T" ({_HOURS} | {_MINUTES} | {_SECONDS})'
_HEX = "[0-9a-fA-F]"
_OCTET = '("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9]{2} | [1-9]? [0-9])'
_LABEL = "[a-z0-9] ([a-z0-9\\x2d]{0,20} [a-z0-9])?"
_HOST = f'({_LABEL} "."){{1,3}} [a-z]{{2,12}}'
_MAILBOX = "[A-Za-z0-9_+\\x2d]{1,30}"
_PATH = "[A-Za-z0-9_.~/?=&\\x2d]{0,200}"

TEXTS = {
    "date": StringRule(_DATE, 10, 10),
    "time": StringRule(_TIME, 9, 21),
    "date-time": StringRule(f'{_DATE} "T" {_TIME}', 20, 32),
    "duration": StringRule(f'"P" ([0-9]{{1,4}} "D" ({_SPAN})? | {_SPAN})', 3, 22),
    "uuid": StringRule(f'{_HEX}{{8}} ("-" {_HEX}{{4}}){{3}} "-" {_HEX}{{12}}', 36, 36),
    "email": StringRule(f'{_MAILBOX} ("." {_MAILBOX})? "@" {_HOST}', 6, 143),
    "hostname": StringRule(_HOST, 4, 81),
    "ipv4": StringRule(f'{_OCTET} ("." {_OCTET}){{3}}', 7, 15),
    "ipv6": StringRule(f'{_HEX}{{1,4}} (":" {_HEX}{{1,4}}){{7}}', 15, 39),
    "uri": StringRule(f'"http" "s"? "://" {_HOST} ("/" {_PATH})?', 11, 290),
}
_LARGEST_FLOAT = Decimal("3.4028234e38")


def _integers(bits: int, *, is_signed: bool) -> tuple[Bound, Bound]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    return Bound(Decimal(low)), Bound(Decimal(high))


def number_format(name: str) -> tuple[Bound | None, Bound | None] | None:
    """The bounds of a format of numbers, as OpenAPI and generators of schemas name them."""
    if name == "double":
        return None, None
    if name == "float":
        return Bound(-_LARGEST_FLOAT), Bound(_LARGEST_FLOAT)
    kind, bits = name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]
    if kind in ("int", "uint") and bits in ("8", "16", "32", "64"):
        return _integers(int(bits), is_signed=kind == "int")
    return None
