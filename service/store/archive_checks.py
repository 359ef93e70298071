"""Checks that an archive is consistent: its references, ids, versions and ancestors."""

from collections.abc import Iterable
from typing import Any

from service.errors import InvalidInput
from service.messages import Text
from service.schemas.archive import Archive, IdeaRow
from service.schemas.imports import Counts

Ids = dict[str, set[str]]
# Section -> column -> the section it refers to.
REFERENCES: dict[str, dict[str, str]] = {
    "ideas": {"board_id": "boards", "parent_id": "ideas", "person_id": "people"},
    "runs": {"board_id": "boards", "idea_id": "ideas", "person_id": "people"},
    "versions": {"idea_id": "ideas", "run_id": "runs", "person_id": "people"},
    "suggestions": {
        "run_id": "runs",
        "similar_to": "ideas",
        "idea_id": "ideas",
        "redrawn_in": "runs",
        "copied_from": "ideas",
    },
    "rubrics": {"board_id": "boards"},
    "evaluations": {"run_id": "runs", "idea_id": "ideas", "rubric_id": "rubrics"},
    "comparisons": {
        "board_id": "boards",
        "first_id": "ideas",
        "second_id": "ideas",
        "run_id": "runs",
        "person_id": "people",
    },
    "likes": {"idea_id": "ideas", "person_id": "people"},
    "comments": {"idea_id": "ideas", "person_id": "people"},
    "attachments": {"idea_id": "ideas"},
}

# The fields that tell the rows of a section apart, where that is not the id.
_IDENTIFYING = {"versions": ("idea_id", "number"), "likes": ("idea_id", "person_id")}


def check_references(archive: Archive, known: Ids) -> None:
    ids = {
        name: known[name] | {row_key(name, row) for row in getattr(archive, name)} for name in known
    }
    for name, references in REFERENCES.items():
        for place, row in enumerate(getattr(archive, name)):
            for field, target in references.items():
                value = getattr(row, field)
                if value is not None and value not in ids[target]:
                    what = Text(
                        "The %(kind)s %(id)s is neither on this server nor in the file.",
                        kind="person" if target == "people" else target.removesuffix("s"),
                        id=value,
                    )
                    raise _refused(name, place, field, what)


def check_unique(archive: Archive) -> None:
    for name in Counts.model_fields:
        seen: set[object] = set()
        for place, row in enumerate(getattr(archive, name)):
            fields = _IDENTIFYING.get(name, ("id",))
            key = tuple(getattr(row, field) for field in fields)
            if key in seen:
                raise _refused(name, place, fields[-1], Text("It is in the file twice."))
            seen.add(key)


def check_versions(archive: Archive) -> None:
    newest = {idea.id: idea.version for idea in archive.ideas}
    for place, row in enumerate(archive.versions):
        if row.number > newest.get(row.idea_id, row.number):
            raise _refused("versions", place, "number", Text("The idea has no such version."))
    for place, compared in enumerate(archive.comparisons or ()):
        for side in ("first", "second"):
            version = getattr(compared, f"{side}_version")
            if version > newest.get(getattr(compared, f"{side}_id"), version):
                what = Text("The idea has no such version.")
                raise _refused("comparisons", place, f"{side}_version", what)


def check_ancestors(ideas: Iterable[IdeaRow]) -> None:
    rows = {row.id: (place, row.parent_id) for place, row in enumerate(ideas)}
    settled: set[str] = set()
    for start in rows:
        path: set[str] = set()
        here: str | None = start
        while here in rows and here not in settled:
            path.add(here)
            place, here = rows[here]
            if here in path:
                raise _refused("ideas", place, "parent_id", Text("The idea is its own ancestor."))
        settled |= path


def _refused(name: str, place: int, field: str, what: str) -> InvalidInput:
    pointer = f"/{name}/{place}/{field}"
    return InvalidInput(
        Text("%(pointer)s: %(what)s Nothing was imported.", pointer=pointer, what=what),
        pointer=pointer,
    )


def named_people(archive: Archive) -> set[str]:
    """The ids of the people whom it adds, or says to have made something."""
    sections = [name for name, targets in REFERENCES.items() if "person_id" in targets]
    makers = {row.person_id for name in sections for row in getattr(archive, name)}
    return {one.id for one in archive.people or ()} | makers - {None}


def row_key(name: str, row: Any) -> str:
    """Returns the id that decides whether the row exists already."""
    if name == "likes":
        return like_key(row.idea_id, row.person_id or "")
    return str(row.idea_id if name == "versions" else row.id)


def like_key(idea_id: str, liker: str) -> str:
    return f"{idea_id} {liker}"
