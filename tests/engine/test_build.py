"""Building model files, on files of a few hundred kilobytes and on the real small model."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray

from service.engine.catalog import Adapter, CatalogModel
from service.engine.files.atomic_files import require_disk_space
from service.engine.files.build import availability, fetch_and_build, prepare_files, verify_files
from service.engine.files.build_plan import BASE_SHA256_KEY
from service.engine.files.checksums import sha256_of
from service.engine.files.download import FetchProgress, Sources
from service.engine.llama.gguf_file import GgufFile
from service.engine.llama.quantise import type_name
from service.engine.types import AdapterUse, Quantisation
from service.errors import ModelUnavailable
from tests.engine.conftest import READY_S, Ask, Collect, NewBackend, start_backend
from tests.support.gguf import WIDTH, write_adapter, write_gguf

NAMES = "attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down".split()
WEIGHTS = [f"blk.0.{name}.weight" for name in NAMES]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    names = ["token_embd.weight", "output.weight", *WEIGHTS]
    tensors = {name: random.normal(size=(WIDTH, WIDTH)).astype(np.float32) for name in names}
    return write_gguf(tmp_path / "base.gguf", tensors, kind=Kind.Q8_0)


@pytest.fixture
def model(base: Path) -> CatalogModel:
    return CatalogModel("tiny", ("general",), path=base, quantise="q4_0")


def lora(path: Path, seed: int = 2) -> Adapter:
    random = np.random.default_rng(seed)
    sides = [random.normal(size=shape).astype(np.float32) for shape in ((4, WIDTH), (WIDTH, 4))]
    return Adapter(write_adapter(path, {WEIGHTS[0]: (sides[0], sides[1])}))


def silent(_: FetchProgress) -> None:
    pass


def build(model: CatalogModel, models_dir: Path) -> Path:
    return prepare_files(model, models_dir, silent).path


def build_processes(parent: int) -> list[int]:
    """The build processes that a process has started."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            for pid in map(int, (task / "children").read_text().split()):
                if b"build_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
    return found


def until(condition: Callable[[], object], timeout_s: float = READY_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("kind", "types"),
    [("q4_0", {"q4_0"}), ("q8_0", {"q8_0"}), ("q4_k_m", {"q4_K", "q6_K"}), ("f16", {"f16"})],
)
def test_weights_are_requantised(
    model: CatalogModel, tmp_path: Path, kind: Quantisation, types: set[str]
) -> None:
    path = build(replace(model, quantise=kind), tmp_path / "models")
    layout = GgufFile.read(path)

    assert {type_name(layout.tensors[name]) for name in WEIGHTS} <= types
    assert layout.tensors.keys() == GgufFile.read(tmp_path / "base.gguf").tensors.keys()


def test_a_build_reports_progress_and_leaves_only_the_file_and_its_records(
    model: CatalogModel, tmp_path: Path
) -> None:
    seen: list[FetchProgress] = []
    path = fetch_and_build(model, tmp_path / "models", Sources("", ""), seen.append)

    assert {one.phase for one in seen} == {"building", "verifying", "ready"}
    assert all(0 <= one.bytes_done <= one.bytes_total for one in seen)
    assert {one.name.removeprefix(path.name) for one in path.parent.iterdir()} == {
        "",
        ".build.json",
        ".sha256.json",
        ".lock",
    }


def test_an_existing_build_is_not_built_again(model: CatalogModel, tmp_path: Path) -> None:
    path = build(model, tmp_path)
    inode = path.stat().st_ino

    assert build(model, tmp_path) == path
    assert path.stat().st_ino == inode


def test_a_built_model_does_not_need_its_base_any_more(
    model: CatalogModel, base: Path, tmp_path: Path
) -> None:
    model = replace(model, sha256=sha256_of(base))
    path = build(model, tmp_path)
    base.unlink()

    assert build(model, tmp_path) == path


def test_a_bundled_build_is_served_from_its_own_folder(model: CatalogModel, tmp_path: Path) -> None:
    path = build(model, tmp_path)

    assert build(model, tmp_path / "data") == path
    assert not (tmp_path / "data").exists()


def test_the_time_of_a_built_file_has_whole_seconds(model: CatalogModel, tmp_path: Path) -> None:
    assert build(model, tmp_path).stat().st_mtime_ns % 1_000_000_000 == 0


