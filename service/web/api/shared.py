"""What several API routes need: entity tags, links, how errors are described."""

from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Header, Path, Query, Request, Response

from service.schemas.evaluation import RubricPublic
from service.schemas.ideas import IdeaPublic

# 412 for anything that is not one of our tags: it cannot be the current one.
NO_REVISION = -1


def _wanted_revision(
    if_match: Annotated[
        str | None,
        Header(
            max_length=200,
            description='The `ETag` you read, like `"3"`: refuses with 412 if it is out of date.',
        ),
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    tag = if_match.strip().removeprefix("W/").strip('"')
    return int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else NO_REVISION


RevisionDep = Annotated[int | None, Depends(_wanted_revision)]
Tagged = TypeVar("Tagged", IdeaPublic, RubricPublic)
Id = Annotated[str, Path(min_length=1, max_length=64)]
ForGood = Annotated[
    bool,
    Query(description="Deletes for good what is in the trash. Nothing brings it back then."),
]


def tag(response: Response, thing: Tagged) -> Tagged:
    response.headers["ETag"] = f'"{thing.revision}"'
    return thing


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """RFC 8288: where the next page is, if there is one."""
    if cursor is not None:
        fields = [field for field in request.query_params.multi_items() if field[0] != "cursor"]
        query = urlencode([*fields, ("cursor", cursor)])
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'


def file(content: str, media_type: str, name: str) -> Response:
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors a route may answer with beside those that any may (see `openapi`)."""
    return {status: {"description": _MEANINGS[status]} for status in statuses}


def links(
    status: int, id_field: str, *same: str, **operations: str
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI links: which operations take the id this answer gives, and as which parameter.

    `same` are further fields that they take under their own names.
    """
    return {
        status: {
            "links": {
                operation: {
                    "operationId": operation,
                    "parameters": {parameter: f"$response.body#/{id_field}"}
                    | {name: f"$response.body#/{name}" for name in same},
                }
                for operation, parameter in operations.items()
            }
        }
    }


NEXT_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"Link": {"description": "The next page.", "schema": {"type": "string"}}}}
}
_MEANINGS = {
    404: "There is no such thing, or it was deleted.",
    409: "It is not in a state that allows this.",
    412: "Somebody else changed it since you read it.",
    502: "The model failed, or wrote nothing that can be used.",
    503: "No model, or all of them busy: `Retry-After` says when to try again.",
    504: "Not done in the time a run may take.",
}
