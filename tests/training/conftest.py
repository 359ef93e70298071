"""Fixtures: a tiny random model that trains in seconds, a few records, and the real small model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from service.backend import sources
from service.engine.catalog import read_catalog
from service.engine.files.build import fetch_and_build
from service.settings import PROJECT_ROOT, Settings
from training.config import (
    BaseConfig,
    DataConfig,
    DuplicateConfig,
    LoraConfig,
    RunConfig,
    SourceConfig,
    TrainConfig,
    with_values,
)

IDEATION = PROJECT_ROOT / "training" / "datasets" / "ideation"
RECORDS = {"brainstorm": 4, "refine": 4, "evaluate": 4}

MakeConfig = Callable[..., RunConfig]


def quiet(_: str) -> None:
    """Drops a progress report."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Uses one thread: the tiny model has no work for two, which would wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_gguf() -> Path:
    """The GGUF of the small starter model as it is served; fetched and built if necessary."""
    settings = Settings()
    model = read_catalog(settings.catalog).select("small").models[0]
    folder = settings.models_dir.absolute()
    return fetch_and_build(model, folder, sources(settings), lambda _: None)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory, small_gguf: Path) -> Path:
    """A folder with a random model of two layers and the tokenizer of the small model."""
    folder = tmp_path_factory.mktemp("tiny-base")
    tokenizer = AutoTokenizer.from_pretrained(str(small_gguf.parent), gguf_file=small_gguf.name)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def ideation_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first records of each task of the ideation set."""
    folder = tmp_path_factory.mktemp("ideation")
    for task, count in RECORDS.items():
        lines = (IDEATION / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        assert all(json.loads(line)["task"] == task for line in lines)
        (folder / f"{task}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def config_maker(folder: Path, base: Path, records: Path) -> MakeConfig:
    """Makes configs of runs of six steps in that folder; changes are dotted keys with `__` for the dot."""

    def build(name: str = "tiny", **changes: Any) -> RunConfig:
        config = RunConfig(
            name=name,
            output=folder / "runs",
            base=BaseConfig(hf=str(base)),
            data=DataConfig(
                sources=(SourceConfig(kind="ideation", path=records, licence="CC0-1.0"),),
                test_share=0.2,
                validation_share=0.2,
                split_seed=2,
                max_tokens=768,
                duplicates=DuplicateConfig(near=0),
            ),
            lora=LoraConfig(r=4, alpha=8),
            training=TrainConfig(
                learning_rate=1e-2,
                epochs=3,
                max_steps=6,
                batch_size=4,
                eval_steps=2,
                warmup_steps=1,
            ),
        )
        return with_values(config, {key.replace("__", "."): one for key, one in changes.items()})

    return build


@pytest.fixture
def tiny_config(tmp_path: Path, tiny_base: Path, ideation_records: Path) -> MakeConfig:
    return config_maker(tmp_path, tiny_base, ideation_records)
