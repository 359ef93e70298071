"""Requests to a backend and its events, as frozen dataclasses."""

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["brainstorm", "general", "refine"]
REQUIRED_ROLES: tuple[Role, ...] = ("brainstorm", "general")
"""The model for `general` also serves `refine` if no model has that role."""
ModelState = Literal["absent", "fetching", "idle", "loading", "ready", "failed"]
FinishReason = Literal["stop", "length"]
EngineState = Literal["starting", "loading", "ready", "trial", "busy", "failed", "different"]
CacheLayout = Literal["streams", "unified"]
Quantisation = Literal["f16", "q4_0", "q4_k_m", "q8_0"]
AdapterUse = Literal["merged", "shared"]
RawPrompt = str | tuple[int, ...]
"""A text, or the ids of the model's tokens."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """`temperature` 0 means greedy; `top_k` 0 and `min_p` 0 switch that filter off.

    The penalties are those of OpenAI. They are subtracted from the logit of a token that is
    already in the answer, once (`presence_penalty`) or for each occurrence (`frequency_penalty`).
    `logit_bias` has pairs of a token id and the number to add to its logit.
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
    """One completion: of a chat or, without `messages`, of a raw prompt.

    `prompt` is continued as it is, without a chat template. In a text, the spelling of a control
    token becomes that token, and a token that the model begins every text with is put before it.

    `grammar` is GBNF with a `root` rule. `json_schema` is the text of a JSON schema for the answer;
    numeric ranges are not enforced. At most one of the two may be given. If it `is_foreign`, a client
    wrote it, and a step that takes too long fails this request alone. `stop` strings end the
    text and are not part of it. `logprobs` asks for the logprob of each token and for that many of
    the most likely alternatives (natural log, before temperature and filters); None asks for none.
    Requests with the same `client` share fair turns, and those with the same `holder` can take only a
    part of all places. `timeout_s` bounds the time from submission to the last token. Unless it
    `is_repeatable`, the same seed may give another text, so it may go on from cached answers.
    `is_admitted` means, for every kind of request, that it belongs to work that was accepted before,
    such as a run: it may wait, but it is never refused for lack of a place.
    """

    id: str
    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    json_schema: str | None = None
    is_foreign: bool = False
    logprobs: int | None = None
    prompt: RawPrompt | None = None
    client: str = ""
    holder: str = ""
    timeout_s: float | None = None
    is_repeatable: bool = True
    is_admitted: bool = False


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Asks how likely each of `choices` is as the next token after each of `prompts`.

    It is always decoded from an empty cache, so that the same request gives the same numbers
    whatever ran before. A prefix that consecutive prompts share is decoded once. Every choice must
    be a single token of the model.
    """

    id: str
    model: str
    prompts: tuple[tuple[Message, ...], ...]
    choices: tuple[str, ...]
    client: str = ""
    is_admitted: bool = False


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Asks for the mean of the last layer's hidden states over all tokens of `text`."""

    id: str
    model: str
    text: str
    client: str = ""
    is_admitted: bool = False


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Asks how likely `answer`, and then the end of the turn, is after `messages`.

    The answer is plain text and is tokenised on its own, as in training.
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
    """Text of complete characters that cannot be part of a stop string any more."""

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
    """The logprob of each token of the answer; the last token ends the turn.

    Logprobs are natural logarithms over the whole vocabulary.
    """

    logprobs: tuple[float, ...]
    usage: Usage

    @property
    def tokens(self) -> int:
        return len(self.logprobs)


# The last event of a stream.
Outcome = Finished | Probabilities | Embedding | Scored
Event = Queued | Started | Delta | Outcome


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The current state of a served model. Hashes are SHA-256 in hex.

    `weights_sha256` is the hash of the loaded file. `identity` is the hash of the inputs that a
    built file was made of, which is the same on all machines; for a file that was not built it is
    the file's hash. It is empty until the files were verified, and None for a model of another server,
    whose weights are never known.

    An `idle` model is not in memory and is loaded when it is needed.

    `score_head` is the path of the head file in the catalog. `progress` is 0 to 1 while the state
    is `fetching` or `loading`. `error` says what to do when the state is `failed` or `absent`.
    Nobody of this project has run the file of an `untried` model.
    """

    name: str
    roles: tuple[Role, ...]
    weights_sha256: str
    context: int
    slots: int = 1
    adapter_sha256: str | None = None
    identity: str | None = ""
    score_head: str | None = None
    state: ModelState = "idle"
    progress: float = 0.0
    error: str | None = None
    untried: bool = False


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One of the servers that answer in place of the catalog's models.

    `kind` is the kind of server, empty while it is unknown, as is `model`. `running` are requests
    of this process, `slots` how many of them the engine gets at a time. `failures` counts answers
    that failed, and `moved` requests that another engine took over. `error` is the last one, until
    an answer succeeds.

    A `busy` engine has refused a request and gets no more until the time that it named. One on
    `trial` has failed and gets one request at a time until one succeeds. A `different` one serves
    another model than the others and gets none.
    """

    url: str
    kind: str
    model: str
    state: EngineState
    running: int
    slots: int
    failures: int
    moved: int
    error: str | None
    takes_grammars: bool = True


@dataclass(frozen=True, slots=True)
class Stats:
    """`engines` is empty where the models run on this machine."""

    running: int
    waiting: int
    queue_limit: int
    restarts: int
    process_id: int | None
    engines: tuple[EngineStatus, ...] = ()
