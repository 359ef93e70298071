"""Rows as token ids, tokenised by the same code that serves them. Knows no model.

The ids of the prompt are those that the engine sends. The ids of the answer follow, and then the
token that ends the turn, which is learnt like the rest of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.decoding.chat_template import ChatTokeniser
from training.data.rows import Row
from training.errors import DataProblem


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """`mask` is True for learnt tokens; `answer_bytes` is the size of their text in UTF-8."""

    row: str
    task: str
    group: str
    ids: NDArray[np.int32]
    mask: NDArray[np.bool_]
    answer_bytes: int
    grade: float | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> int:
        """The number of learnt tokens."""
        return int(self.mask.sum())

    @property
    def prompt(self) -> bytes:
        """The ids before the first learnt token, as bytes."""
        return self.ids[: int(self.mask.argmax())].tobytes()


@dataclass(frozen=True, slots=True)
class Tokenised:
    """The ids of rows: `cut` rows lost the end of their answer, `left_out` rows all of it."""

    tokens: tuple[Tokens, ...]
    cut: tuple[str, ...]
    left_out: tuple[str, ...]


class Vocabulary:
    """Gives a tokenizer of transformers the interface that the engine expects of a GGUF."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @property
    def chat_template(self) -> str | None:
        template = self._tokenizer.chat_template
        return template if isinstance(template, str) else None

    @cached_property
    def control_texts(self) -> tuple[str, ...]:
        return tuple(self._controls)

    @cached_property
    def _controls(self) -> dict[str, int]:
        added = self._tokenizer.added_tokens_decoder.items()
        return {token.content: number for number, token in added if token.special}

    @cached_property
    def leading_tokens(self) -> list[int]:
        ids = self._tokenizer("").input_ids
        return [int(ids[0])] if ids and ids[0] == self._tokenizer.bos_token_id else []

    def is_end(self, token: int) -> bool:
        """Any control token may end an answer; the chat template decides which one does."""
        return token in self._controls.values()

    def tokenise(self, text: str, *, special: bool = False) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not special)
        return [int(token) for token in encoded.input_ids]


class RowTokeniser:
    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        """Raises `ModelUnavailable` if llama.cpp does not know the tokenizer's chat template."""
        self._tokenizer = tokenizer
        self._vocabulary = Vocabulary(tokenizer)
        self._chat = ChatTokeniser(self._vocabulary, None)
        self._max_tokens = max_tokens

    def __call__(self, row: Row) -> Tokens:
        """Raises `DataProblem` if no part of the answer is within the limit."""
        tokens, _ = self.cut(row)
        if not tokens.mask.any():
            raise DataProblem(
                f"its prompt leaves no token of the answer within {self._max_tokens} tokens; "
                "raise `data.max_tokens` or leave the row out.",
                row=row.id,
            )
        return tokens

    def cut(self, row: Row) -> tuple[Tokens, bool]:
        """The row's tokens within the limit, and whether some were cut off."""
        ids = list(self._chat.prompt(row.prompt).tokens)
        mask = [False] * len(ids)
        answer = [*self._vocabulary.tokenise(row.answer), self._chat.turn_end]
        ids += answer
        mask += [True] * len(answer)
        texts = [row.answer]
        if row.answers == "all":
            texts += self._label_earlier_turns(row, ids, mask)
        is_cut = len(ids) > self._max_tokens
        kept, labelled = ids[: self._max_tokens], mask[: self._max_tokens]
        size = sum(len(text.encode()) for text in texts)
        if is_cut:
            learnt = [one for one, is_label in zip(kept, labelled, strict=True) if is_label]
            size = len(self._tokenizer.decode(learnt, skip_special_tokens=True).encode())
        arrays = np.array(kept, np.int32), np.array(labelled)
        return Tokens(row.id, row.task, row.group, *arrays, size, row.grade), is_cut

    def _label_earlier_turns(self, row: Row, ids: list[int], mask: list[bool]) -> list[str]:
        """Marks the earlier turns of the assistant in `mask` and returns their texts.

        A turn is skipped if it has other tokens in a history than as an answer.
        """
        texts = []
        for index, message in enumerate(row.prompt):
            if message.role != "assistant":
                continue
            before = self._chat.prompt(row.messages[:index]).tokens
            if ids[: len(before)] == before:
                end = ids.index(self._chat.turn_end, len(before)) + 1
                mask[len(before) : end] = [True] * (end - len(before))
                texts.append(message.content)
        return texts


def tokenise(row: Row, tokenizer: Any, max_tokens: int) -> Tokens:
    """Raises `DataProblem` if no part of the answer is within the limit."""
    return RowTokeniser(tokenizer, max_tokens)(row)


def tokenise_all(rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> Tokenised:
    """Tokenises rows and leaves out those whose prompt alone fills the limit.

    Raises:
        DataProblem: no row is left.
    """
    tokeniser = RowTokeniser(tokenizer, max_tokens)
    kept: list[Tokens] = []
    cut: list[str] = []
    left_out: list[str] = []
    for row in rows:
        tokens, is_cut = tokeniser.cut(row)
        if not tokens.mask.any():
            left_out.append(row.id)
            continue
        kept.append(tokens)
        if is_cut:
            cut.append(row.id)
    if rows and not kept:
        raise DataProblem(
            f"the prompts of all {len(rows)} rows fill {max_tokens} tokens; raise `data.max_tokens`.",
            row=rows[0].id,
        )
    return Tokenised(tuple(kept), tuple(cut), tuple(left_out))


def mark_learnt(tokens: Tokens, tokenizer: Any) -> str:
    """The text with the learnt parts between ⟦ and ⟧, for people to check."""
    edges = np.flatnonzero(np.diff(tokens.mask.astype(np.int8), prepend=0)).tolist()
    spans = zip([0, *edges], [*edges, len(tokens)], strict=True)
    parts = []
    for start, end in spans:
        text = tokenizer.decode(tokens.ids[start:end].tolist())
        parts.append(f"⟦{text}⟧" if end > start and tokens.mask[start] else text)
    return "".join(parts)
