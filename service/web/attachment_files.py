"""Files on ideas as requests bring them and responses give them.

Whoever wrote a file must not be able to run anything in the name of this server: the type is never
guessed by a browser, only images are shown, and even those in a sandbox that loads nothing.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response, status
from starlette.datastructures import UploadFile

from service.errors import InvalidInput
from service.file_types.names import disposition
from service.messages import Text
from service.schemas.attachments import AttachmentPublic

# Whoever may not see a file any more has seen it before, so a browser may keep it.
_KEPT = "private, max-age=31536000, immutable"
_CSP = "sandbox; default-src 'none'"


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    content: bytes


async def _upload(request: Request) -> Upload:
    """The file in the field `file` of a form.

    Read here and not by FastAPI, which would leave no body for an `Idempotency-Key` to identify.
    """
    await request.body()
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidInput(Text("Choose a file."), pointer="/file")
        return Upload(file.filename, await file.read())


UploadDep = Annotated[Upload, Depends(_upload)]


def file_response(file: AttachmentPublic, content: bytes, known: str | None) -> Response:
    """`known` is the entity tag of the file that the client has."""
    headers = {
        "ETag": f'"{file.sha256}"',
        "Cache-Control": _KEPT,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _CSP,
        "Content-Disposition": disposition(file.name, is_inline=file.is_image),
    }
    if known is not None and headers["ETag"] in known:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(content, media_type=file.media_type, headers=headers)
