"""What a brainstorm is about: its topic, background, and what its ideas must be unlike."""

from collections.abc import Sequence
from dataclasses import dataclass

from service import messages
from service.errors import InvalidInput, NotFound
from service.prompts.languages import AS_WRITTEN
from service.prompts.methods import draw_angles
from service.schemas.brainstorm import SOURCES, BrainstormTask, SuggestionPublic
from service.schemas.ideas import IdeaPublic
from service.store import Store

Text = tuple[str, str]


@dataclass(frozen=True, slots=True)
class BrainstormWork:
    """`known` are the ideas of the board by id, `combined` the title and text of those to be joined.

    No idea may be like one `beside` it, nor even come near to the texts in `avoided`.
    """

    topic: str
    context: str
    method: str
    n: int
    creativity: float
    known: tuple[tuple[str, str], ...]
    avoids_known: bool = True
    combined: tuple[Text, ...] = ()
    avoided: tuple[str, ...] = ()
    beside: tuple[SuggestionPublic, ...] = ()
    angle: str | None = None
    language: str = AS_WRITTEN

    @property
    def given(self) -> str:
        """What every idea of the run may repeat."""
        return " ".join([self.topic, *(body for _, body in self.combined)])


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be brainstormed from. `idea` becomes the parent of what is kept."""

    topic: str
    context: str = ""
    idea: IdeaPublic | None = None
    board_id: str | None = None
    combined: tuple[IdeaPublic, ...] = ()


def plan_brainstorm(
    task: BrainstormTask, store: Store, redraws: str | None
) -> tuple[BrainstormWork, IdeaPublic | None, str]:
    """The work, the idea it is from, and the board it is for. `redraws` as in `NewRun`."""
    store.limits.check_suggestions(task.n)
    store.limits.check(title=task.topic, body=task.context)
    draw_angles(task.method, 1, 0, task.angle)
    source = _source(task, store)
    board_id = task.board_id or source.board_id
    board = store.boards.default() if board_id is None else store.boards.get(board_id)
    context = [task.context, source.context, board.goal]
    combined = {idea.id for idea in source.combined}
    work = BrainstormWork(
        topic=source.topic,
        context="\n".join(part for part in context if part),
        method=task.method,
        n=task.n,
        creativity=task.creativity,
        known=tuple(
            (idea_id, f"{title}. {body}")
            for idea_id, title, body in store.ideas.texts(board.id)
            if idea_id not in combined
        ),
        avoids_known=task.avoid_board,
        combined=tuple((idea.title, idea.body) for idea in source.combined),
        avoided=tuple(text for text in task.avoid if text.strip()),
        beside=_beside(store, redraws),
        angle=task.angle,
    )
    return work, source.idea, board.id


def _source(task: BrainstormTask, store: Store) -> Source:
    if sum(getattr(task, name) is not None for name in SOURCES) != 1:
        raise InvalidInput(
            messages.Text(
                "Give either a topic, an idea_id, two to five idea_ids or a suggestion_id."
            ),
            pointer="/topic",
        )
    if task.idea_id is not None:
        idea = store.ideas.get(task.idea_id)
        return Source(idea.title, idea.body, idea, idea.board_id)
    if task.idea_ids is not None:
        return _combination(task.idea_ids, store)
    if task.suggestion_id is not None:
        return _suggestion(task.suggestion_id, store)
    return Source(task.topic or "")


def _combination(idea_ids: Sequence[str], store: Store) -> Source:
    if len(set(idea_ids)) < len(idea_ids):
        raise InvalidInput(
            messages.Text("An idea is named twice. Name each once."), pointer="/idea_ids"
        )
    ideas = tuple(store.ideas.get(idea_id) for idea_id in idea_ids)
    topic = " + ".join(idea.title for idea in ideas)
    return Source(topic, "", ideas[0], ideas[0].board_id, ideas)


def _suggestion(suggestion_id: str, store: Store) -> Source:
    run_id, suggestion = store.suggestions.get(suggestion_id)
    run = store.runs.get(run_id)
    idea_id = suggestion.idea_id or run.idea_id
    return Source(suggestion.title, suggestion.text, _idea_if_there(idea_id, store), run.board_id)


def _idea_if_there(idea_id: str | None, store: Store) -> IdeaPublic | None:
    try:
        return None if idea_id is None else store.ideas.get(idea_id)
    except NotFound:
        return None


def _beside(store: Store, redraws: str | None) -> tuple[SuggestionPublic, ...]:
    """The other suggestions on the panel in which one is redrawn."""
    if redraws is None:
        return ()
    run_id, _ = store.suggestions.get(redraws)
    return tuple(one for one in store.suggestions.of_run(run_id) if one.id != redraws)
