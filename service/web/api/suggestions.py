"""Suggestions over REST: kept as they are or edited, one or many, discarded, avoided, taken back."""

from fastapi import APIRouter, Response, status

from service.schemas.brainstorm import SuggestionKeep, SuggestionPublic, SuggestionsKeep
from service.schemas.ideas import IdeaPublic
from service.web.api.shared import Id, problems, tag
from service.web.dependencies import StoreDep

router = APIRouter(tags=["suggestions"])


@router.post(
    "/suggestions/{suggestion_id}/keep",
    operation_id="keepSuggestion",
    summary="Make a suggestion an idea",
    description="The body may give it another title or text: then the idea's first version is the "
    "model's and names the run, the second one is yours. Keeping twice makes one idea: the second "
    "time answers 200 with it.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409)
    | {200: {"model": IdeaPublic, "description": "It was kept before; this is the idea."}},
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
    summary="Make ideas of a brainstorm's suggestions, of those named or all open ones",
    description="Answers with the new ideas; what was kept before is not among them.",
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
    summary="Put a suggestion aside",
    responses=problems(404, 409),
)
def discard_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.suggestions.discard(suggestion_id)


@router.post(
    "/suggestions/{suggestion_id}/avoid",
    operation_id="avoidSuggestion",
    summary="Put a suggestion aside, and draw less like it",
    description="When its run's question is asked again with a new seed (`repeat`, `redraw`), what "
    "resembles it is drawn again. `avoid` of a brainstorm does the same for any text.",
    responses=problems(404, 409),
)
def avoid_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.suggestions.avoid(suggestion_id)


@router.post(
    "/suggestions/{suggestion_id}/reopen",
    operation_id="reopenSuggestion",
    summary="Take a discard back",
    responses=problems(404, 409),
)
def reopen_suggestion(suggestion_id: Id, store: StoreDep) -> SuggestionPublic:
    return store.suggestions.reopen(suggestion_id)
