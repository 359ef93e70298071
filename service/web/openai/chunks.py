"""The chunks in which chat completions and the older completions are streamed."""

from abc import ABC, abstractmethod

from service.engine.types import Delta, Finished, Usage
from service.web.errors import openai_error
from service.web.openai.answers import timings_of, tokens_of, usage_of
from service.web.openai.chat_shapes import Logprobs
from service.web.openai.exchange import Exchange
from service.web.openai.stream import as_json
from service.web.openai.text_shapes import text_logprobs


class _Chunks(ABC):
    """Builds the bytes of one completion's chunks."""

    def __init__(
        self, kind: str, exchange: Exchange, count: int, *, prompts: int, has_usage: bool
    ) -> None:
        self._prompts = prompts
        self._has_usage = has_usage
        self._usages = [Usage()] * count
        self._head = (
            f'data: {{"id":{as_json(exchange.id)},"object":"{kind}",'
            f'"created":{exchange.created},"model":{as_json(exchange.model)},"choices":['
        )
        self._tail = ',"usage":null}\n\n' if has_usage else "}\n\n"

    def opening(self) -> bytes:
        return b""

    def of(self, index: int, piece: Delta | Finished) -> bytes:
        if isinstance(piece, Finished):
            self._usages[index] = piece.usage
            return self._end(index, piece)
        return self._text(index, piece)

    def closing(self) -> bytes:
        if not self._has_usage:
            return b"data: [DONE]\n\n"
        usage = usage_of(self._usages, prompts=self._prompts).model_dump_json()
        return f'{self._head}],"usage":{usage}}}\n\n'.encode() + b"data: [DONE]\n\n"

    def failing(self, error: Exception) -> bytes:
        return f"data: {as_json(openai_error(error)[1])}\n\n".encode()

    @abstractmethod
    def _text(self, index: int, delta: Delta) -> bytes: ...

    @abstractmethod
    def _end(self, index: int, finished: Finished) -> bytes: ...

    def _ended(self, choice: str) -> bytes:
        """A last chunk of a choice, which also has the timings of an only one."""
        timings = timings_of(self._usages)
        extra = "" if timings is None else f',"timings":{timings.model_dump_json()}'
        return f"{self._head}{choice}]{extra}{self._tail}".encode()


class ChatChunks(_Chunks):
    def __init__(self, exchange: Exchange, count: int, *, has_usage: bool) -> None:
        super().__init__("chat.completion.chunk", exchange, count, prompts=1, has_usage=has_usage)
        self._befores = [
            f'{self._head}{{"index":{index},"delta":{{"content":'.encode() for index in range(count)
        ]
        self._after = f'}},"finish_reason":null}}]{self._tail}'.encode()

    def opening(self) -> bytes:
        return b"".join(
            before + b'"","role":"assistant","refusal":null' + self._after
            for before in self._befores
        )

    def _text(self, index: int, delta: Delta) -> bytes:
        text = as_json(delta.text).encode()
        if not delta.logprobs:
            return self._befores[index] + text + self._after
        logprobs = Logprobs(content=tokens_of(delta.logprobs)).model_dump_json().encode()
        return self._befores[index] + text + b'},"logprobs":' + logprobs + self._after[1:]

    def _end(self, index: int, finished: Finished) -> bytes:
        return self._ended(f'{{"index":{index},"delta":{{}},"finish_reason":"{finished.reason}"}}')


class TextChunks(_Chunks):
    def __init__(self, exchange: Exchange, count: int, *, prompts: int, has_usage: bool) -> None:
        super().__init__("text_completion", exchange, count, prompts=prompts, has_usage=has_usage)
        self._befores = [
            f'{self._head}{{"index":{index},"text":'.encode() for index in range(count)
        ]
        self._after = f',"finish_reason":null}}]{self._tail}'.encode()

    def _text(self, index: int, delta: Delta) -> bytes:
        logprobs = b"null"
        if delta.logprobs:
            logprobs = text_logprobs(delta.logprobs).model_dump_json().encode()
        before = self._befores[index] + as_json(delta.text).encode()
        return before + b',"logprobs":' + logprobs + self._after

    def _end(self, index: int, finished: Finished) -> bytes:
        return self._ended(
            f'{{"index":{index},"text":"","logprobs":null,"finish_reason":"{finished.reason}"}}'
        )
