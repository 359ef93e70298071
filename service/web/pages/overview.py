"""Pages on many ideas at once: the summary of a board, groups of similar ideas, and lineage.

The address of the groups contains the titles that somebody typed, so that they are kept when the
page is loaded again or shows other groups.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response, status

from service.analysis.lineage_view import board_trees, idea_tree
from service.analysis.summary import summarise
from service.messages import Counted, Text
from service.schemas.fields import TAG_CEILING
from service.schemas.likeness import Level
from service.schemas.overview import (
    FINEST,
    ClusterChoice,
    ClusterPublic,
    ClustersApply,
    ClustersPublic,
)
from service.web.dependencies import LikenessDep, SimilarIdeasDep, StoreDep
from service.web.pages.board_charts import board_charts
from service.web.pages.forms import GroupsForm
from service.web.pages.kept_pages import KeptPagesDep
from service.web.pages.lineage_map import draw
from service.web.pages.responses import Flash, redirect, render
from service.web.pages.start_run import validate_as
from service.web.validation_messages import too_long

LEVEL_NAMES: dict[Level, Text] = {
    "varied": Text("varied"),
    "alike": Text("rather alike"),
    "very_alike": Text("very alike"),
}
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Group:
    """A group in the form; `title` is the one that somebody typed, or else the suggested one."""

    cluster: ClusterPublic
    title: str
    is_chosen: bool
    problem: str = ""

    @property
    def suggested(self) -> str:
        return self.cluster.title


@dataclass(frozen=True, slots=True)
class GroupsView:
    """`others` are typed titles that belong to none of the current groups."""

    found: ClustersPublic
    groups: list[Group]
    others: dict[str, str] = field(default_factory=dict)


@router.get("/boards/{board_id}/summary")
def show_summary(
    request: Request,
    board_id: str,
    store: StoreDep,
    similar_ideas: SimilarIdeasDep,
    kept_pages: KeptPagesDep,
) -> Response:
    def make() -> Response:
        with store.one_view():
            context = {
                "summary": summarise(store, similar_ideas, board_id),
                "board": store.boards.get(board_id),
                "charts": board_charts(store, board_id),
            }
            return render(request, "boards/summary.html", context, board_id=board_id)

    return kept_pages.page(request, board_id, make)


@router.get("/boards/{board_id}/likeness")
def show_likeness(
    request: Request, board_id: str, store: StoreDep, likeness: LikenessDep
) -> Response:
    context = {
        "board": store.boards.get(board_id),
        "likeness": likeness.report(board_id),
        "level_names": LEVEL_NAMES,
    }
    return render(request, "boards/likeness.html", context, board_id=board_id)


@router.get("/boards/{board_id}/clusters")
def show_groups(
    request: Request,
    board_id: str,
    store: StoreDep,
    similar_ideas: SimilarIdeasDep,
    query: Annotated[GroupsForm, Query()],
) -> Response:
    found = similar_ideas.clusters(board_id, query.groups)
    return _groups_page(request, store.boards.get(board_id), _groups_view(found, query))


@router.post("/boards/{board_id}/clusters")
def apply_groups(
    request: Request,
    board_id: str,
    store: StoreDep,
    similar_ideas: SimilarIdeasDep,
    form: Annotated[GroupsForm, Form()],
) -> Response:
    found = similar_ideas.clusters(board_id, form.groups)
    board = _groups_view(found, form)
    chosen = [group for group in board.groups if group.is_chosen]
    problem: str = ""
    if found.fingerprint != form.fingerprint:
        problem = Text(
            "The ideas have changed since you opened this page. Nothing was tagged. "
            "Check the new groups and try again."
        )
    elif not chosen:
        problem = Text("Select at least one group. Nothing was tagged.")
    elif any(group.problem for group in chosen):
        problem = Text(
            "One title cannot be used as a tag. Nothing was tagged. Correct the title below."
        )
    if problem:
        return _groups_page(request, store.boards.get(board_id), board, problem)
    shape = validate_as(ClustersApply, clusters=[_choice(group) for group in chosen])
    change = store.changes.tag_each(board_id, shape.tags_by_idea())
    here = f"/boards/{board_id}/clusters?groups={form.groups}"
    if not change.changed:
        return redirect(here, Flash(Text("All of these ideas already have their tags.")))
    message = Counted(
        "%(count)s idea has a new tag.", "%(count)s ideas have a new tag.", len(change.changed)
    )
    return redirect(here, Flash(message, f"/changes/{change.id}/undo"))


@router.get("/boards/{board_id}/lineage")
def show_board_lineage(
    request: Request,
    board_id: str,
    store: StoreDep,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    trees = board_trees(store, board_id, page)
    context = {
        "board": store.boards.get(board_id),
        "idea": None,
        "trees": [(tree, draw(tree)) for tree in trees.trees],
        "found": trees,
    }
    return render(request, "lineage/lineage.html", context, board_id=board_id)


@router.get("/ideas/{idea_id}/lineage")
def show_idea_lineage(request: Request, idea_id: str, store: StoreDep) -> Response:
    idea = store.ideas.get(idea_id)
    tree = idea_tree(store, idea)
    context = {
        "board": store.boards.get(idea.board_id),
        "idea": idea,
        "trees": [] if tree is None else [(tree, draw(tree))],
        "found": None,
    }
    return render(request, "lineage/lineage.html", context, board_id=idea.board_id)


def _groups_page(request: Request, board: Any, shown: GroupsView, problem: str = "") -> Response:
    context = {
        "board": board,
        "shown": shown,
        "problem": problem,
        "fewer": _step(shown.found, -1),
        "more": _step(shown.found, 1),
    }
    code = status.HTTP_422_UNPROCESSABLE_CONTENT if problem else status.HTTP_200_OK
    return render(request, "boards/clusters.html", context, board_id=board.id, status_code=code)


def _step(found: ClustersPublic, direction: int) -> int | None:
    """The nearest granularity that gives fewer groups, or more, than this one."""
    granularities = range(
        found.granularity + direction, FINEST + 1 if direction > 0 else 0, direction
    )
    here = found.counts[found.granularity - 1]
    return next((one for one in granularities if found.counts[one - 1] != here), None)


def _groups_view(found: ClustersPublic, form: GroupsForm) -> GroupsView:
    """Assigns typed titles to the current groups, which may differ from those they were typed for."""
    given_titles, unchosen = form.given_titles, form.unchosen
    groups = []
    for cluster in found.clusters:
        ids = [cluster.anchor_id, *(one.idea_id for one in cluster.ideas)]
        named = next((one for one in ids if one in given_titles), None)
        title = given_titles.pop(named) if named is not None else cluster.tag or cluster.title
        # A group whose ideas already share a tag needs no second one.
        is_chosen = not any(one in unchosen for one in ids)
        is_chosen = is_chosen and (bool(form.anchor) or cluster.tag is None)
        groups.append(Group(cluster, title, is_chosen, _problem(title) if is_chosen else ""))
    return GroupsView(found, groups, given_titles)


def _problem(title: str) -> str:
    """Why the title cannot be a tag. A comma would split it into two tags."""
    if not title or "," in title:
        return Text("Use a title without a comma.")
    if len(title) > TAG_CEILING:
        return too_long(title, TAG_CEILING)
    return ""


def _choice(group: Group) -> ClusterChoice:
    ids = [one.idea_id for one in group.cluster.ideas]
    return validate_as(ClusterChoice, title=group.title, idea_ids=ids)
