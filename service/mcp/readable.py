"""The results of tools as text. Pure. It names every id that another tool may ask for, and fences what people
or models wrote.
"""

from collections.abc import Collection, Iterable
from functools import singledispatch

from service.mcp.results import ExportedIdeas, FoundIdeas, RefinedIdea
from service.mcp.untrusted import fenced
from service.schemas.brainstorm import BrainstormAnswer, IncompletePublic, SuggestionPublic
from service.schemas.evaluation import EvaluateAnswer, EvaluationPublic
from service.schemas.ideas import IdeaPublic
from service.schemas.ranking import RankingPublic, StandingPublic


@singledispatch
def readable(result: object) -> str:
    """Returns Markdown. Raises: TypeError for what no tool returns."""
    raise TypeError(f"no text for {type(result).__name__}")


@readable.register
def _brainstorm(answer: BrainstormAnswer) -> str:
    found = [
        f"{number}. {_suggestion(one)}" for number, one in enumerate(answer.suggestions, start=1)
    ]
    notes = [] if answer.incomplete is None else [_incomplete(answer.incomplete)]
    return _paragraphs([*found, *notes, f"run_id: {answer.run_id}"])


def _suggestion(one: SuggestionPublic) -> str:
    facts = [f"suggestion_id: {one.id}"]
    if one.written_for is not None:
        facts.append(f"written for the topic {fenced(one.written_for)}")
    if one.similar_to is not None:
        facts.append(f"similar to the idea {one.similar_to}")
    text = fenced(f"**{one.title}**\n{one.text}")
    return f"{text}\n   ({', '.join(facts)})"


def _incomplete(why: IncompletePublic) -> str:
    reason = (
        "the time for one run was over" if why.reason == "deadline" else "the model found no more"
    )
    return f"There are fewer than were asked for, because {reason}."


@readable.register
def _refined(answer: RefinedIdea) -> str:
    parts = [_text(answer.title, answer.body)]
    parts.append(_listed("The model says that it changed:", answer.changes))
    parts.append(
        _listed("The old text has these, the new one seems to lack them:", answer.left_out)
    )
    parts.append(_listed("Asked for, but not done, as far as can be checked:", answer.unmet))
    parts.append(
        "The idea now has this text." if answer.accepted else "The text was not saved anywhere."
    )
    return _paragraphs([*parts, f"run_id: {answer.run_id}"])


@readable.register
def _evaluated(answer: EvaluateAnswer) -> str:
    text = _judgement(answer, answer.scoring.uncalibrated)
    return _paragraphs([text, f"run_id: {answer.run_id}"])


@readable.register
def _evaluation(evaluation: EvaluationPublic) -> str:
    heading = f"## Evaluation{' of an older text' if evaluation.is_stale else ''}"
    return _paragraphs([heading, _judgement(evaluation, evaluation.uncalibrated)])


def _judgement(given: EvaluateAnswer | EvaluationPublic, rough: Collection[str]) -> str:
    scores = [
        f"{fenced(name)}: {score:.1f}{_error(given.spread.get(name))}"
        f"{', a rough estimate' if name in rough else ''}"
        for name, score in given.scores.items()
    ]
    return _paragraphs(
        [
            f"Overall: {given.overall:.1f} of 10",
            _list("Scores:", scores),
            _listed("Strengths:", given.strengths),
            _listed("Concerns:", given.concerns),
            f"Next step: {fenced(given.next_step)}" if given.next_step else "",
        ]
    )


def _error(spread: float | None) -> str:
    return "" if spread is None else f" ± {spread:.1f}"


@readable.register
def _idea(idea: IdeaPublic) -> str:
    facts = [f"status: {idea.status}", *(["starred"] if idea.star else [])]
    if idea.tags:
        facts.append(f"tags: {fenced(', '.join(idea.tags))}")
    if idea.score is not None:
        facts.append(f"score: {idea.score:.1f}{' of an older text' if idea.is_stale else ''}")
    facts += [f"version: {idea.version}", f"revision: {idea.revision}"]
    ids = [f"idea_id: {idea.id}", f"board_id: {idea.board_id}"]
    if idea.parent_id is not None:
        ids.append(f"parent_id: {idea.parent_id}")
    return _paragraphs([_text(idea.title, idea.body), " · ".join(facts), " · ".join(ids)])


def _text(title: str, body: str) -> str:
    return fenced(_paragraphs([f"# {title}", body]))


@readable.register
def _found(found: FoundIdeas) -> str:
    ideas = [readable(one) for one in found.ideas] or ["No idea fits."]
    more = ["There are more ideas; a higher limit shows them."] if found.has_more else []
    boards = [f"{fenced(board.name)} (board_id: {board.id})" for board in found.boards]
    return _paragraphs([*ideas, *more, _list("All boards:", boards)])


@readable.register
def _ranked(ranking: RankingPublic) -> str:
    judge = "people" if ranking.by == "people" else "the model"
    ranked = [_standing(one) for one in ranking.ideas if one.rank is not None]
    others = [
        f"{fenced(one.title)} (idea_id: {one.idea_id})" for one in ranking.ideas if one.rank is None
    ]
    return _paragraphs(
        [
            f"{ranking.comparisons} comparisons by {judge}.",
            "\n".join(ranked),
            _list("Not compared yet:", others),
        ]
    )


def _standing(one: StandingPublic) -> str:
    likely = f"{one.score:.0f} of 100, likely {one.low:.0f} to {one.high:.0f}"
    return f"{one.rank}. {fenced(one.title)}: {likely} (idea_id: {one.idea_id})"


@readable.register
def _exported(exported: ExportedIdeas) -> str:
    return fenced(exported.content)


def _listed(heading: str, texts: Iterable[str]) -> str:
    """A list of what people or models wrote."""
    return _list(heading, map(fenced, texts))


def _list(heading: str, lines: Iterable[str]) -> str:
    items = [f"- {line}" for line in lines]
    return "\n".join([heading, *items]) if items else ""


def _paragraphs(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)
