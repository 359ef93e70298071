"""Where an idea comes from, as the store returns it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """One idea and its sources. `number` orders ideas by creation."""

    id: str
    number: int
    title: str
    status: str
    parent_id: str | None = None
    also_from: tuple[str, ...] = ()
    is_deleted: bool = False

    @property
    def parents(self) -> tuple[str, ...]:
        return self.also_from if self.parent_id is None else (self.parent_id, *self.also_from)
