"""What goes into a backend and what comes out: frozen dataclasses, nothing else."""

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["brainstorm", "general", "refine"]
REQUIRED_ROLES: tuple[Role, ...] = ("brainstorm", "general")
"""The model for `general` refines where no model is there for that alone."""
ModelState = Literal["absent", "fetching", "idle", "loading", "ready", "failed"]
FinishReason = Literal["stop", "length"]
CacheLayout = Literal["streams", "unified"]
Quantisation = Literal["f16", "q4_0", "q4_k_m", "q8_0"]
AdapterUse = Literal["merged", "shared"]


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """`temperature` 0 means greedy; `top_k` 0 and `min_p` 0 switch that filter off.

    The penalties are OpenAI's: subtracted from the logit of a token the answer already has, once
    (`presence_penalty`) and for each time (`frequency_penalty`). `logit_bias` pairs token ids with
    what is added to their logits.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.0
    seed: int = 0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One chat completion.

    `grammar` is GBNF with a `root` rule; `json_schema` is the text of a JSON schema the answer must
    follow, as far as a grammar can hold it (ranges of numbers are not held); at most one of them
    may be given. `stop` strings end the text and are not part of it.
    `logprobs` asks for each token's logprob and for that many of the most likely alternatives
    (natural log, before temperature and filters); None asks for nothing. `client` groups requests
    for fair turns. `timeout_s` bounds the time from submission to the last token. `is_admitted`
    says, of any request, that it is part of something that was let in already, such as a run: it
    may have to wait, but is not refused for want of a place.
    """

    id: str
    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    json_schema: str | None = None
    logprobs: int | None = None
    client: str = ""
    timeout_s: float | None = None
    is_admitted: bool = False


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """How likely each of `choices` is as the next token after each of `prompts`.

    Always decoded from an empty cache, so the same request gives the same numbers whatever ran
    before; what consecutive prompts have in common is decoded once. Every choice must be a single
    token of the model.
    """

    id: str
    model: str
    prompts: tuple[tuple[Message, ...], ...]
    choices: tuple[str, ...]
    client: str = ""
    is_admitted: bool = False


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """The mean of the last layer's hidden states over all tokens of `text`."""

    id: str
    model: str
    text: str
    client: str = ""
    is_admitted: bool = False


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """How likely `answer`, and then the end of the turn, is after `messages`.

    The answer is plain text, cut into tokens as the training does it: for itself.
    """

    id: str
    model: str
    messages: tuple[Message, ...]
    answer: str
    client: str = ""
    is_admitted: bool = False


Request = GenerateRequest | ProbeRequest | EmbedRequest | ScoreRequest


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prompt_s: float = 0.0
    completion_s: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.prompt_s + other.prompt_s,
            self.completion_s + other.completion_s,
        )


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One generated token and its alternatives, most likely first."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """`position` 1 is next in line."""

    position: int


@dataclass(frozen=True, slots=True)
class Started:
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that is complete UTF-8 and cannot be part of a stop string any more."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    reason: FinishReason
    usage: Usage


@dataclass(frozen=True, slots=True)
class Probabilities:
    """`rows[i][j]` is the probability of choice j after prompt i, over the whole vocabulary."""

    rows: tuple[tuple[float, ...], ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Embedding:
    vector: tuple[float, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Scored:
    """The logprob of each of the answer's tokens, the last of which ends the turn.

    Natural log, over the whole vocabulary.
    """

    logprobs: tuple[float, ...]
    usage: Usage

    @property
    def tokens(self) -> int:
        return len(self.logprobs)


# What a stream of events ends with.
Outcome = Finished | Probabilities | Embedding | Scored
Event = Queued | Started | Delta | Outcome


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model of the catalog as it stands. Hashes are SHA-256 in hex.

    `identity` is the hash of what it is made of: of the weights where they are served as they are,
    and for built ones the same on every machine, while `weights_sha256` is that of the very file.

    `idle` is a model that is not in memory and is loaded when it is asked for.

    `score_head` is the path of the head file the catalog names. `progress` is 0 to 1 while the
    state is `fetching` or `loading`; `error` says what to do when it is `failed` or `absent`.
    """

    name: str
    roles: tuple[Role, ...]
    weights_sha256: str
    context: int
    slots: int = 1
    adapter_sha256: str | None = None
    identity: str = ""
    score_head: str | None = None
    state: ModelState = "idle"
    progress: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    running: int
    waiting: int
    queue_limit: int
    restarts: int
    process_id: int | None
