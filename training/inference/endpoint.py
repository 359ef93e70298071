"""A client of any OpenAI-compatible chat endpoint, for judges and teachers. Knows no tasks."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx2

from service.engine.types import Message
from training.errors import JudgeFailed

KEY_VARIABLE = "IDEAPOOL_ENDPOINT_KEY"
ATTEMPTS = 4
CONCURRENT_REQUESTS = 4
TIMEOUT_S = 300
_TEMPORARY_FAILURES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
Item = TypeVar("Item")
Result = TypeVar("Result")


class Endpoint:
    """`pause_s` is the wait before the second attempt; it doubles with every further one."""

    def __init__(self, client: httpx2.Client, model: str, *, pause_s: float) -> None:
        self._client = client
        self._pause_s = pause_s
        self.model = model

    def ask(self, messages: Sequence[Message], *, max_tokens: int, temperature: float = 0.0) -> str:
        """Raises `JudgeFailed` if the endpoint refuses, or still fails after a few attempts."""
        body = {
            "model": self.model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
        }
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(self._pause_s * 2 ** (attempt - 1))
            try:
                answer = self._client.post("/chat/completions", json=body)
            except httpx2.TransportError as error:
                reason = f"it cannot be reached ({str(error) or type(error).__name__})"
                continue
            if answer.is_success:
                return _content(answer)
            reason = f"it answers {answer.status_code}: {answer.text[:200]}"
            if answer.status_code not in _TEMPORARY_FAILURES:
                break
        raise JudgeFailed(f"{self.model} at {self._client.base_url} failed: {reason}.")

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Runs `work` for a few items at a time and yields the results in the order of the items."""
        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            try:
                yield from pool.map(work, items)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


@contextmanager
def open_endpoint(url: str, model: str, *, pause_s: float = 1.0) -> Iterator[Endpoint]:
    """`url` is the address before /chat/completions, such as http://localhost:8000/v1.

    A key is read from the environment variable `IDEAPOOL_ENDPOINT_KEY`, if it is set.
    """
    key = os.environ.get(KEY_VARIABLE)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        client = httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)
    except (httpx2.InvalidURL, TypeError) as error:
        raise JudgeFailed(f"{url} is not a valid address: {error}.") from error
    with client:
        yield Endpoint(client, model, pause_s=pause_s)


def _content(answer: httpx2.Response) -> str:
    try:
        data: Any = answer.json()
        content = data["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise JudgeFailed(
            f"{answer.url} did not return a chat completion: {answer.text[:200]}. "
            "Give the address before /chat/completions, often one that ends in /v1."
        ) from error
    if not isinstance(content, str):
        raise JudgeFailed(f"{answer.url} returned an answer without text.")
    return content