def test_a_built_file_that_was_changed_is_built_again(model: CatalogModel, tmp_path: Path) -> None:
    path = build(model, tmp_path)
    found = sha256_of(path)
    path.write_bytes(path.read_bytes()[:-64] + bytes(64))

    assert sha256_of(build(model, tmp_path)) == found


def test_a_local_file_is_never_changed(model: CatalogModel, base: Path, tmp_path: Path) -> None:
    before = base.read_bytes()
    adapter = lora(tmp_path / "lora.gguf")
    path = build(replace(model, adapter=adapter, quantise=None), tmp_path / "models")

    assert path != base
    assert base.read_bytes() == before


def test_another_adapter_makes_another_file_and_the_old_one_is_removed(
    model: CatalogModel, tmp_path: Path
) -> None:
    models_dir = tmp_path / "models"
    old = build(replace(model, adapter=lora(tmp_path / "lora.gguf")), models_dir)
    new = build(replace(model, adapter=lora(tmp_path / "lora.gguf", seed=3)), models_dir)

    assert new != old
    assert [one.name for one in models_dir.glob("*.gguf")] == [new.name]


def test_a_merged_adapter_is_reported_with_its_hash(model: CatalogModel, tmp_path: Path) -> None:
    adapter = lora(tmp_path / "lora.gguf")
    merged = prepare_files(replace(model, adapter=adapter), tmp_path, silent)
    shared = prepare_files(replace(model, adapter=replace(adapter, use="shared")), tmp_path, silent)

    assert merged.adapter is None
    assert shared.adapter is not None
    assert merged.adapter_sha256 == shared.adapter_sha256 == sha256_of(adapter.path)
    assert merged.sha256 != shared.sha256


def test_a_small_change_survives_a_coarser_type(model: CatalogModel, tmp_path: Path) -> None:
    def read(path: Path, name: str) -> NDArray[np.float32]:
        tensor = next(one for one in gguf.GGUFReader(path).tensors if one.name == name)
        values: NDArray[np.float32] = gguf.dequantize(tensor.data, tensor.tensor_type)
        return values

    adapter = replace(lora(tmp_path / "lora.gguf"), scale=0.01)
    merged = build(replace(model, adapter=adapter), tmp_path / "merged")
    plain = build(model, tmp_path / "plain")
    sides = [read(adapter.path, f"{WEIGHTS[0]}.lora_{side}") for side in "ab"]
    wanted = 0.01 * sides[1] @ sides[0]
    change = read(merged, WEIGHTS[0]) - read(plain, WEIGHTS[0])

    assert np.vdot(change, wanted) / np.vdot(wanted, wanted) == pytest.approx(1.0, abs=0.3)


def test_a_cancelled_build_leaves_nothing_behind(model: CatalogModel, tmp_path: Path) -> None:
    class GivenUp(Exception):
        pass

    def report(_: FetchProgress) -> None:
        raise GivenUp

    with pytest.raises(GivenUp):
        prepare_files(model, tmp_path / "models", report)

    assert [one.name for one in (tmp_path / "models").iterdir()] == [".lock"]
    assert build_processes(os.getpid()) == []


