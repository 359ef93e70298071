"""Parts that several API routes share: entity tags, links, files and descriptions of errors."""

import zlib
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Header, Path, Query, Request, Response

from service.schemas.comments import CommentPublic
from service.schemas.evaluation import RubricPublic
from service.schemas.ideas import IdeaPublic
from service.store.cursors import Page, PageOf

# An `If-Match` that is not one of our tags cannot be the current one, so it leads to 412.
NO_REVISION = -1


def _wanted_revision(
    if_match: Annotated[
        str | None,
        Header(
            max_length=200,
            description='The `ETag` that you read, such as `"3"`. 412 if it is out of date.',
        ),
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    tag, _, _ = if_match.strip().removeprefix("W/").strip('"').partition("-")
    return int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else NO_REVISION


RevisionDep = Annotated[int | None, Depends(_wanted_revision)]
Tagged = TypeVar("Tagged", IdeaPublic, RubricPublic, CommentPublic)
Id = Annotated[str, Path(min_length=1, max_length=64)]
ForGood = Annotated[
    bool,
    Query(description="Permanently deletes something that is in the trash. This cannot be undone."),
]

Cursor = Annotated[
    str | None,
    Query(max_length=2000, description="The place where a page begins, from the `Link` header."),
]
Limit = Annotated[
    int, Query(ge=1, le=1000, description="The largest number of items in the answer.")
]
Item = TypeVar("Item")


def tag(response: Response, thing: Tagged) -> Tagged:
    response.headers["ETag"] = f'"{thing.revision}{_reactions_mark(thing)}"'
    return thing


def _reactions_mark(thing: object) -> str:
    """Tells apart what changes an idea's answer but is nobody's edit of it, so that it is no conflict."""
    if not isinstance(thing, IdeaPublic):
        return ""
    others = (thing.likes, thing.liked, thing.comments, thing.author and thing.author.name)
    return f"-{zlib.crc32(repr(others).encode()):08x}" if any(others) else ""


def link_next(request: Request, response: Response, page: Page[Item]) -> list[Item]:
    """The items of the page. The `Link` header (RFC 8288) leads to the next page, if there is one."""
    if page.cursor is not None:
        fields = [field for field in request.query_params.multi_items() if field[0] != "cursor"]
        query = urlencode([*fields, ("cursor", page.cursor)])
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return page.items


@dataclass(frozen=True, slots=True)
class Paging:
    """The page that a request asks for."""

    request: Request
    response: Response
    wanted: PageOf

    def items(self, page: Page[Item]) -> list[Item]:
        return link_next(self.request, self.response, page)


async def _paging(
    request: Request, response: Response, cursor: Cursor = None, limit: Limit = 100
) -> Paging:
    return Paging(request, response, PageOf(limit, cursor))


PagingDep = Annotated[Paging, Depends(_paging)]


def file(content: str, media_type: str, name: str) -> Response:
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for a route's own errors; `openapi` adds those that every route has."""
    return {status: {"description": _MEANINGS[status]} for status in statuses}


def links(
    status: int, id_field: str, *same: str, **operations: str
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI links to the operations that take `id_field` of the answer as a parameter.

    `operations` maps each operation to that parameter's name. `same` are other fields of the
    answer that the operations take as parameters of the same name.
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
    200: {
        "headers": {
            "Link": {
                "description": 'The address of the next page, with `rel="next"`; the last page has '
                "none.",
                "schema": {"type": "string"},
            }
        }
    }
}
_MEANINGS = {
    404: "It does not exist or was deleted.",
    409: "Its current state does not allow this.",
    412: "Somebody else changed it since you read it.",
    502: "The model failed or wrote nothing usable.",
    503: "The model is missing or busy. If it is busy, `Retry-After` says when to try again.",
    504: "The run was not finished within the time limit.",
}
