"""llama.cpp has one log for the whole process: who is told of it, and who no more."""

import gc
from pathlib import Path

import pytest

from service.engine.llama import Library, LlamaModel
from service.engine.llama.quantise import Quantiser
from service.errors import ModelUnavailable


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(b"no model at all")
    return path


def test_who_is_gone_is_not_told_and_llama_cpp_speaks_for_itself(
    damaged: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    library = Library()
    Quantiser(threads=1)
    gc.collect()

    with pytest.raises(ModelUnavailable):
        LlamaModel(library, damaged)
    assert not library.last_error
    assert "damaged.gguf" in capfd.readouterr().err
    library.close()


def test_the_last_who_asked_is_told_also_when_the_one_before_goes(
    damaged: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = Quantiser(threads=1)
    library = Library()
    del before
    gc.collect()

    with pytest.raises(ModelUnavailable):
        LlamaModel(library, damaged)
    assert library.last_error
    assert library.last_error in capfd.readouterr().err
    library.close()
