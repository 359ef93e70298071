"""Asks one served model for all answers and measures each. Compares nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.errors import AnswerUnusable
from service.prompts.answers import parse_assessment
from service.prompts.methods import Angle, draw_angles
from service.prompts.tasks import Prompt as ServicePrompt
from service.prompts.tasks import brainstorm_prompt, evaluate_prompt, refine_prompt
from training.config import RunConfig
from training.errors import Report
from training.evaluation import ideas, likelihoods, refinements, scores
from training.evaluation.embedder import Embed
from training.evaluation.ideas import Draft, IdeaMeasures, Prompt
from training.evaluation.likelihoods import RowLikelihood
from training.evaluation.prompt_sets import PromptSets
from training.evaluation.refinements import RefinementMeasures
from training.evaluation.scores import Agreement
from training.inference.served import Answer, Kept, Progress, Served, Source, request_of, served

METHOD = "free"
# As many initials as the service bars at once; more would force odd titles.
_MOST_BARRED = 10
_SHORTEST_CONTEXT = 2048


@dataclass(frozen=True, slots=True)
class PromptResult:
    """The drafts for a prompt with one seed."""

    prompt: Prompt
    seed: int
    drafts: tuple[Draft, ...]
    measures: IdeaMeasures


@dataclass(frozen=True, slots=True)
class SystemResult:
    """`in_form` says for each prompt whether an answer without a grammar has the asked form.

    `refined` and `assessments` have the answers that `refinements` and `assessed` measure.
    `agreement` is None without labelled notes.
    """

    file: str
    sha256: str
    ideas: tuple[PromptResult, ...]
    in_form: tuple[bool, ...]
    refined: tuple[str, ...]
    refinements: tuple[RefinementMeasures, ...]
    assessments: tuple[str, ...]
    assessed: tuple[bool, ...]
    likelihoods: tuple[RowLikelihood, ...]
    agreement: Agreement | None


def measure(
    source: Source,
    sets: PromptSets,
    config: RunConfig,
    embed: Embed,
    *,
    kept: Kept | None = None,
    report: Report,
) -> SystemResult:
    """Raises the `ServiceError`s of the engine."""
    evaluation, threads = config.evaluation, config.training.threads
    context = max(_SHORTEST_CONTEXT, config.data.max_tokens)
    with served(source, context=context, threads=threads, kept=kept) as model:
        tested = _ModelUnderTest(model, evaluation.max_tokens_per_idea, report)
        results: list[PromptResult] = []
        for seed in evaluation.seeds if sets.prompts else ():
            answered = tested.ideas(sets.prompts, evaluation.ideas_per_prompt, seed)
            pairs = list(zip(sets.prompts, answered, strict=True))
            results += [
                PromptResult(prompt, seed, drafts, measured)
                for (prompt, drafts), measured in zip(
                    pairs, ideas.measure(pairs, embed), strict=True
                )
            ]
        refined, assessments = tested.refinements(sets), tested.assessments(sets)
        result = SystemResult(
            file=source.name,
            sha256=model.sha256,
            ideas=tuple(results),
            in_form=tested.form(sets.prompts, evaluation.seeds[0]),
            refined=refined,
            refinements=tuple(
                refinements.measure(note, answer)
                for note, answer in zip(sets.notes, refined, strict=True)
            ),
            assessments=assessments,
            assessed=tuple(map(_is_assessment, assessments)),
            likelihoods=likelihoods.measure(
                model, sets.rows, on_done=_progress("held-out rows", report)
            ),
            agreement=None,
        )
    if not sets.labelled:
        return result
    found = scores.measure(source, sets.labelled, threads=threads, report=report)
    return replace(result, agreement=found)


@dataclass(frozen=True, slots=True)
class _ModelUnderTest:
    """Asks a model with the prompts of the service."""

    served: Served
    max_tokens: int
    report: Report

    def ideas(
        self, prompts: Sequence[Prompt], count: int, seed: int
    ) -> tuple[tuple[Draft, ...], ...]:
        """First drafts: none is redrawn, but the initials of earlier titles are barred."""
        drafts: list[list[Draft]] = [[] for _ in prompts]
        initials: list[list[str]] = [[] for _ in prompts]
        angles = [draw_angles(METHOD, count, _seed(seed, i)) for i in range(len(prompts))]
        for turn in range(count):
            requests = [
                request_of(
                    self._brainstorm(
                        prompt,
                        angles[i][turn],
                        _seed(seed, i, turn),
                        barred="".join(initials[i][-2 * _MOST_BARRED :]),
                    )
                )
                for i, prompt in enumerate(prompts)
            ]
            for i, answer in enumerate(self.served.generate(requests)):
                drafts[i].append(_draft(answer))
                initials[i] += _initials(answer.text, prompts[i].topic)
            self.report(f"ideas: round {turn + 1} of {count}")
        return tuple(map(tuple, drafts))

    def form(self, prompts: Sequence[Prompt], seed: int) -> tuple[bool, ...]:
        requests = [
            request_of(
                self._brainstorm(prompt, draw_angles(METHOD, 1, _seed(seed, i))[0], _seed(seed, i)),
                with_grammar=False,
            )
            for i, prompt in enumerate(prompts)
        ]
        answers = self.served.generate(requests, on_done=_progress("free answers", self.report))
        return tuple(ideas.is_in_form(_draft(answer)) for answer in answers)

    def _brainstorm(
        self, prompt: Prompt, angle: Angle, seed: int, *, barred: str = ""
    ) -> ServicePrompt:
        asked = brainstorm_prompt(
            prompt.topic, angle, context=prompt.context, barred_initials=barred, seed=seed
        )
        return replace(asked, max_tokens=self.max_tokens)

    def refinements(self, sets: PromptSets) -> tuple[str, ...]:
        requests = [
            request_of(refine_prompt(note.title, note.body, instruction=note.instruction))
            for note in sets.notes
        ]
        answers = self.served.generate(requests, on_done=_progress("refinements", self.report))
        return tuple(answer.text for answer in answers)

    def assessments(self, sets: PromptSets) -> tuple[str, ...]:
        requests = [request_of(evaluate_prompt(note.title, note.body)) for note in sets.labelled]
        answers = self.served.generate(requests, on_done=_progress("assessments", self.report))
        return tuple(answer.text for answer in answers)


def _draft(answer: Answer) -> Draft:
    return Draft(answer.text, answer.usage.completion_tokens, answer.finish == "stop")


def _initials(answer: str, topic: str) -> list[str]:
    idea = ideas.parse(answer, topic)
    letter = idea.title[0] if idea is not None else ""
    return [letter.casefold(), letter.upper()] if letter.isalpha() else []


def _is_assessment(answer: str) -> bool:
    try:
        parse_assessment(answer)
    except AnswerUnusable:
        return False
    return True


def _seed(*parts: int) -> int:
    """A seed that differs for every draft and is the same for both models."""
    seed = 0
    for part in parts:
        seed = seed * 1009 + part
    return seed


def _progress(what: str, report: Report) -> Progress:
    def on_done(done: int, count: int) -> None:
        if done % max(1, count // 10) == 0 or done == count:
            report(f"{what}: {done} of {count}")

    return on_done
