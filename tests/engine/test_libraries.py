"""The two libraries of llama.cpp: one layout, the same answers, and nothing else gets in."""

import ctypes
import importlib.util
import json
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import llama_cpp
import pytest

from service.engine.files.speeds import Speeds, library_line, measure
from service.engine.llama import c_api, structures
from service.engine.llama.libraries import (
    CHOICE_VARIABLE,
    NATIVE,
    PREBUILT,
    NativeLibrary,
    best_library,
    libraries,
)
from service.errors import ModelUnavailable
from tests.support.app_server import serving

STRUCTURES: dict[str, type[ctypes.Structure]] = {
    "llama_model_params": structures.ModelParams,
    "llama_context_params": structures.ContextParams,
    "llama_model_quantize_params": structures.QuantizeParams,
    "llama_sampler_chain_params": structures.SamplerChainParams,
    "llama_batch": structures.Batch,
    "llama_token_data": structures.TokenData,
    "llama_token_data_array": structures.TokenDataArray,
    "llama_chat_message": structures.ChatMessage,
}
IDEA = {
    "title": "A tool library in the old fire station",
    "body": "Neighbours lend drills and ladders; a rota of volunteers opens it on two evenings.",
}
QUESTION = {
    "model": "general",
    "messages": [{"role": "user", "content": "Name three uses for an empty shop window."}],
    "temperature": 0,
    "max_tokens": 48,
    "logprobs": True,
    "top_logprobs": 5,
}
NEAR = 0.3
Layout = list[tuple[str, int, int]]


def layout_of(kind: type[ctypes.Structure]) -> Layout:
    """The name, offset and size of each field."""
    fields = [field[0] for field in kind._fields_]
    return [(name, getattr(kind, name).offset, getattr(kind, name).size) for name in fields]


@pytest.fixture(scope="module")
def prebuilt() -> NativeLibrary:
    return next(one for one in libraries() if one.package == PREBUILT)


@pytest.fixture(scope="module")
def declarations(prebuilt: NativeLibrary) -> ModuleType:
    """What the prebuilt library's package declares by its own header, without its library."""
    path = prebuilt.path.with_name("_cffi_bindings.py")
    spec = importlib.util.spec_from_file_location("declarations", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_are_those_of_the_library_that_is_compiled_here(name: str) -> None:
    theirs, ours = getattr(llama_cpp, name), STRUCTURES[name]

    assert layout_of(ours) == layout_of(theirs)
    assert ctypes.sizeof(ours) == ctypes.sizeof(theirs)


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_are_those_of_the_prebuilt_library(declarations: ModuleType, name: str) -> None:
    kind = declarations.ffi.typeof(f"struct {name}" if name != "llama_batch" else name)
    theirs = [(field, one.offset, declarations.ffi.sizeof(one.type)) for field, one in kind.fields]

    assert layout_of(STRUCTURES[name]) == theirs
    assert ctypes.sizeof(STRUCTURES[name]) == declarations.ffi.sizeof(kind)


@pytest.mark.parametrize("name", [name for name in c_api.FUNCTIONS if name.startswith("llama")])
def test_functions_take_what_the_library_takes(name: str) -> None:
    result, arguments = c_api.FUNCTIONS[name]
    theirs = getattr(llama_cpp, name)

    assert [ctypes.sizeof(one) for one in arguments] == [
        ctypes.sizeof(one) for one in theirs.argtypes
    ]
    assert (result and ctypes.sizeof(result)) == (theirs.restype and ctypes.sizeof(theirs.restype))


CHANGED = """
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef struct { %s } params;
params %s(void) { params it = { %s }; return it; }
"""


def compiled(folder: Path, fields: str, values: str, name: str) -> Any:
    source, library = folder / "changed.c", folder / "changed.so"
    source.write_text(CHANGED % (fields, name, values))
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", source, "-o", library], check=True)
    return ctypes.CDLL(str(library))


PLAIN = "int32_t nthread, ftype, output, embedding; bool flags[6]; void *pointers[4]; size_t most;"
VALUES = "0, 7, 43, 43, {0, 1, 0, 0, 0, 0}, {0}, 8589934592"


@pytest.mark.parametrize(
    ("fields", "values", "is_ours"),
    [
        (PLAIN, VALUES, True),
        # Later versions grew in these two ways.
        (f"{PLAIN} size_t further;", f"{VALUES}, 0", False),
        (f"int32_t first; {PLAIN}", f"0, {VALUES}", False),
    ],
    ids=["ours", "a field more at the end", "a field more at the start"],
)
def test_a_library_with_another_layout_is_recognised_before_it_is_used(
    tmp_path: Path, fields: str, values: str, is_ours: bool
) -> None:
    name = "llama_model_quantize_default_params"
    library = compiled(tmp_path, fields, values, name)

    found = c_api.is_laid_out_as(
        getattr(library, name), structures.QuantizeParams, c_api.KNOWN[name]
    )

    assert found is is_ours


def test_a_prebuilt_library_with_another_hash_is_refused(
    prebuilt: NativeLibrary, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(prebuilt.path.parent, tmp_path / "package"))
    changed = folder / "libggml-cpu.so.0"
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)

    with pytest.raises(ModelUnavailable, match=r"libggml-cpu\.so\.0 is not the library"):
        c_api.load(replace(prebuilt, path=folder / prebuilt.path.name))


