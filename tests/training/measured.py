"""Results of measured systems, made without a model."""

from collections.abc import Sequence

import numpy as np

from service.prompts.answers import refine_answer
from training.evaluation import refinements
from training.evaluation.comparison import compare, idea_pairs, pairs_of_notes
from training.evaluation.constraints import Constraints
from training.evaluation.embedder import Vectors
from training.evaluation.evaluate import Evaluation
from training.evaluation.ideas import Draft, Prompt, measure
from training.evaluation.likelihoods import RowLikelihood
from training.evaluation.refinements import Note
from training.evaluation.system import PromptResult, SystemResult
from training.runs.run_directory import now

NOTE = Note("n", "pump", "40 bikes, no pump.\nask Lena", "clearer")
GOOD = "Put a bowl of apples on the low shelf so that children see it first."


def any_vectors(texts: Sequence[str]) -> Vectors:
    """Unit vectors that depend on the length of the text."""
    angles = np.array([len(text) % 7 / 7 for text in texts], dtype=np.float32)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def system(*ideas: str, nll: float = 30.0, refined: Sequence[str] = ()) -> SystemResult:
    """A system that answers one idea to each prompt and one refined body to each `NOTE`."""
    answers = tuple(refine_answer("A Pump", body, ("Joined the notes",)) for body in refined)
    results = []
    for number, idea in enumerate(ideas):
        prompt = Prompt(str(number), "own", f"topic {number}", "", Constraints())
        drafts = (Draft(f"Title: A title\nIdea: {idea}", 20, is_whole=True),)
        (measured,) = measure([(prompt, drafts)], any_vectors)
        results.append(PromptResult(prompt, 0, drafts, measured))
    return SystemResult(
        file="model.gguf",
        sha256="0" * 64,
        ideas=tuple(results),
        in_form=tuple(bool(idea) for idea in ideas),
        refined=answers,
        refinements=tuple(refinements.measure(NOTE, answer) for answer in answers),
        assessments=(),
        assessed=(),
        likelihoods=tuple(
            RowLikelihood(str(n), "refine", nll + n, 10, 40) for n in range(len(ideas))
        ),
        agreement=None,
    )


def evaluation(base: SystemResult, tuned: SystemResult, *missing: str) -> Evaluation:
    """An evaluation of the two systems with all of their pairs as samples."""
    notes = [("n", f"{NOTE.title}: {NOTE.body}")] * len(base.refined)
    return Evaluation(
        name="x",
        finished_at=now(),
        base={"file": "a.gguf", "sha256": "0" * 64},
        tuned={"file": "b.gguf", "sha256": "1" * 64},
        ideas_per_prompt=1,
        max_tokens_per_idea=130,
        seeds=(0,),
        comparison=compare(base, tuned),
        judgements={},
        samples=(*idea_pairs(base, tuned), *pairs_of_notes(notes, base.refined, tuned.refined)),
        not_measured=missing,
    )
