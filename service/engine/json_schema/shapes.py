"""The parts of an object or array, in order, and how many of them there may be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from service.engine.json_schema.constraints import ANYTHING, Constraints, Node, Span
from service.engine.json_schema.keywords import check_repeats, refused


@dataclass(frozen=True)
class ObjectShape:
    """`properties` has (name, value, whether it is required).

    `further` is the value of additional properties, which have none of `names`.
    """

    pointer: str = field(compare=False)
    properties: tuple[tuple[str, Node, bool], ...]
    further: Node | None
    names: tuple[str, ...]
    count: Span

    @property
    def needs(self) -> tuple[Node, ...]:
        needed = [node for _, node, is_required in self.properties if is_required]
        return (
            *needed,
            *([self.further] if self.count.least > len(needed) and self.further else []),
        )


@dataclass(frozen=True)
class ArrayShape:
    """`rest` has the items after those of `prefix`."""

    pointer: str = field(compare=False)
    prefix: tuple[Node, ...]
    rest: Node | None
    count: Span

    @property
    def needs(self) -> tuple[Node, ...]:
        rest = self.rest is not None and self.count.least > len(self.prefix)
        return (*self.prefix[: self.count.least], *([self.rest] if rest and self.rest else []))


Shape = ObjectShape | ArrayShape
Read = Callable[[Node], Sequence[Constraints]]


def object_shape(constraints: Constraints, read: Read) -> ObjectShape | None:
    """None if no object is valid. `read` gives the alternatives of a node.

    Raises: InvalidInput for counts that cannot be enforced.
    """
    check_repeats(constraints.count, constraints.pointer, "minProperties", "maxProperties")
    properties = []
    for name in constraints.names:
        node, is_required = constraints.property_node(name), name in constraints.required
        if read(node):
            properties.append((name, node, is_required))
        elif is_required:
            return None
    further = (
        constraints.further
        if constraints.further is not None and read(constraints.further)
        else None
    )
    if constraints.count.is_empty or (
        further is None and len(properties) < constraints.count.least
    ):
        return None
    if further is None and len(properties) == constraints.count.least:
        properties = [(name, node, True) for name, node, _ in properties]
    needed = sum(is_required for *_, is_required in properties)
    return ObjectShape(
        constraints.pointer,
        tuple(properties),
        further,
        constraints.names,
        _count(constraints, len(properties) if further is None else None, needed),
    )


def _count(constraints: Constraints, listed: int | None, needed: int) -> Span:
    """The counts that are not satisfied anyway. `listed` is None if there may be others."""
    least, most = constraints.count.least, constraints.count.most
    if least > max(1, needed):
        raise refused(
            "minProperties", constraints.pointer, "may be 1 at most. Use `required` for more."
        )
    if most is not None and listed is not None and listed <= most:
        most = None
    if most is not None and constraints.names:
        raise refused(
            "maxProperties", constraints.pointer, "is beside listed properties. Remove it."
        )
    return Span(least, most)


def array_shape(constraints: Constraints, read: Read) -> ArrayShape | None:
    """None if no array is valid. All items of a prefix are required unless `minItems` is less."""
    check_repeats(constraints.items, constraints.pointer, "minItems", "maxItems")
    prefix, rest, least, most = (
        constraints.prefix,
        constraints.rest,
        constraints.items.least,
        constraints.items.most,
    )
    least = least or len(prefix)
    if rest is None and (not prefix or least > len(prefix)):
        most = most if not prefix else least
        rest = ANYTHING
    if rest is None or not read(rest):
        rest, most = None, min(len(prefix), len(prefix) if most is None else most)
    fitting = next((i for i, node in enumerate(prefix) if not read(node)), None)
    if fitting is not None:
        most = fitting if most is None else min(most, fitting)
    if most is not None:
        prefix = prefix[:most]
        least = min(least, most) if not constraints.items.least else least
        if least > most:
            return None
    return ArrayShape(constraints.pointer, prefix, rest, Span(least, most))
