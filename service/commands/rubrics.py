"""Which rubric of an idea's board a command means, by its name or id."""

from service.commands.rest import Rest
from service.errors import InvalidInput


async def rubric_id(rest: Rest, idea_id: str, name: str | None) -> str | None:
    """Raises: InvalidInput where no rubric of the board is called so."""
    if name is None:
        return None
    idea = await rest.get(f"/ideas/{idea_id}")
    rubrics = await rest.get(f"/boards/{idea['board_id']}/rubrics")
    for one in rubrics:
        if one["id"] == name or one["name"].casefold() == name.casefold():
            return str(one["id"])
    known = ", ".join(repr(one["name"]) for one in rubrics) or "none"
    raise InvalidInput(f"The idea's board has no rubric {name!r}; there are: {known}.")
