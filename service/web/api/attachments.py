"""Routes for files on ideas: attach, list, describe, read and delete them."""

from typing import Annotated

from fastapi import APIRouter, Header, Response, status

from service.schemas.attachments import AttachmentPublic, AttachmentUpdate
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, links, problems
from service.web.attachment_files import UploadDep, file_response
from service.web.dependencies import StoreDep

router = APIRouter(tags=["attachments"], route_class=KeyedRoute)
_ID = "attachment_id"
_CONTENT = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/ideas/{idea_id}/attachments",
    operation_id="listAttachments",
    summary="List the files on an idea, oldest first",
    responses=problems(404) | NEXT_PAGE,
)
def list_attachments(idea_id: Id, store: StoreDep, paging: PagingDep) -> list[AttachmentPublic]:
    return paging.items(store.attachments.page(idea_id, paging.wanted))


@router.post(
    "/ideas/{idea_id}/attachments",
    operation_id="createAttachment",
    summary="Attach a file to an idea",
    description="Send the file as the field `file` of a form (`multipart/form-data`). Its type is told "
    "from its content: images (PNG, JPEG, GIF, WebP), PDF, text in UTF-8, and documents of Office and "
    "LibreOffice without macros are stored. Where a photo was taken, and by what, is removed from JPEG, "
    "PNG and WebP. `markdown` of the answer shows the file in the text of the idea.",
    status_code=status.HTTP_201_CREATED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": _CONTENT["schema"]},
                    }
                }
            },
        }
    },
    responses=problems(404, 409)
    | links(
        201,
        "id",
        getAttachment=_ID,
        getAttachmentContent=_ID,
        updateAttachment=_ID,
        deleteAttachment=_ID,
    ),
)
def create_attachment(
    idea_id: Id, store: StoreDep, upload: UploadDep, response: Response
) -> AttachmentPublic:
    made = store.attachments.add(idea_id, upload.name, upload.content)
    response.headers["Location"] = f"/api/v1/attachments/{made.id}"
    return made


@router.get(
    "/attachments/{attachment_id}",
    operation_id="getAttachment",
    summary="Get what is known of a file on an idea",
    responses=problems(404),
)
def get_attachment(attachment_id: Id, store: StoreDep) -> AttachmentPublic:
    return store.attachments.get(attachment_id)


@router.get(
    "/attachments/{attachment_id}/content",
    operation_id="getAttachmentContent",
    summary="Get a file on an idea itself",
    description="Images are shown by browsers, all other files are only downloaded. A file never "
    "changes, so it may be kept for as long as the client likes.",
    response_class=Response,
    responses=problems(404)
    | {
        200: {"description": "The file, as its `media_type`.", "content": {"*/*": _CONTENT}},
        304: {"description": "The client has the file already."},
    },
)
def get_attachment_content(
    attachment_id: Id,
    store: StoreDep,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    return file_response(*store.attachments.content(attachment_id), if_none_match)


@router.patch(
    "/attachments/{attachment_id}",
    operation_id="updateAttachment",
    summary="Say what an image shows",
    responses=problems(404),
)
def update_attachment(
    attachment_id: Id, shape: AttachmentUpdate, store: StoreDep
) -> AttachmentPublic:
    return store.attachments.update(attachment_id, shape)


@router.delete(
    "/attachments/{attachment_id}",
    operation_id="deleteAttachment",
    summary="Delete a file from an idea",
    description="`restore` undoes it for a day; then the file is deleted for good.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def delete_attachment(attachment_id: Id, store: StoreDep) -> None:
    store.attachments.delete(attachment_id)


@router.post(
    "/attachments/{attachment_id}/restore",
    operation_id="restoreAttachment",
    summary="Undo the deletion of a file",
    responses=problems(404),
)
def restore_attachment(attachment_id: Id, store: StoreDep) -> AttachmentPublic:
    return store.attachments.restore(attachment_id)
