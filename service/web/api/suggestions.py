"""Routes for suggestions: keep one or many, discard, avoid and reopen them."""

from fastapi import APIRouter, Response, status

from service.schemas.brainstorm import SuggestionKeep, SuggestionPublic, SuggestionsKeep
from service.schemas.ideas import IdeaPublic
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import Id, problems, tag
from service.web.dependencies import StoreDep

router = APIRouter(tags=["suggestions"], route_class=KeyedRoute)


@router.post(
    "/suggestions/{suggestion_id}/keep",
    operation_id="keepSuggestion",
    summary="Keep a suggestion as an idea",
    description="If the body has another title or text, the idea gets two versions: the model's, "
    "with the id of the run, and then yours. Keeping a suggestion twice makes only one idea; the "
    "second call returns it with 200.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409)
    | {200: {"model": IdeaPublic, "description": "The idea; the suggestion was already kept."}},
)
def keep_suggestion(
    suggestion_id: Id, store: StoreDep, response: Response, shape: SuggestionKeep | None = None
) -> IdeaPublic:
    shape = shape or SuggestionKeep()
    idea, is_new = store.suggestions.keep(suggestion_id, title=shape.title, body=shape.body)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    response.headers["Location"] = f"/api/v1/ideas/{idea.id}"
    return tag(response, idea)


@router.post(
    "/runs/{run_id}/keep",
    operation_id="keepSuggestions",
    summary="Keep the given suggestions of a brainstorm, or all open ones, as ideas",
    description="Returns the new ideas, without those kept before.",
    responses=problems(404, 409),
)
def keep_suggestions(
    run_id: Id, store: StoreDep, shape: SuggestionsKeep | None = None
) -> list[IdeaPublic]:
    store.runs.get(run_id)
    return store.suggestions.keep_many(run_id, shape.suggestion_ids if shape else None)


@router.post(
    "/suggestions/{suggestion_id}/discard",
    operation_id="discardSuggestion",
    summary="Discard a suggestion",
    responses=problems(404, 409),
)
def discard_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.suggestions.discard(suggestion_id)


@router.post(
    "/suggestions/{suggestion_id}/avoid",
    operation_id="avoidSuggestion",
    summary="Discard a suggestion and avoid similar ones",
    description="If its run is repeated or redrawn with a new seed, drafts similar to this "
    "suggestion are rejected and drawn again. The field `avoid` of a brainstorm does the same for "
    "any text.",
    responses=problems(404, 409),
)
def avoid_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.suggestions.avoid(suggestion_id)


@router.post(
    "/suggestions/{suggestion_id}/reopen",
    operation_id="reopenSuggestion",
    summary="Undo the discarding of a suggestion",
    responses=problems(404, 409),
)
def reopen_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.suggestions.reopen(suggestion_id)
