"""Reads the published formats of chats into messages that end with an answer.

A format raises `DataProblem` without the place, which the caller adds.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from service.engine.types import Message
from training.config import SourceKind
from training.errors import DataProblem

Form = Callable[[Mapping[str, Any]], tuple[Message, ...]]
ChatRole = Literal["system", "user", "assistant"]

_ROLES: Mapping[str, ChatRole] = MappingProxyType(
    {
        "system": "system",
        "human": "user",
        "user": "user",
        "gpt": "assistant",
        "model": "assistant",
        "assistant": "assistant",
    }
)


def sharegpt(record: Mapping[str, Any]) -> tuple[Message, ...]:
    return _chat(_turns(record, "conversations"), role="from", content="value")


def messages(record: Mapping[str, Any]) -> tuple[Message, ...]:
    return _chat(_turns(record, "messages"), role="role", content="content")


def alpaca(record: Mapping[str, Any]) -> tuple[Message, ...]:
    return _exchange(
        _text(record, "instruction"), _text(record, "input", needed=False), _text(record, "output")
    )


def dolly(record: Mapping[str, Any]) -> tuple[Message, ...]:
    context = _text(record, "context", needed=False)
    return _exchange(_text(record, "instruction"), context, _text(record, "response"))


def prompt_completion(record: Mapping[str, Any]) -> tuple[Message, ...]:
    """Reads texts, or lists of messages in the format of TRL."""
    if isinstance(record.get("prompt"), str):
        return _exchange(_text(record, "prompt"), "", _text(record, "completion"))
    turns = [*_turns(record, "prompt"), *_turns(record, "completion")]
    return _chat(turns, role="role", content="content")


FORMS: Mapping[SourceKind, Form] = MappingProxyType(
    {
        "sharegpt": sharegpt,
        "messages": messages,
        "alpaca": alpaca,
        "prompt_completion": prompt_completion,
        "dolly": dolly,
    }
)


def _exchange(request: str, material: str, answer: str) -> tuple[Message, ...]:
    asked = f"{request}\n\n{material}" if material.strip() else request
    return (Message("user", asked), Message("assistant", answer))


def _chat(turns: Sequence[Any], *, role: str, content: str) -> tuple[Message, ...]:
    chat: list[Message] = []
    for number, turn in enumerate(turns, start=1):
        if not isinstance(turn, Mapping):
            raise DataProblem(f"turn {number} is not an object.")
        known = _ROLES.get(str(turn.get(role)))
        if known is None:
            raise DataProblem(
                f"turn {number} has {role} = {turn.get(role)!r}; use one of {', '.join(_ROLES)}."
            )
        text = turn.get(content)
        if not isinstance(text, str) or not (text.strip() or known == "system"):
            raise DataProblem(f"turn {number} has no text in {content!r}.")
        if text.strip():
            chat.append(Message(known, text))
    roles = [message.role for message in chat]
    if "system" in roles[1:]:
        raise DataProblem("a system message has to come before all other turns.")
    if not roles or roles[-1] != "assistant" or "user" not in roles:
        raise DataProblem("the row has to end with an answer to a user.")
    return tuple(chat)


def _turns(record: Mapping[str, Any], key: str) -> Sequence[Any]:
    turns = record.get(key)
    if not isinstance(turns, Sequence) or isinstance(turns, str) or not turns:
        raise DataProblem(
            f"{key!r} has to be a list of turns; the row has the fields {_keys(record)}."
        )
    return turns


def _text(record: Mapping[str, Any], key: str, *, needed: bool = True) -> str:
    text = record.get(key)
    if text is None and not needed:
        return ""
    if not isinstance(text, str):
        raise DataProblem(f"{key!r} has to be a text; the row has the fields {_keys(record)}.")
    if needed and not text.strip():
        raise DataProblem(f"{key!r} is empty.")
    return text


def _keys(record: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, record)) or "(none)"
