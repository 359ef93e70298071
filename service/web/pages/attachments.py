"""Routes for files on ideas: attach, describe and delete them. Files themselves are served by the API."""

from typing import Annotated

from fastapi import APIRouter, Form, Response
from pydantic import BaseModel

from service.messages import Text
from service.schemas.attachments import AltText, AttachmentUpdate
from service.web.attachment_files import UploadDep
from service.web.dependencies import StoreDep
from service.web.pages.responses import Flash, redirect

router = APIRouter()


class AltForm(BaseModel):
    alt: AltText = ""


@router.post("/ideas/{idea_id}/attachments")
def attach_file(idea_id: str, store: StoreDep, upload: UploadDep) -> Response:
    made = store.attachments.add(idea_id, upload.name, upload.content)
    attached = Text("“%(name)s” is attached.", name=made.name)
    return redirect(_address(idea_id), Flash(attached))


@router.get("/attachments/{attachment_id}")
def show_file(attachment_id: str, store: StoreDep) -> Response:
    """A file has no page of its own, so this redirects to its place below the idea."""
    return redirect(_address(store.attachments.get(attachment_id).idea_id))


@router.post("/attachments/{attachment_id}")
def describe_file(
    attachment_id: str, store: StoreDep, form: Annotated[AltForm, Form()]
) -> Response:
    saved = store.attachments.update(attachment_id, AttachmentUpdate(alt=form.alt))
    return redirect(_address(saved.idea_id), Flash(Text("Saved.")))


@router.post("/attachments/{attachment_id}/delete")
def delete_file(attachment_id: str, store: StoreDep) -> Response:
    gone = store.attachments.delete(attachment_id)
    deleted = Text("The file “%(name)s” is deleted.", name=gone.name)
    return redirect(_address(gone.idea_id), Flash(deleted, f"/attachments/{gone.id}/restore"))


@router.post("/attachments/{attachment_id}/restore")
def restore_file(attachment_id: str, store: StoreDep) -> Response:
    back = store.attachments.restore(attachment_id)
    restored = Text("The file “%(name)s” is back.", name=back.name)
    return redirect(_address(back.idea_id), Flash(restored))


def _address(idea_id: str) -> str:
    return f"/ideas/{idea_id}#files"
