import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from service.engine.files.checksums import sha256_of
from service.engine.llama import Library, LlamaModel
from tests.training.conftest import IDEATION
from training.config import BaseConfig
from training.errors import BaseMismatch
from training.learning.base import Base, load_base, match_llama_cpp
from training.learning.tokens import Vocabulary

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@pytest.fixture(scope="module")
def unpacked(small_gguf: Path, cache: Path) -> Base:
    return load_base(BaseConfig(gguf=small_gguf), cache=cache, models_dir=cache, report=print)


def test_a_gguf_is_unpacked_once(unpacked: Base, small_gguf: Path, cache: Path) -> None:
    reported: list[str] = []
    again = load_base(
        BaseConfig(gguf=small_gguf), cache=cache, models_dir=cache, report=reported.append
    )
    assert reported == []
    assert again.folder == unpacked.folder
    assert again.sha256 == sha256_of(small_gguf)
    assert not any(one.requires_grad for one in again.model.parameters())


def test_texts_are_tokenised_as_llama_cpp_tokenises_them(unpacked: Base, small_gguf: Path) -> None:
    lines = (IDEATION / "refine.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["body"] for line in lines]
    library = Library()
    weights = LlamaModel(library, small_gguf)
    ours = Vocabulary(unpacked.tokenizer)
    assert [ours.tokenise(text) for text in texts] == [weights.tokenise(text) for text in texts]
    weights.close()
    library.close()


def test_a_tokenizer_that_differs_from_llama_cpp_is_refused(
    small_gguf: Path, tiny_base: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_base))
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=True, use_regex=False
    )
    with pytest.raises(BaseMismatch, match=r"differs from llama\.cpp's on \d of \d texts"):
        match_llama_cpp(tokenizer, small_gguf)


def test_control_tokens_of_llama_cpp_are_control_tokens_in_training(
    unpacked: Base, small_gguf: Path
) -> None:
    raw = json.loads(unpacked.tokenizer.backend_tokenizer.to_str())
    first = raw["added_tokens"][0]
    first["special"] = False
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(raw)))
    assert first["content"] not in Vocabulary(tokenizer).control_texts

    match_llama_cpp(tokenizer, small_gguf)

    assert Vocabulary(tokenizer).tokenise(first["content"], special=True) == [first["id"]]
    assert set(Vocabulary(tokenizer).control_texts) == set(
        Vocabulary(unpacked.tokenizer).control_texts
    )


def test_a_base_with_another_hash_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    config = BaseConfig(hf=str(tiny_base), sha256="0" * 64)
    with pytest.raises(BaseMismatch, match="names 0000"):
        load_base(config, cache=tmp_path, models_dir=tmp_path, report=print)


def test_the_hash_of_a_folder_is_that_of_its_weights(tiny_base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_base, copy)
    (copy / "README.md").write_text("Beside the weights.", encoding="utf-8")
    base = load_base(BaseConfig(hf=str(copy)), cache=tmp_path, models_dir=tmp_path, report=print)
    assert base.sha256 == sha256_of(tiny_base / "model.safetensors")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseMismatch, match=r"no \*\.safetensors"):
        load_base(BaseConfig(hf=str(tmp_path)), cache=tmp_path, models_dir=tmp_path, report=print)
