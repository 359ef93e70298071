"""What the answers of OpenAI's API have in common: texts, usage, logprobs and timings of events."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from fastapi import Request
from pydantic import BaseModel

from service.engine.types import Delta, Finished, FinishReason, TokenLogprob, Usage
from service.runs.completions import Piece
from service.web.sse import while_connected


class Alternative(BaseModel):
    """`bytes` is null if the token is only part of a character."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprobs(Alternative):
    top_logprobs: list[Alternative]


class PromptDetails(BaseModel):
    cached_tokens: int


class CompletionUsage(BaseModel):
    """Token counts. The prompt counts once, however many answers there are."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class Timings(BaseModel):
    """Timings in the format of llama.cpp's server, only for a single answer."""

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_second: float


@dataclass(slots=True)
class Draft:
    """One answer, as far as it has come."""

    pieces: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def add(self, piece: Delta | Finished) -> None:
        if isinstance(piece, Finished):
            self.reason, self.usage = piece.reason, piece.usage
        else:
            self.pieces.append(piece.text)
            self.logprobs += piece.logprobs


async def collect(pieces: AsyncGenerator[Piece, None], count: int, request: Request) -> list[Draft]:
    """All answers, ordered by index. Raises ClientLeft if the client disconnects."""
    drafts = [Draft() for _ in range(count)]
    async with while_connected(request.receive), aclosing(pieces):
        async for index, piece in pieces:
            drafts[index].add(piece)
    return drafts


def tokens_of(logprobs: Sequence[TokenLogprob]) -> list[TokenLogprobs]:
    return [
        TokenLogprobs(
            token=one.text,
            logprob=one.logprob,
            bytes=_bytes(one.text),
            top_logprobs=[
                Alternative(token=text, logprob=logprob, bytes=_bytes(text))
                for text, logprob in one.top
            ],
        )
        for one in logprobs
    ]


def _bytes(text: str) -> list[int] | None:
    return None if "\ufffd" in text else list(text.encode())


def usage_of(usages: Sequence[Usage], *, prompts: int = 1) -> CompletionUsage:
    """The sum over all answers. Those to the same prompt are neighbours and share its tokens."""
    firsts = usages[:: len(usages) // prompts]
    read, made = (
        sum(one.prompt_tokens for one in firsts),
        sum(one.completion_tokens for one in usages),
    )
    return CompletionUsage(
        prompt_tokens=read,
        completion_tokens=made,
        total_tokens=read + made,
        prompt_tokens_details=PromptDetails(cached_tokens=sum(one.cached_tokens for one in firsts)),
    )


def timings_of(usages: Sequence[Usage]) -> Timings | None:
    if len(usages) > 1:
        return None
    usage = usages[0]
    read = usage.prompt_tokens - usage.cached_tokens
    return Timings(
        cache_n=usage.cached_tokens,
        prompt_n=read,
        prompt_ms=usage.prompt_s * 1000,
        prompt_per_second=_rate(read, usage.prompt_s),
        predicted_n=usage.completion_tokens,
        predicted_ms=usage.completion_s * 1000,
        predicted_per_second=_rate(usage.completion_tokens, usage.completion_s),
    )


def _rate(tokens: int, seconds: float) -> float:
    return tokens / seconds if seconds else 0.0
