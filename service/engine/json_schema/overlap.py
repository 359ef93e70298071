"""Whether a value generated for one alternative of a `oneOf` may match another one, too."""

from collections.abc import Callable, Sequence

from service.engine.json_schema.constraints import EVERY_TYPE, Constraints, Node, type_of

# Of properties in properties; what is deeper counts as overlapping.
DEEPEST = 4
MOST_COMPARISONS = 30_000


class Comparison:
    """`alternatives` reads a node."""

    def __init__(self, alternatives: Callable[[Node], Sequence[Constraints]]) -> None:
        self._alternatives = alternatives
        self._left = MOST_COMPARISONS

    @property
    def is_exhausted(self) -> bool:
        """Everything counts as overlapping from then on."""
        return self._left < 0

    def may_overlap(self, one: Constraints, other: Constraints, depth: int = 0) -> bool:
        """True if it is not certain."""
        self._left -= 1
        if depth > DEEPEST or self.is_exhausted:
            return True
        types = EVERY_TYPE if other.types is None else other.types
        if one.values is not None:
            types &= EVERY_TYPE if one.types is None else one.types
            return any(
                type_of(value) in types and (other.values is None or name in other.values)
                for name, value in one.values.items()
            )
        shared = one.generated_types & types
        if other.values is not None:
            return any(type_of(value) in shared for value in other.values.values())
        return self._objects_overlap(one, other, depth) if shared == {"object"} else bool(shared)

    def _objects_overlap(self, one: Constraints, other: Constraints, depth: int) -> bool:
        further = one.further
        is_closed = further is None or not self._alternatives(further)
        if is_closed and not set(other.required) <= set(one.names):
            return False
        return all(
            self._nodes_overlap(one.property_node(name), other.property_node(name), depth + 1)
            for name in one.required
        )

    def _nodes_overlap(self, one: Node, other: Node, depth: int) -> bool:
        return any(
            self.may_overlap(ours, theirs, depth)
            for ours in self._alternatives(one)
            for theirs in self._alternatives(other)
        )
