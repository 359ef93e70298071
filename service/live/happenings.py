"""What a watcher of a board gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from service.schemas.people import PersonPublic


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened on the board; the fields are those of the activity."""

    number: int
    kind: str
    subject_id: str
    person: PersonPublic | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Here:
    """Those at the board who have a name, in the order of their names.

    The first one of a stream has the number of the change that the stream begins after.
    """

    people: tuple[PersonPublic, ...] = ()
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """What the watcher missed is not kept any more, or is too much: it must load the board again."""

    number: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing happened for a while; tells the watcher that the connection lives."""


Happening = Change | Here | Reset | Quiet


def named(ids: frozenset[str], names: Mapping[str, str]) -> Here:
    people = [PersonPublic(id=one, name=names[one]) for one in ids if one in names]
    return Here(tuple(sorted(people, key=lambda one: (one.name.casefold(), one.id))))
