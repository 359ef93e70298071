"""The route that hands one idea over to another tool."""

from typing import Literal

from fastapi import APIRouter, Response

from service.schemas.handover import HandOver
from service.transfer.handover import hand_over, idea_markdown
from service.web.api.shared import Id, file, problems
from service.web.dependencies import OriginDep, StoreDep

router = APIRouter(prefix="/ideas", tags=["transfer"])


@router.get(
    "/{idea_id}/export",
    operation_id="exportIdea",
    summary="Hand an idea over as a file",
    description="Title, text, tags, the newest scores and how they were made, lineage, author and "
    "link, as Markdown for people or as JSON. `GET /ideas/{idea_id}` with `Accept: text/markdown` "
    "answers with the same Markdown.",
    response_model=HandOver,
    responses=problems(404)
    | {
        200: {
            "description": "The file.",
            "content": {"text/markdown": {"schema": {"type": "string"}}},
        }
    },
)
def export_idea(
    idea_id: Id,
    store: StoreDep,
    origin: OriginDep,
    format: Literal["json", "markdown"] = "json",
) -> Response:
    handed = hand_over(store, idea_id, origin)
    if format == "markdown":
        return file(idea_markdown(handed), "text/markdown", f"idea-{idea_id[:8]}.md")
    return file(handed.model_dump_json(indent=2), "application/json", f"idea-{idea_id[:8]}.json")
