"""What has gathered on an idea: versions, comments, evaluations and branches, only so many on a page.

It does not know the idea's text, which is short by its limit.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel

from service.schemas.ideas import IdeaPublic
from service.store import Store
from service.store.cursors import PageOf

SHOWN_VERSIONS = 20
SHOWN_COMMENTS = 30
# The newest one, and the scores of those before it.
SHOWN_EVALUATIONS = 6
SHOWN_BRANCHES = 30
SHOWN_TAGS = 200


class PastQuery(BaseModel):
    """Where the page's versions and comments begin; by default with the newest."""

    versions: str | None = None
    comments: str | None = None


@dataclass(frozen=True, slots=True)
class Older:
    """The addresses of the pages with older versions and comments, if there are any."""

    versions: str | None
    comments: str | None


def past_context(store: Store, idea: IdeaPublic, query: PastQuery) -> dict[str, Any]:
    versions = store.ideas.version_page(idea.id, PageOf(SHOWN_VERSIONS, query.versions))
    comments = store.comments.last(idea.id, PageOf(SHOWN_COMMENTS, query.comments))
    children = store.ideas.children(idea.id, limit=SHOWN_BRANCHES + 1)
    return {
        "query": query,
        "versions": versions.items,
        "version_count": store.ideas.version_count(idea.id),
        "comments": comments.items[::-1],
        "older": Older(
            _address(idea.id, query, "versions", versions.cursor),
            _address(idea.id, query, "comments", comments.cursor),
        ),
        "children": children[:SHOWN_BRANCHES],
        "has_more_children": len(children) > SHOWN_BRANCHES,
    }


def comment_address(store: Store, idea_id: str, comment_id: str) -> str:
    """The address of a comment on the page of its idea that shows it."""
    cursor = store.comments.cursor_to(comment_id, SHOWN_COMMENTS)
    page = f"?{urlencode({'comments': cursor})}" if cursor else ""
    return f"/ideas/{idea_id}{page}#comment-{comment_id}"


def _address(idea_id: str, query: PastQuery, name: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    fields = query.model_dump(exclude_none=True) | {name: cursor}
    return f"/ideas/{idea_id}?{urlencode(fields)}"