def test_a_missing_library_of_openmp_is_named_with_its_package(
    prebuilt: NativeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    with pytest.raises(ModelUnavailable, match="apt-get install libgomp1"):
        c_api.load(prebuilt)


def test_a_cpu_without_its_instructions_gets_no_prebuilt_library(prebuilt: NativeLibrary) -> None:
    with pytest.raises(ModelUnavailable, match="which this CPU lacks"):
        c_api.load(replace(prebuilt, needed_features=frozenset({"avx9"})))


def test_the_library_that_was_compiled_here_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert best_library().package == NATIVE
    monkeypatch.setenv(CHOICE_VARIABLE, PREBUILT)
    assert best_library().package == PREBUILT
    monkeypatch.setenv(CHOICE_VARIABLE, "another")
    with pytest.raises(ModelUnavailable, match="no library"):
        best_library()


def answers_with(package: str, folder: Path) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The tokens of a greedy answer, and the scores of an idea, of a server with this library."""
    folder.mkdir()
    with serving(folder, **{CHOICE_VARIABLE: package}) as server:
        server.await_models()
        answer = server.http.post("/v1/chat/completions", json=QUESTION).json()
        # The small model sometimes writes nothing that can be used beside the scores.
        told = (server.http.post("/api/v1/evaluate", json=IDEA) for _ in range(5))
        evaluation = next(one.json() for one in told if one.status_code == 200)
    return answer["choices"][0]["logprobs"]["content"], evaluation["scores"]


def likelihoods(token: dict[str, Any]) -> dict[str, float]:
    return {one["token"]: one["logprob"] for one in token["top_logprobs"]}


def test_both_libraries_give_the_same_scores_and_almost_the_same_likelihoods(
    tmp_path: Path,
) -> None:
    (ours, scores), (theirs, their_scores) = (
        answers_with(one, tmp_path / one) for one in (NATIVE, PREBUILT)
    )

    # Scores are rounded to a tenth.
    assert their_scores == pytest.approx(scores, abs=0.11)
    # They round differently, so a greedy answer may part where two tokens are as likely. Up to
    # there the same tokens are as likely in both, and there the two are.
    for one, other in zip(ours, theirs, strict=False):
        known, found = likelihoods(one), likelihoods(other)
        assert all(abs(known[token] - found[token]) < NEAR for token in known.keys() & found.keys())
        if one["token"] != other["token"]:
            assert known[one["token"]] - known[other["token"]] < NEAR
            break


def test_speeds_are_measured_with_each_library_and_kept(small_path: Path, tmp_path: Path) -> None:
    for library in libraries():
        speed = measure(library, "small", small_path, threads=1, gpu_layers=0)
        Speeds(tmp_path).keep(speed)

    speeds = list(Speeds(tmp_path))
    assert [one.library.split()[0] for one in speeds] == [NATIVE, PREBUILT]
    assert all(one.answer_tokens_per_s > 0 and one.prompt_tokens_per_s > 0 for one in speeds)
    line = library_line(Speeds(tmp_path), "small")
    assert f"{speeds[0].answer_tokens_per_s:.1f} tokens a second" in line
    assert f"{speeds[1].library}: {speeds[1].answer_tokens_per_s:.1f}" in line


def test_a_model_that_cannot_be_measured_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"no model")

    with pytest.raises(ModelUnavailable, match=r"not be measured: llama\.cpp cannot load"):
        measure(best_library(), "damaged", damaged, threads=2, gpu_layers=0)


def test_a_measurement_ends_at_once_when_it_is_to_stop(small_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()

    with pytest.raises(ModelUnavailable, match="could not be measured"):
        measure(best_library(), "small", small_path, threads=1, gpu_layers=0, stopping=stopping)


def test_figures_of_another_cpu_do_not_count(tmp_path: Path) -> None:
    speeds = Speeds(tmp_path)
    figure = {
        "library": str(best_library()),
        "model": "small",
        "size_bytes": 1,
        "cpu": "another CPU",
        "threads": 2,
        "gpu_layers": 0,
        "prompt_tokens_per_s": 1.0,
        "answer_tokens_per_s": 1.0,
    }
    (tmp_path / "speeds.json").write_text(json.dumps([figure]))

    assert list(speeds) == []
