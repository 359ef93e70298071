"""Refinements over REST: their single edits, what is taken of them, and versions side by side."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.schemas.fields import Version
from service.schemas.ideas import IdeaPublic
from service.schemas.refinement import Acceptance, ComparisonOfVersions, EditsPublic
from service.schemas.runs import RunPublic
from service.web.api.shared import Id, RevisionDep, problems, tag
from service.web.dependencies import StoreDep

router = APIRouter()


@router.get(
    "/runs/{run_id}/edits",
    operation_id="listEdits",
    summary="A refinement's single edits of the text as it is now",
    description="Numbered like the `edits` of the answer, as long as the text has not changed.",
    responses=problems(404, 409),
    tags=["runs"],
)
def list_edits(run_id: Id, store: StoreDep) -> EditsPublic:
    return store.refinements.edits(run_id)


@router.post(
    "/runs/{run_id}/accept",
    operation_id="acceptRefinement",
    summary="Give the idea the refined text, or some of its edits",
    description="What is taken becomes a new version of the idea, by the model, that names this "
    "run. A `title` or `body` of your own becomes a version by you, after that. 412 if the edits "
    "were numbered for another text than the idea has now and no `If-Match` says that you saw it.",
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
    summary="Leave the idea as it is",
    responses=problems(404, 409),
    tags=["runs"],
)
def reject_refinement(run_id: Id, store: StoreDep) -> RunPublic:
    return store.refinements.reject(run_id)


@router.post(
    "/runs/{run_id}/reopen",
    operation_id="reopenRefinement",
    summary="Take back that a refinement was accepted or rejected",
    description="After an acceptance the idea gets its text from before as a new version. 409 if its "
    "text was changed after that. If you accepted with a `title` or `body` of your own, say with "
    "`idea_version` which version that gave. A second time does nothing.",
    responses=problems(404, 409),
    tags=["runs"],
)
def reopen_refinement(
    run_id: Id,
    store: StoreDep,
    idea_version: Annotated[
        Version | None, Query(description="The version that accepting gave the idea.")
    ] = None,
) -> RunPublic:
    return store.refinements.reopen(run_id, version=idea_version)


@router.get(
    "/ideas/{idea_id}/compare",
    operation_id="compareVersions",
    summary="The edits between any two versions of an idea",
    responses=problems(404),
    tags=["ideas"],
)
def compare_versions(
    idea_id: Id,
    store: StoreDep,
    before: Annotated[
        Version | None, Query(alias="from", description="Default: the one before `to`.")
    ] = None,
    after: Annotated[Version | None, Query(alias="to", description="Default: the newest.")] = None,
) -> ComparisonOfVersions:
    return store.refinements.compare(idea_id, before, after)
