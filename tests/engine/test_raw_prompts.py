"""Raw prompts on the real small model: no template, but control tokens and token ids."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.engine.llama import Library, LlamaModel, render_chat
from service.engine.types import Event, Finished, RawPrompt, Sampling, Started
from service.errors import InvalidInput
from tests.engine.conftest import Ask, Collect

GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def weights(small_path: Path) -> Iterator[LlamaModel]:
    weights = LlamaModel(Library(), small_path)
    yield weights
    weights.close()


def test_a_filled_in_template_is_answered_like_its_chat(
    weights: LlamaModel, collect: Collect, ask: Ask, text_of: Callable[[list[Event]], str]
) -> None:
    chat = ask(sampling=GREEDY)
    assert weights.chat_template is not None
    rendered = render_chat(weights.chat_template, chat.messages)
    tokens = tuple(weights.tokenise(rendered, special=True))

    of_chat = collect(chat)
    of_text = collect(ask(messages=(), prompt=rendered, sampling=GREEDY))
    of_tokens = collect(ask(messages=(), prompt=tokens, sampling=GREEDY))

    assert text_of(of_chat) == text_of(of_text) == text_of(of_tokens) != ""
    assert of_chat[0] == of_text[0] == of_tokens[0] == Started(len(tokens))


def test_a_raw_text_is_continued(
    collect: Collect, ask: Ask, text_of: Callable[[list[Event]], str]
) -> None:
    events = collect(ask(messages=(), prompt="One, two, three, four,", sampling=GREEDY))

    assert "seven, eight" in text_of(events)


def test_the_tokens_of_a_repeated_raw_prompt_are_reused(collect: Collect, ask: Ask) -> None:
    words = " ".join(f"word{number}" for number in range(100))

    collect(ask(messages=(), prompt=words))
    end = collect(ask(messages=(), prompt=words))[-1]

    assert isinstance(end, Finished)
    assert end.usage.cached_tokens > 0


@pytest.mark.parametrize("prompt", [(-1,), (10**7,), (), ""])
def test_a_prompt_that_the_model_cannot_read_is_refused(
    collect: Collect, ask: Ask, prompt: RawPrompt
) -> None:
    with pytest.raises(InvalidInput, match=r"empty|the token"):
        collect(ask(messages=(), prompt=prompt))


def test_messages_and_a_raw_prompt_exclude_each_other(collect: Collect, ask: Ask) -> None:
    with pytest.raises(InvalidInput, match="not both"):
        collect(ask(prompt="x"))
