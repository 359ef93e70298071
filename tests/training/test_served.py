"""The small model behind its synchronous face."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.engine.catalog import Adapter, read_catalog
from service.engine.files.build_plan import BASE_SHA256_KEY, Recipe
from service.engine.files.checksums import sha256_of
from service.engine.types import GenerateRequest, Message, Sampling
from service.errors import ModelUnavailable, PromptTooLong
from service.prompts.tasks import evaluate_prompt
from service.settings import Settings
from tests.support.gguf import write_adapter
from training.inference.served import Adapted, Kept, Served, identity, request_of, served

pytestmark = pytest.mark.slow

QUESTION = (Message("system", "You are brief."), Message("user", "Name a fruit that is yellow."))


@pytest.fixture(scope="module")
def model(small_gguf: Path) -> Iterator[Served]:
    with served(small_gguf, context=1024, slots=4) as model:
        yield model


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough to change what the model says; it names the weights of the catalog."""
    random = np.random.default_rng(7)
    pairs = {
        f"blk.{block}.attn_q.weight": (
            random.normal(scale=0.1, size=(4, 576)).astype(np.float32),
            random.normal(scale=0.1, size=(576, 4)).astype(np.float32),
        )
        for block in range(8)
    }
    small = read_catalog(Settings().catalog).select("small").models[0]
    path = tmp_path_factory.mktemp("adapter") / "lora.gguf"
    return write_adapter(path, pairs, texts={BASE_SHA256_KEY: str(small.sha256)})


def ask(max_tokens: int) -> GenerateRequest:
    # The end of a turn is forbidden: it writes until it has to stop.
    endless = Sampling(seed=1, logit_bias=((0, -100.0), (2, -100.0)))
    return GenerateRequest("same", "any", QUESTION, max_tokens, endless)


def test_it_carries_the_hash_of_its_file(model: Served, small_gguf: Path) -> None:
    assert model.sha256 == sha256_of(small_gguf)


def test_answers_of_a_base_and_of_it_with_an_adapter_are_kept_apart(
    small_gguf: Path, adapter: Path, tmp_path: Path
) -> None:
    chat = (*QUESTION, Message("assistant", "A banana."))
    both = Adapted(small_gguf, adapter)
    kept = tmp_path / "kept.jsonl"
    found = []
    for source in (small_gguf, both):
        with served(source, context=1024, slots=1, kept=Kept(kept)) as model:
            found.append((model.sha256, model.score([chat])))
    (alone_sha256, alone), (both_sha256, beside) = found

    assert alone != beside
    assert both_sha256 == f"{alone_sha256} + {sha256_of(adapter)}"
    assert both.name == f"{small_gguf.name} with lora.gguf"


def test_a_model_with_an_adapter_is_the_one_that_the_service_knows(
    small_gguf: Path, adapter: Path
) -> None:
    """Whether the base's copy in another type is built by the catalog or named as a file."""
    small = read_catalog(Settings().catalog).select("small").models[0]
    folder = Settings().models_dir.absolute()
    recipe = Recipe.in_effect(replace(small, adapter=Adapter(adapter, use="shared")), folder)
    weights = small.weights_path(folder)
    plain = replace(small, path=weights, wheels=None, quantise=None)
    other = Recipe.in_effect(replace(plain, adapter=Adapter(adapter, use="shared")), folder)

    assert recipe is not None
    assert other is not None
    assert identity(Adapted(small_gguf, adapter)) == recipe.identity
    assert identity(Adapted(weights, adapter)) == other.identity


def test_an_adapter_of_another_base_is_refused_unless_any_base_will_do(
    small_gguf: Path, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "lora.gguf", {}, texts={BASE_SHA256_KEY: "a" * 64})
    chat = (*QUESTION, Message("assistant", "A banana."))

    with (
        pytest.raises(ModelUnavailable, match="was made for"),
        served(Adapted(small_gguf, adapter), slots=1) as model,
    ):
        model.score([chat])
    with served(Adapted(small_gguf, adapter, any_base=True), slots=1) as model:
        assert model.score([chat])[0].tokens > 0


def test_scores_come_in_the_order_of_the_chats(model: Served) -> None:
    reported: list[tuple[int, int]] = []
    chats = [(*QUESTION, Message("assistant", text)) for text in ("A banana.", "A seldom.", "")]
    banana, seldom, nothing = model.score(chats, on_done=lambda *done: reported.append(done))

    assert sum(banana.logprobs) > sum(seldom.logprobs)
    assert nothing.tokens == 1
    assert reported == [(1, 3), (2, 3), (3, 3)]


def test_many_requests_run_at_once_whatever_their_ids(model: Served) -> None:
    answers = model.generate([ask(count) for count in range(1, 9)])

    assert [one.usage.completion_tokens for one in answers] == list(range(1, 9))
    assert all(one.text and one.finish == "length" for one in answers)


def test_a_prompt_is_asked_as_it_is_served_or_without_its_grammar() -> None:
    prompt = evaluate_prompt("Bin day magnet", "A fridge magnet with two sides.", seed=7)
    request = request_of(prompt)

    assert request.messages == prompt.messages
    assert (request.grammar, request.max_tokens) == (prompt.grammar, prompt.max_tokens)
    assert request.sampling == prompt.sampling
    assert request_of(prompt, with_grammar=False).grammar is None


def test_embeddings_are_a_row_for_each_text(model: Served) -> None:
    vectors = model.embed(["A garden on the roof.", "Rent out desks.", "A garden on the roof."])

    assert vectors.shape == (3, 576)
    assert np.array_equal(vectors[0], vectors[2])
    assert not np.array_equal(vectors[0], vectors[1])


def test_one_failure_ends_the_whole_call_and_the_next_one_works(model: Served) -> None:
    long = Message("assistant", "word " * 2000)

    with pytest.raises(PromptTooLong):
        model.score([(*QUESTION, long), (*QUESTION, Message("assistant", "Yes."))])
    assert model.score([(*QUESTION, Message("assistant", "Yes."))])[0].tokens == 3


def test_a_measurement_that_was_stopped_asks_only_for_what_it_has_not(
    small_gguf: Path, tmp_path: Path
) -> None:
    file = tmp_path / "kept.jsonl"
    chat = (*QUESTION, Message("assistant", "A banana."))
    with served(small_gguf, context=1024, slots=4, kept=Kept(file)) as model:
        answers, scored = model.generate([ask(3), ask(4)]), model.score([chat])
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[0] = lines[0].replace(answers[0].text.strip(), "from the file")
    file.write_text("".join(lines) + '["cut', encoding="utf-8")

    with served(small_gguf, context=1024, slots=4, kept=Kept(file)) as model:
        again = model.generate([ask(3), ask(4), ask(5)])
        scored_again = model.score([chat])

    assert "from the file" in "".join(one.text for one in again[:2])
    assert (again[2].usage.completion_tokens, scored_again) == (5, scored)
    assert len(file.read_text(encoding="utf-8").splitlines()) == 4


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"none\.gguf"), served(tmp_path / "none.gguf"):
        pass
