"""Checks an exported file against the trained model: likelihoods and greedy answers, as served.

It only reads GGUF files; the figures of the trained model in transformers are passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from service.engine.types import GenerateRequest, Sampling
from training.data.rows import Row
from training.errors import Report, TrainingError
from training.inference.served import NAME, Answer, Source, served
from training.runs.run_directory import RunDirectory

GREEDY_TOKENS = 32
LEAST_AGREEMENT = 0.99
# The largest relative difference of the NLL from the trained model. q4_0, four bits without a second
# scale, costs a small model several per cent; a larger difference is a fault. With a shared adapter the
# base has the weights of the training, but llama.cpp rounds the activations for some types.
LIMITS = {"adapter": 0.02, "f16": 0.005, "q8_0": 0.01, "q4_k_m": 0.03, "q4_0": 0.15}
SHORTEST_CONTEXT = 2048


@dataclass(frozen=True, slots=True)
class FileParity:
    file: str
    kind: str
    nll_per_token: float
    change: float

    @property
    def is_within_limit(self) -> bool:
        return abs(self.change) <= LIMITS[self.kind]

    def in_words(self) -> str:
        return (
            f"{self.file} has an NLL of {self.nll_per_token:.4f}, {100 * self.change:+.2f}% "
            f"(the limit is {100 * LIMITS[self.kind]:g}%)"
        )


@dataclass(frozen=True, slots=True)
class Parity:
    """`nll_per_token` is that of the merged model in transformers; each file has its relative change.

    `greedy_agreement` is the share of the f16 file's greedy tokens that are also the likeliest in
    transformers. `refused` has the files that earlier exports of this adapter had to refuse and that
    this export does not make.
    """

    rows: int
    nll_per_token: float
    files: tuple[FileParity, ...]
    greedy_tokens: int
    greedy_agreement: float
    refused: tuple[FileParity, ...] = ()

    def problems(self) -> list[str]:
        found = [one.in_words() for one in self.files if not one.is_within_limit]
        if not self.greedy_tokens:
            found.append("no token of the f16 file's greedy answers could be compared")
        elif not self.greedy_agreement >= LEAST_AGREEMENT:
            found.append(
                f"{100 * self.greedy_agreement:.1f}% of the greedy tokens are the same "
                f"(at least {100 * LEAST_AGREEMENT:g}% have to be)"
            )
        return found


_PARITY = TypeAdapter(Parity)


def read_parity(rundir: RunDirectory) -> Parity:
    """The parity of the run's last export. Raises `TrainingError` if it cannot be read."""
    try:
        return _PARITY.validate_python(rundir.read_json(rundir.parity))
    except ValidationError as error:
        raise TrainingError(
            f"{rundir.parity} is not a valid parity file. Export the run again."
        ) from error


def with_refused(parity: Parity, rundir: RunDirectory) -> Parity:
    """Adds the files that earlier exports of the same adapter had to refuse."""
    if not rundir.parity.exists() or rundir.parity.stat().st_mtime < rundir.adapter_mtime:
        return parity
    before, made = read_parity(rundir), {one.kind for one in parity.files}
    refused = (*before.refused, *(one for one in before.files if not one.is_within_limit))
    return replace(parity, refused=tuple(one for one in refused if one.kind not in made))


@dataclass(frozen=True, slots=True)
class GreedyAnswer:
    """A row with the file's own answer of `tokens` tokens.

    `is_ended` says whether the last token ends the turn.
    """

    row: Row
    tokens: int
    is_ended: bool


@dataclass(frozen=True, slots=True)
class Checker:
    rows: Sequence[Row]
    max_tokens: int
    threads: int | None
    report: Report

    def nll_per_token(self, source: Source) -> float:
        """The NLL per token of the rows' answers under the file, in nats."""
        self.report(f"Reading {len(self.rows)} rows with {source.name}, as it is served")
        with served(source, context=self._context, threads=self.threads) as model:
            scored = model.score([row.messages for row in self.rows])
        return -sum(sum(one.logprobs) for one in scored) / sum(one.tokens for one in scored)

    def write(self, path: Path) -> list[GreedyAnswer]:
        """The greedy answers of the file to the prompts of the rows."""
        self.report(f"Generating greedily with {path.name}")
        with served(path, context=self._context, threads=self.threads) as model:
            answers = model.generate([_greedy(row) for row in self.rows])
        pairs = zip(self.rows, answers, strict=True)
        return [_greedy_answer(row, answer) for row, answer in pairs if answer.text]

    @property
    def _context(self) -> int:
        return max(SHORTEST_CONTEXT, self.max_tokens + GREEDY_TOKENS)


def _greedy(row: Row) -> GenerateRequest:
    return GenerateRequest("", NAME, row.prompt, GREEDY_TOKENS, Sampling(temperature=0))


def _greedy_answer(row: Row, answer: Answer) -> GreedyAnswer:
    last = replace(row.messages[-1], content=answer.text)
    changed = replace(row, messages=(*row.prompt, last))
    return GreedyAnswer(changed, answer.usage.completion_tokens, answer.finish == "stop")
