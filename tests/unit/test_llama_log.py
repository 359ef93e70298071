"""llama.cpp has one log for the whole process: only the latest listener gets it."""

import gc
from pathlib import Path

import pytest

from service.engine.llama import Library, LlamaModel
from service.engine.llama.quantise import Quantiser
from service.errors import ModelUnavailable


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(b"not a model")
    return path


def test_a_listener_that_is_gone_gets_no_messages_and_llama_cpp_writes_to_stderr(
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


def test_the_latest_listener_keeps_the_log_when_an_earlier_one_goes(
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