def test_a_build_process_that_dies_is_reported_and_leaves_nothing_behind(
    small_path: Path, tmp_path: Path
) -> None:
    # A small file would be done before the process that builds it is found.
    model = CatalogModel("m", ("general",), path=small_path, quantise="f16")

    def report(_: FetchProgress) -> None:
        for pid in build_processes(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(ModelUnavailable, match=rf"{small_path.name}.*stopped \(SIGKILL\)"):
        prepare_files(model, tmp_path / "models", report)

    assert [one.name for one in (tmp_path / "models").iterdir()] == [".lock"]


SERVER = """
import sys
from pathlib import Path
from service.engine.files.build import prepare_files
from service.engine.catalog import CatalogModel
model = CatalogModel("m", ("general",), path=Path(sys.argv[1]), quantise="q8_0")
prepare_files(model, Path(sys.argv[2]), lambda _: None)
"""


@pytest.fixture
def killed(small_path: Path, tmp_path: Path) -> Iterator[Path]:
    """A models folder whose server was killed during a build."""
    models_dir = tmp_path / "models"
    command = [sys.executable, "-c", SERVER, str(small_path), str(models_dir)]
    with subprocess.Popen(command) as process:
        until(lambda: list(models_dir.glob(".build-*")))
        (build_process,) = build_processes(process.pid)
        process.kill()
    yield models_dir
    until(lambda: not Path(f"/proc/{build_process}").exists())


def test_an_unfinished_build_of_a_killed_server_is_never_served(
    killed: Path, small_path: Path
) -> None:
    model = CatalogModel("m", ("general",), path=small_path, quantise="q8_0")
    was_there = [one.name for one in killed.glob("*.gguf")]
    path = build(model, killed)

    assert was_there == []
    assert list(killed.glob(".build-*")) == []
    assert path.is_file()


def test_two_servers_build_a_file_once(model: CatalogModel, tmp_path: Path) -> None:
    phases: list[str] = []

    def run() -> None:
        prepare_files(model, tmp_path / "models", lambda one: phases.append(one.phase))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(list((tmp_path / "models").glob("*.gguf"))) == 1
    assert "waiting" in phases


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda data: data[:-4096], "is cut off"),
        (lambda _: b"GGUF" + bytes(200), "is not a GGUF file"),
        (lambda data: data.replace(b"llama", b"lemma"), "cannot quantise"),
    ],
)
def test_a_damaged_base_is_refused_with_the_reason(
    model: CatalogModel,
    base: Path,
    tmp_path: Path,
    content: Callable[[bytes], bytes],
    words: str,
) -> None:
    base.write_bytes(content(base.read_bytes()))

    with pytest.raises(ModelUnavailable, match=r"base\.gguf") as error:
        build(model, tmp_path / "models")

    assert words in error.value.detail


def test_a_read_only_folder_is_reported(model: CatalogModel, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ModelUnavailable, match=r"Cannot build base\.gguf"):
        build(model, tmp_path / "file" / "models")


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"GB free, and building it needs 100000\.1 GB"):
        require_disk_space(tmp_path, 10**14, "building it")


def test_each_verified_file_of_a_model_is_listed(
    model: CatalogModel, base: Path, tmp_path: Path
) -> None:
    models_dir = tmp_path / "models"
    before = availability(model, models_dir)
    with pytest.raises(ModelUnavailable, match="models fetch"):
        list(verify_files(model, models_dir))
    path = build(model, models_dir)

    assert before == "fetched, to be built: base.gguf, re-quantised to q4_0"
    assert availability(model, models_dir) == "here, built from base.gguf, re-quantised to q4_0"
    assert [line.split(" is correct")[0] for line in verify_files(model, models_dir)] == [
        str(base),
        str(path),
    ]


def test_a_server_builds_what_is_missing_while_it_starts(
    new_backend: NewBackend, small: CatalogModel, tmp_path: Path, collect: Collect, ask: Ask
) -> None:
    model = replace(small, quantise="q8_0", slots=1, context=512)
    backend = new_backend(model, models_dir=tmp_path)
    (info,) = backend.models()
    (built,) = tmp_path.glob("*.gguf")

    assert info.state == "ready"
    assert info.weights_sha256 == sha256_of(built)
    assert collect(ask(max_tokens=2), backend)


def test_a_server_that_stops_cancels_its_build_at_once(
    runner: asyncio.Runner, small: CatalogModel, tmp_path: Path
) -> None:
    async def begin_and_stop() -> float:
        await asyncio.to_thread(until, lambda: backend.models()[0].state == "fetching")
        began = time.monotonic()
        await backend.close()
        return time.monotonic() - began

    backend = start_backend(runner, (replace(small, quantise="f16"),), tmp_path)
    took_s = runner.run(asyncio.wait_for(begin_and_stop(), READY_S))
    until(lambda: build_processes(os.getpid()) == [])

    assert took_s < 5
    until(lambda: list(tmp_path.glob("*.gguf")) == list(tmp_path.glob(".build-*")) == [])


@pytest.mark.parametrize("use", ["merged", "shared"])
def test_an_adapter_that_was_trained_on_another_file_is_refused(
    model: CatalogModel, tmp_path: Path, use: AdapterUse
) -> None:
    path = write_adapter(tmp_path / "lora.gguf", {}, texts={BASE_SHA256_KEY: "a" * 64})
    model = replace(model, quantise=None, adapter=Adapter(path, use=use))

    with pytest.raises(ModelUnavailable, match="was made for"):
        prepare_files(model, tmp_path / "models", silent)
    with pytest.raises(ModelUnavailable, match="was made for"):
        list(verify_files(model, tmp_path / "models"))
