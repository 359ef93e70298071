"""Systems as they are after they have been measured, without a model."""

from collections.abc import Sequence

import numpy as np

from training.measuring.constraints import Constraints
from training.measuring.embedder import Vectors
from training.measuring.ideas import Draft, Prompt, measure
from training.measuring.likelihoods import RowLikelihood
from training.measuring.system import PromptResult, SystemResult

GOOD = "Put a bowl of apples on the low shelf so that children see it first."


def any_vectors(texts: Sequence[str]) -> Vectors:
    """Unit vectors that depend on the length of the text."""
    angles = np.array([len(text) % 7 / 7 for text in texts], dtype=np.float32)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def system(*ideas: str, nll: float = 30.0) -> SystemResult:
    """Answers these ideas, one to each of as many prompts."""
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
        refined=(),
        refinements=(),
        assessed=(),
        likelihoods=tuple(
            RowLikelihood(str(n), "refine", nll + n, 10, 40) for n in range(len(ideas))
        ),
        agreement=None,
    )
