"""The questions to the grammar process and its replies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Open:
    """Begin to follow a grammar, or the grammar of a schema, after these tokens."""

    source: str
    is_schema: bool
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Advance:
    """Advance by a token if it is allowed; the reply says whether it is."""

    token: int


@dataclass(frozen=True, slots=True)
class Restrict:
    """Which of these tokens may come next?"""

    tokens: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Close:
    """Has no reply."""


@dataclass(frozen=True, slots=True)
class Refused:
    detail: str


Ask = Open | Advance | Restrict | Close
Reply = bool | NDArray[np.bool_] | Refused
