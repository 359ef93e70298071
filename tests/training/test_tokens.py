from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from service.engine.decoding.chat_template import ChatTokeniser
from service.engine.llama import Library, LlamaModel
from service.engine.types import Message
from service.prompts.methods import METHODS
from service.prompts.tasks import brainstorm_prompt, evaluate_prompt, refine_prompt
from training.data.rows import Row
from training.errors import DataProblem
from training.learning.likelihood import BaseLikelihood, answer_nll, label_losses
from training.learning.packing import choose_bins, fill_bins, lay_out, tokens_in, width_of
from training.learning.tokens import RowTokeniser, Tokens, mark_learnt, tokenise, tokenise_all

ANGLE = METHODS["free"].angles[0]
ANSWER = "Title: A Hook by the Door\nIdea: Hang one hook for 12 keys beside the door."


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Any:
    return AutoTokenizer.from_pretrained(str(tiny_base))


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(str(tiny_base), dtype=torch.float32)


@pytest.fixture(scope="module")
def served(small_gguf: Path) -> Iterator[ChatTokeniser]:
    library = Library()
    weights = LlamaModel(library, small_gguf)
    yield ChatTokeniser(weights, None)
    weights.close()
    library.close()


def row(*prompt: Message, answer: str = ANSWER, **changes: Any) -> Row:
    asked = prompt or (Message("system", "You are brief."), Message("user", "Where do keys go?"))
    messages = (*asked, Message("assistant", answer))
    return replace(Row("row-1", "brainstorm", messages, "test", "CC0-1.0", "keys"), **changes)


CHAT = row(
    Message("user", "Name a tree."),
    Message("assistant", "Oak."),
    Message("user", "Another?"),
    answer="Ash.",
    task="general",
)


@pytest.mark.parametrize(
    "messages",
    [
        brainstorm_prompt("keep 24 keys in one place", ANGLE).messages,
        refine_prompt("key hooks", "12 hooks at 3.50 euros, by the door!!").messages,
        evaluate_prompt("Key hooks", "Hooks for <|im_end|> keys & more, 漢字 🙂.").messages,
        (Message("user", "No system message at all."),),
    ],
    ids=["brainstorm", "refine", "evaluate", "no-system"],
)
def test_prompts_have_the_token_ids_that_are_served(
    messages: tuple[Message, ...], tokenizer: Any, served: ChatTokeniser
) -> None:
    tokens = tokenise(row(*messages), tokenizer, 2048)
    assert tokens.ids[~tokens.mask].tolist() == served.prompt(messages).tokens
    assert tokens.ids[-1] == served.turn_end


def test_only_the_answer_and_its_end_token_are_learnt(tokenizer: Any) -> None:
    tokens = tokenise(row(), tokenizer, 2048)
    assert tokenizer.decode(tokens.ids[tokens.mask].tolist()) == f"{ANSWER}<|im_end|>"
    assert tokens.answer_bytes == len(ANSWER.encode())
    assert np.flatnonzero(np.diff(tokens.mask.astype(int))).tolist() == [
        len(tokens.ids) - tokens.labels - 1
    ]


def test_control_tokens_in_a_text_are_plain_text(tokenizer: Any) -> None:
    written = tokenise(row(answer="Say <|im_end|> twice."), tokenizer, 2048)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert written.ids[written.mask].tolist().count(end) == 1


@pytest.mark.parametrize(
    ("answers", "learnt"), [("last", "Ash.<|im_end|>"), ("all", "Oak.<|im_end|>Ash.<|im_end|>")]
)
def test_the_last_turn_or_all_turns_of_a_chat_are_learnt(
    answers: Any, learnt: str, tokenizer: Any
) -> None:
    tokens = tokenise(replace(CHAT, answers=answers), tokenizer, 2048)
    assert tokenizer.decode(tokens.ids[tokens.mask].tolist()) == learnt
    assert tokens.answer_bytes == len(learnt.replace("<|im_end|>", ""))


def test_learnt_text_is_marked_with_brackets(tokenizer: Any) -> None:
    text = mark_learnt(tokenise(replace(CHAT, answers="all"), tokenizer, 2048), tokenizer)
    assert text.endswith("assistant\n⟦Ash.<|im_end|>⟧")
    assert "⟦Oak.<|im_end|>⟧\n<|im_start|>user\nAnother?" in text


def test_a_row_whose_prompt_fills_the_limit_is_named(tokenizer: Any) -> None:
    with pytest.raises(DataProblem, match="row row-1: its prompt leaves no token"):
        tokenise(row(), tokenizer, 10)


def test_rows_without_room_for_an_answer_are_left_out_and_counted(tokenizer: Any) -> None:
    long = row(Message("user", "word " * 100), id="row-2")
    wordy = row(answer="word " * 100, id="row-3")
    found = tokenise_all([row(), long, wordy], tokenizer, 64)
    assert [one.row for one in found.tokens] == ["row-1", "row-3"]
    assert (found.cut, found.left_out) == (("row-3",), ("row-2",))
    assert [len(one) for one in found.tokens[1:]] == [64]
    assert found.tokens[1].answer_bytes < len("word " * 100)
    with pytest.raises(DataProblem, match="all 1 rows fill 64 tokens"):
        tokenise_all([long], tokenizer, 64)


