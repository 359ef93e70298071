"""Builds a complete chat completion in OpenAI's format from the engine's events."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from service.engine.types import Finished, FinishReason, TokenLogprob, Usage
from service.runs.completions import Piece
from service.web.openai.shapes import (
    Alternative,
    AnswerMessage,
    ChatUsage,
    Choice,
    Logprobs,
    PromptDetails,
    Timings,
    TokenLogprobs,
)


@dataclass(slots=True)
class _Draft:
    text: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)


async def collect(
    pieces: AsyncGenerator[Piece, None], count: int, *, has_logprobs: bool
) -> tuple[list[Choice], list[Usage]]:
    """All answers and their token usage, ordered by index."""
    drafts = [_Draft() for _ in range(count)]
    async for index, piece in pieces:
        draft = drafts[index]
        if isinstance(piece, Finished):
            draft.reason, draft.usage = piece.reason, piece.usage
        else:
            draft.text.append(piece.text)
            draft.logprobs += piece.logprobs
    choices = [
        Choice(
            index=index,
            message=AnswerMessage(content="".join(draft.text)),
            logprobs=logprobs_of(draft.logprobs) if has_logprobs else None,
            finish_reason=draft.reason,
        )
        for index, draft in enumerate(drafts)
    ]
    return choices, [draft.usage for draft in drafts]


def logprobs_of(tokens: Sequence[TokenLogprob]) -> Logprobs:
    return Logprobs(
        content=[
            TokenLogprobs(
                token=one.text,
                logprob=one.logprob,
                bytes=_bytes(one.text),
                top_logprobs=[
                    Alternative(token=text, logprob=logprob, bytes=_bytes(text))
                    for text, logprob in one.top
                ],
            )
            for one in tokens
        ]
    )


def _bytes(text: str) -> list[int] | None:
    return None if "\ufffd" in text else list(text.encode())


def usage_of(usages: Sequence[Usage]) -> ChatUsage:
    """The sum of the completion tokens. The prompt is counted once, as all answers share it."""
    prompt, made = usages[0].prompt_tokens, sum(one.completion_tokens for one in usages)
    return ChatUsage(
        prompt_tokens=prompt,
        completion_tokens=made,
        total_tokens=prompt + made,
        prompt_tokens_details=PromptDetails(cached_tokens=usages[0].cached_tokens),
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
