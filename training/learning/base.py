"""Loads the base model and makes sure that its tokenizer agrees with llama.cpp.

It knows neither rows nor adapters.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging

from service.backend import sources
from service.engine.catalog import read_catalog
from service.engine.files.atomic_files import folder_lock
from service.engine.files.checksums import known_sha256
from service.engine.files.download import FetchProgress, fetch
from service.engine.llama import Library, LlamaModel
from service.settings import Settings
from training.config import CATALOG, BaseConfig
from training.errors import BaseMismatch, Report
from training.learning.tokens import Vocabulary

UNPACKED = "base.json"
HUB_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
# Texts that tokenizers built from a GGUF have got wrong.
SAMPLES = (
    "In 2024 the 3rd floor paid 1,250.50 euros for 16 chairs; call 0049 30 123456 by 09:45.",
    "12345678 x 90 = ?",
    "Lists:\n- one\n- two\n\n\n  indented   blanks\tand a tab \n",
    "naïve café, “quotes”, l'idée, don't, it's WE'LL, ½ of 3² m², 20 % — 漢字かな 한글 русский עברית",
    'emoji 🙂👩‍🔧 and <tags> {"json": [1, 2.5, -3e10]} x_y->z != f(a)[0];',
    "<|im_start|>system<|im_end|> </s> are plain text here",
)


@dataclass(frozen=True, slots=True)
class Base:
    """`sha256` is the hash of the GGUF, or of the weights in `folder` if there is no GGUF."""

    model: Any
    tokenizer: Any
    sha256: str
    folder: Path
    gguf: Path | None = None


def load_base(config: BaseConfig, *, cache: Path, models_dir: Path, report: Report) -> Base:
    """Loads the base with its weights frozen. A GGUF is unpacked once, into a folder of `cache`.

    Raises:
        BaseMismatch: the base has another hash, or its tokenizer differs from llama.cpp's.
        ModelUnavailable: the base cannot be fetched.
    """
    logging.disable_progress_bar()
    gguf = _gguf(config, models_dir, report)
    if gguf is not None:
        found = known_sha256(gguf)
        folder = cache / found[:16]
    else:
        folder = hub_folder(str(config.hf), report)
        found = _sha256_of_folder(folder)
    if config.sha256 is not None and found != config.sha256:
        raise BaseMismatch(
            f"The base {gguf or folder} has the SHA-256 {found}, but the config names "
            f"{config.sha256}. Correct `base.sha256`, or use the file that the adapter is meant for."
        )
    if gguf is not None and not (folder / UNPACKED).is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with folder_lock(cache, lambda: None):
            # Another process may have unpacked it while this one waited for the lock.
            if not (folder / UNPACKED).is_file():
                _unpack(gguf, folder, found, report)
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=_dtype(config.dtype))
    model.requires_grad_(False)
    if torch.cuda.is_available():
        # The filters and the measurements need the GPU, too: they would take hours without it.
        model.to("cuda")
    return Base(model, AutoTokenizer.from_pretrained(str(folder)), found, folder, gguf)


def _dtype(name: str) -> torch.dtype:
    if name == "auto":
        name = "bfloat16" if torch.cuda.is_available() else "float32"
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def _gguf(config: BaseConfig, models_dir: Path, report: Report) -> Path | None:
    if config.model is None:
        return config.gguf
    model = next(one for one in read_catalog(CATALOG).model if one.name == config.model)
    # The original weights: a copy that was quantised again for serving is less exact.
    return fetch(model, models_dir, sources(Settings()), _Fetching(report))


class _Fetching:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = ""

    def __call__(self, progress: FetchProgress) -> None:
        share = 10 * progress.bytes_done // max(1, progress.bytes_total)
        line = f"{progress.model}: {progress.phase}" + (f", {share}0 %" if share else "")
        if line != self._last and progress.phase != "ready":
            self._report(line)
        self._last = line


def hub_folder(name: str, report: Report) -> Path:
    """The folder with the base, which is fetched from the hub unless `name` is a folder."""
    if Path(name).is_dir():
        return Path(name)
    report(f"Fetching {name} from the hub")
    return Path(snapshot_download(name, allow_patterns=list(HUB_FILES)))


def _sha256_of_folder(folder: Path) -> str:
    """The hash of the one file of weights; with several files, of the list of names and hashes."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BaseMismatch(
            f"{folder} has no *.safetensors files. Name a folder or a model that has them."
        )
    hashes = [known_sha256(file) for file in files]
    if len(hashes) == 1:
        return hashes[0]
    listing = "".join(f"{one}  {file.name}\n" for one, file in zip(hashes, files, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()


def _unpack(gguf: Path, folder: Path, sha256: str, report: Report) -> None:
    """Unpacks to half precision: it holds every quantised value, and exports use it."""
    report(f"Unpacking {gguf.name} (only the first time)")
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    source = {"gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **source)
    match_llama_cpp(tokenizer, gguf)
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent),
        # Otherwise transformers can neither save nor train a model that comes from a GGUF.
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float16,
        **source,
    )
    model.save_pretrained(draft)
    tokenizer.save_pretrained(draft)
    note = {"gguf": gguf.name, "sha256": sha256}
    (draft / UNPACKED).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def match_llama_cpp(tokenizer: Any, gguf: Path) -> None:
    """Changes the tokenizer until it tokenises the samples as llama.cpp does.

    Raises:
        BaseMismatch: a sample is still tokenised differently; the error shows which.
    """
    expected, controls = _llama_cpp_tokens(gguf)
    # llama.cpp recognises some control tokens by their text, whatever the file says.
    unmarked = sorted(controls - set(Vocabulary(tokenizer).control_texts))
    known = tokenizer.get_vocab()
    tokenizer.add_tokens([one for one in unmarked if one in known], special_tokens=True)
    vocabulary = Vocabulary(tokenizer)
    if set(vocabulary.control_texts) != controls:
        odd = set(vocabulary.control_texts) ^ controls
        raise BaseMismatch(
            f"transformers and llama.cpp find different control tokens in {gguf}: {sorted(odd)}. "
            "Name the base with `base.hf` instead."
        )
    differing = _differing(vocabulary, expected)
    if differing:
        backend = tokenizer.backend_tokenizer
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])
        differing = _differing(vocabulary, expected)
    if differing:
        raise BaseMismatch(
            f"The tokenizer that transformers builds from {gguf} differs from llama.cpp's on "
            f"{len(differing)} of {len(SAMPLES)} texts, such as {differing[0]!r}. Name the base "
            "with `base.hf` instead, which uses the model's own tokenizer."
        )


def _differing(vocabulary: Vocabulary, expected: dict[str, list[int]]) -> list[str]:
    return [text for text, ids in expected.items() if vocabulary.tokenise(text) != ids]


def _llama_cpp_tokens(gguf: Path) -> tuple[dict[str, list[int]], set[str]]:
    library = Library()
    try:
        weights = LlamaModel(library, gguf)
        try:
            tokens = {text: weights.tokenise(text) for text in SAMPLES}
            return tokens, set(weights.control_texts)
        finally:
            weights.close()
    finally:
        library.close()
