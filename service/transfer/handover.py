"""Hands one idea over to another tool: as a shape, or as Markdown for people."""

from collections.abc import Iterator

from service.schemas.evaluation import EvaluationPublic
from service.schemas.handover import HandOver, RelatedIdea
from service.store import Store
from service.store.hidden_ideas import shared_view

METHODS = {
    "head": "scored by a score head that was fitted to labelled ideas",
    "digits": "rough: estimated from the probabilities of the digits in the model's answer",
    "mixed": "partly by a score head that was fitted to labelled ideas, partly rough estimates",
}
ORIGINS = {
    "model": "written by the model",
    "bank": "from the idea bank",
    "board": "from another board",
    "import": "imported",
}


def hand_over(store: Store, idea_id: str, origin: str) -> HandOver:
    """`origin` is where people reach this server. Raises: NotFound, also for what is hidden."""
    with shared_view():
        return _handed(store, idea_id, origin)


def _handed(store: Store, idea_id: str, origin: str) -> HandOver:
    idea = store.ideas.get(idea_id)
    evaluations = store.evaluations.of_idea(idea_id, limit=1)
    parents = store.ideas.titles([idea.parent_id or ""])

    def related(one: str, title: str) -> RelatedIdea:
        return RelatedIdea(id=one, title=title, url=f"{origin}/ideas/{one}")

    return HandOver(
        idea=idea,
        board=store.boards.get(idea.board_id).name,
        evaluation=evaluations[0] if evaluations else None,
        parent=next((related(*one) for one in parents.items()), None),
        children=[related(one.id, one.title) for one in store.ideas.children(idea_id)],
        url=f"{origin}/ideas/{idea_id}",
    )


def idea_markdown(handed: HandOver) -> str:
    idea = handed.idea
    parts = [f"# {idea.title}", idea.body, "\n".join(f"- {fact}" for fact in _facts(handed))]
    if handed.evaluation is not None:
        parts += _evaluation(handed.evaluation)
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(handed: HandOver) -> Iterator[str]:
    idea = handed.idea
    yield f"Board: {handed.board}"
    yield f"Status: {idea.status}{', starred' if idea.star else ''}"
    if idea.tags:
        yield f"Tags: {', '.join(idea.tags)}"
    name = idea.author.name if idea.author else None
    by = [one for one in (name, ORIGINS.get(idea.origin)) if one]
    if by:
        yield f"Author: {', '.join(by)}"
    if handed.parent is not None:
        yield f"Branched from: {_link(handed.parent)}"
    for child in handed.children:
        yield f"Branch: {_link(child)}"
    yield f"Version {idea.version} of {idea.updated_at:%Y-%m-%d %H:%M} UTC"
    yield f"Link: <{handed.url}>"


def _evaluation(evaluation: EvaluationPublic) -> list[str]:
    stale = ", of an earlier text" if evaluation.is_stale else ""
    rows = ["| Criterion | Score of 10 |", "|---|---:|"]
    for name, score in evaluation.scores.items():
        off = evaluation.spread.get(name)
        spread = "" if off is None else f" ± {off:.1f}"
        rows.append(f"| {_cell(name)} | {score:.1f}{spread} |")
    rows.append(f"| **Overall** | **{evaluation.overall:.1f}** |")
    parts = [
        "## Evaluation",
        f"Version {evaluation.idea_version}{stale}; {METHODS[evaluation.method]}.",
        "\n".join(rows),
    ]
    for heading, points in (
        ("Strengths", evaluation.strengths),
        ("Concerns", evaluation.concerns),
    ):
        if points:
            parts += [f"### {heading}", "\n".join(f"- {point}" for point in points)]
    if evaluation.next_step:
        parts += ["### Next step", evaluation.next_step]
    return parts


def _link(one: RelatedIdea) -> str:
    title = one.title.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return f"[{title}]({one.url})"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")