def tokens(*ids: int, length: int = 0, learnt_from: int = 40) -> Tokens:
    """A row that begins with these ids and continues with unique ones."""
    own = np.arange(length - len(ids)) + 1000 * length
    every = np.concatenate([np.array(ids, np.int32), own.astype(np.int32)])
    return Tokens("", "", "", every, np.arange(length) >= learnt_from, length)


def test_only_bins_with_a_wider_row_exceed_the_width() -> None:
    rows = [tokens(length=n) for n in (90, 30, 40, 60, 10, 120)]

    bins = fill_bins(rows, 100)

    assert sorted(index for one in bins for index in one) == list(range(6))
    assert all(width_of(rows, one) <= 100 or one == [5] for one in bins)


def test_a_shared_beginning_is_stored_once() -> None:
    prompt, other = range(64), range(500, 550)
    rows = [
        tokens(*prompt, length=80, learnt_from=70),
        tokens(*other, length=90, learnt_from=60),
        tokens(*prompt, length=100, learnt_from=70),
        tokens(*other, length=70, learnt_from=60),
    ]

    (bin_,) = choose_bins(rows, 512)
    batch = lay_out(rows, [bin_])

    assert width_of(rows, bin_) == 64 + 16 + 36 + 50 + 40 + 20
    assert batch.input_ids.shape == (1, width_of(rows, bin_))
    assert int((batch.labels != -100).sum()) == sum(row.labels for row in rows)
    assert batch.attention_mask().sum(-1).max() == 100


def test_rows_on_one_topic_share_the_topic_and_the_instructions() -> None:
    task, topic = range(40), range(100, 120)
    rows = [
        tokens(*task, *topic, length=80, learnt_from=70),
        tokens(*task, length=75, learnt_from=65),
        tokens(*task, *topic, length=90, learnt_from=70),
    ]

    (bin_,) = choose_bins(rows, 512)
    sees = lay_out(rows, [bin_]).attention_mask()[0, 0]

    assert width_of(rows, bin_) == 40 + 20 + 20 + 30 + 35
    assert sorted(sees.sum(-1).tolist()) == sorted(
        [*range(1, 41), *range(41, 61), *range(61, 81), *range(61, 91), *range(41, 76)]
    )


def test_shared_tokens_are_counted_once_and_padding_never() -> None:
    prompt = range(64)
    rows = [tokens(*prompt, length=n, learnt_from=70) for n in (80, 100, 90)]

    assert tokens_in(rows, 512) == 64 + 16 + 36 + 26
    assert tokens_in(rows, None) == 80 + 100 + 90


def test_an_answer_is_never_shared() -> None:
    same = tokens(*range(80), length=80, learnt_from=50)

    assert width_of([same, same], [0, 1]) == 49 + 31 + 31


def test_packing_mixed_lengths_takes_less_than_half_of_the_padded_size() -> None:
    lengths = [700, 210, 160, 110, 90, 80, 70, 60, 330, 150, 120, 95, 85, 75, 65, 55]
    rows = [tokens(length=n, learnt_from=10) for n in lengths]
    taken = {
        width: lay_out(rows, choose_bins(rows, width)).labels.numel() for width in (1024, None)
    }
    assert taken[1024] < 1.1 * sum(lengths)
    assert taken[1024] < 0.5 * taken[None]


def test_packed_rows_do_not_see_each_other(model: Any, tokenizer: Any) -> None:
    answers = [ANSWER, "Short.", "A line that is longer than the others. " * 3, "Last 1."]
    rows = tokenise_all([row(answer=one) for one in answers], tokenizer, 512).tokens
    together = [one.nll for one in answer_nll(model, rows)]
    alone = [answer_nll(model, [one])[0].nll for one in rows]
    assert together == pytest.approx(alone, rel=1e-5)
    masked = [_with_attention_mask(model, one) for one in rows]
    assert together == pytest.approx(masked, rel=1e-5)


def _with_attention_mask(model: Any, tokens: Any) -> float:
    ids = torch.from_numpy(tokens.ids.astype(np.int64))[None]
    labels = ids.masked_fill(~torch.from_numpy(tokens.mask), -100)
    with torch.no_grad():
        loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
    return float(loss) * int(tokens.mask.sum())


def test_packed_and_padded_rows_give_the_same_losses(model: Any, tokenizer: Any) -> None:
    system = Message("system", "You are brief.")
    asked = [Message("user", f"Where do {what} go?") for what in ("keys", "cups", "keys", "keys")]
    found = [
        row(system, one, answer="word " * n) for one, n in zip(asked, (2, 40, 7, 23), strict=True)
    ]
    rows = tokenise_all(found, tokenizer, 512).tokens
    with torch.no_grad():
        packed, padded = (
            label_losses(model, lay_out(rows, choose_bins(rows, width))) for width in (160, None)
        )
    assert sorted(packed.tolist()) == pytest.approx(sorted(padded.tolist()), rel=1e-4)


def test_the_base_measures_how_much_a_prompt_helps(model: Any, tokenizer: Any) -> None:
    long = row(Message("user", "word " * 100), id="row-2")
    likelihood = BaseLikelihood(model, tokenizer, 64, lambda _: None)
    known, unknown = likelihood([row(), long])
    tokens = RowTokeniser(tokenizer, 64)(row())
    assert known.nll == pytest.approx(answer_nll(model, [tokens])[0].per_token)
    assert known.ifd == pytest.approx(1.0, abs=0.1)
    assert unknown.nll == unknown.ifd == float("inf")
