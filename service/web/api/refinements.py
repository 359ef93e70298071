"""Routes for refinements: list their edits, accept or reject them, and compare versions."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.schemas.fields import Version
from service.schemas.ideas import IdeaPublic
from service.schemas.refinement import Acceptance, ComparisonOfVersions, EditsPublic
from service.schemas.runs import RunPublic
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import Id, RevisionDep, problems, tag
from service.web.dependencies import StoreDep

router = APIRouter(route_class=KeyedRoute)


@router.get(
    "/runs/{run_id}/edits",
    operation_id="listEdits",
    summary="List a refinement's edits of the idea's current text",
    description="The numbers are those of `edits` in the answer, unless the text has changed "
    "since.",
    responses=problems(404, 409),
    tags=["runs"],
)
def list_edits(run_id: Id, store: StoreDep) -> EditsPublic:
    return store.refinements.edits(run_id)


@router.post(
    "/runs/{run_id}/accept",
    operation_id="acceptRefinement",
    summary="Apply all or some edits of a refinement to the idea",
    description="The accepted edits become a new version of the idea, by the model, with the id of "
    "this run. A `title` or `body` of your own becomes a second version, by you. 412 if the idea's "
    "text has changed since the edits were numbered, unless `If-Match` is its current `ETag`.",
    responses=problems(404, 409, 412),
    tags=["runs"],
)
def accept_refinement(
    run_id: Id,
    store: StoreDep,
    response: Response,
    revision: RevisionDep,
    choice: Acceptance | None = None,
) -> IdeaPublic:
    return tag(response, store.refinements.accept(run_id, choice, revision=revision))


@router.post(
    "/runs/{run_id}/reject",
    operation_id="rejectRefinement",
    summary="Reject a refinement and leave the idea unchanged",
    responses=problems(404, 409),
    tags=["runs"],
)
def reject_refinement(run_id: Id, store: StoreDep) -> RunPublic:
    return store.refinements.reject(run_id)


@router.post(
    "/runs/{run_id}/reopen",
    operation_id="reopenRefinement",
    summary="Undo the acceptance or rejection of a refinement",
    description="If the refinement was accepted, the idea's earlier text is restored as a new "
    "version. 409 if the text was changed after the acceptance. If you accepted with a `title` or "
    "`body` of your own, send the resulting version as `idea_version`. Undoing a second time does "
    "nothing.",
    responses=problems(404, 409),
    tags=["runs"],
)
def reopen_refinement(
    run_id: Id,
    store: StoreDep,
    idea_version: Annotated[
        Version | None, Query(description="The version that the acceptance created.")
    ] = None,
) -> RunPublic:
    return store.refinements.reopen(run_id, version=idea_version)


@router.get(
    "/ideas/{idea_id}/compare",
    operation_id="compareVersions",
    summary="Compare two versions of an idea",
    responses=problems(404),
    tags=["ideas"],
)
def compare_versions(
    idea_id: Id,
    store: StoreDep,
    before: Annotated[
        Version | None, Query(alias="from", description="Default: the version before `to`.")
    ] = None,
    after: Annotated[
        Version | None, Query(alias="to", description="Default: the newest version.")
    ] = None,
) -> ComparisonOfVersions:
    return store.refinements.compare(idea_id, before, after)
