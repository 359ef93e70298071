"""The page that the `type` of a problem leads to: what it means, and what to do."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.messages import Text
from service.web.errors import status_of_kind
from service.web.pages.responses import redirect, render

_MEANINGS: dict[type[errors.ServiceError], Text] = {
    errors.Unauthorised: Text(
        "The key is missing, withdrawn or too old. Send a valid one, or sign in."
    ),
    errors.Forbidden: Text(
        "The host name is not allowed, or a page of another site sent this. Nothing was changed."
    ),
    errors.KeyExpired: Text("The time of the key is over. Make a new one."),
    errors.PersonRemoved: Text("An owner removed the person. Ask for a new invitation."),
    errors.RoleNeeded: Text(
        "Your role does not allow this. The detail names the role; an owner can give it to you."
    ),
    errors.ScopeNeeded: Text(
        "The key does not allow this. The detail names the scope; make a key that has it."
    ),
    errors.InvitationGone: Text(
        "The invitation expired or was withdrawn. Ask whoever sent it for a new one."
    ),
    errors.NotFound: Text("What the address or a field names does not exist, or was deleted."),
    errors.UnknownIdeas: Text(
        "Some of the ideas do not exist. “errors” says which. Nothing was changed."
    ),
    errors.Conflict: Text(
        "It is not possible in the present state. The detail says what to do first."
    ),
    errors.PeopleFirst: Text(
        "People write first on this board. The model answers when a writing round has ended."
    ),
    errors.LostUpdate: Text(
        "Somebody changed it since you read it. Read it again, then change it."
    ),
    errors.BodyTooLarge: Text("The body is larger than the server accepts. Send less at once."),
    errors.InvalidInput: Text(
        "A field is missing or wrong. “errors” points at it. Nothing was changed."
    ),
    errors.InvalidFile: Text(
        "The file cannot be read. “errors” has the lines. Nothing was imported."
    ),
    errors.InvalidArchive: Text(
        "The file is not an export of Ideapool. “errors” points at what is wrong. Nothing was imported."
    ),
    errors.IdempotencyKeyReused: Text(
        "The Idempotency-Key belongs to another request. Nothing was changed. Use a new key."
    ),
    errors.RequestInProgress: Text(
        "The first request with this Idempotency-Key is still being answered. Send it again after the "
        "seconds in Retry-After."
    ),
    errors.LeaseLost: Text(
        "The server that performed the run lost the database for a while, and another one ended the "
        "run. Start it again."
    ),
    errors.PromptTooLong: Text(
        "The texts are longer than the model can read at once. Shorten them."
    ),
    errors.EngineCrashed: Text(
        "The model's process stopped or sent nonsense. It starts again; try again."
    ),
    errors.AnswerUnusable: Text(
        "No draft of the model could be used. Ask differently, or try again."
    ),
    errors.StorageUnavailable: Text(
        "The database cannot be reached or written. Nothing was changed."
    ),
    errors.TooManyStreams: Text(
        "As many pages and programs watch boards as the server allows. Try again after the seconds in "
        "Retry-After."
    ),
    errors.ModelUnavailable: Text(
        "The model is missing or broken. Ideas can still be read and written."
    ),
    errors.EngineBusy: Text("All places are taken. Try again after the seconds in Retry-After."),
    errors.DeadlineExceeded: Text(
        "It took longer than the server allows. Ask for less, or try again."
    ),
}
# Of errors that are none of our classes.
_OTHERS = {
    "method-not-allowed": (
        405,
        Text("The address takes other methods; the header Allow lists them."),
    ),
    "internal-error": (
        500,
        Text("Something unexpected went wrong in the server. Its log has the details."),
    ),
}
# Each `type`, with its status and what it means.
PROBLEMS: dict[str, tuple[int, Text]] = {
    errors.type_of(kind): (status_of_kind(kind), meaning) for kind, meaning in _MEANINGS.items()
} | _OTHERS
router = APIRouter(prefix="/problems")


@router.get("")
def show_problems(request: Request) -> Response:
    return render(
        request,
        "shared/problems.html",
        {"problems": dict(sorted(PROBLEMS.items(), key=lambda one: one[1][0]))},
    )


@router.get("/{kind}")
def show_problem(kind: str) -> Response:
    if kind not in PROBLEMS:
        raise errors.NotFound(Text("There is no problem of this type."))
    return redirect(f"/problems#{kind}")
