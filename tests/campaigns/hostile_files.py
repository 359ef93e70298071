"""Files made to stop the server, and random changes of them, sent to a running server."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import get_args

from benchmarks.bench_soak import Figures
from service.errors import InvalidArchive, InvalidFile, InvalidInput
from service.schemas.imports import ImportFormat
from service.transfer.file_reader import FileReader
from tests.campaigns.neighbour import Neighbour
from tests.campaigns.report import Report, tell
from tests.support.app_server import Server, serving, without_models
from tests.support.hostile_files import BOMBS, CASES, STRICT, read

FILES = 600
LARGEST_BYTES = 1_000_000
# Of the reading process by its limit of CPU, on a server with other work.
LONGEST_S = 240.0
GROWTH_MB = 100.0
FORMATS: tuple[ImportFormat, ...] = get_args(ImportFormat)
PIECES = (
    b'"', b'""', b"<!--", b"-->", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\n\n", b"\t", b"- [x] ",
    b"# ", b"> ", b"[a](", b"`", b"*", b"&#0;", b"{", b"[", b"}]", b"\\u0000", b"\\ud800", b"1e999",
    b"=cmd()", "\u202e".encode(), "\u0301".encode(), b"](javascript:", b"<script>", b"\r", b",",
)  # fmt: skip
EXPORTS: dict[ImportFormat, str] = {"json": "json", "markdown": "markdown", "csv": "csv"}
Case = tuple[ImportFormat, bytes]


def campaign(folder: Path, *, files: int = FILES, seed: int = 3) -> Report:
    report = Report("Hostile files")
    _add_collection(report)
    with serving(folder, **without_models(folder)) as server:
        _add_mutants(report, server, files, seed)
    return report


def _add_collection(report: Report) -> None:
    """The same as the short test, which names each file."""
    faults, began = [], time.monotonic()
    for name, (format, text) in CASES.items():
        try:
            read(FileReader(STRICT), format, text)
        except (InvalidFile, InvalidArchive):
            pass
        except InvalidInput as error:
            faults.append(f"{name}: {error.detail}")
    for name, (format, text) in BOMBS.items():
        try:
            read(FileReader(STRICT), format, text)
            faults.append(f"{name} was read")
        except InvalidInput as error:
            if "takes too" not in str(error.detail):
                faults.append(f"{name}: {error.detail}")
    tell(f"the collection took {time.monotonic() - began:.0f} s")
    promised = "read or refused in 1 s of CPU and 100 MB; bombs are refused"
    report.add_faults("files of the collection", len(CASES) + len(BOMBS), faults, promised)


def _add_mutants(report: Report, server: Server, files: int, seed: int) -> None:
    chance, ends, took_s = random.Random(seed), Counter[str](), list[float]()
    faults: list[str] = []
    known = [*_exports(server), *((kind, text.encode()) for kind, text in CASES.values())]
    before = Figures.of(server.process.pid)
    with Neighbour(server) as neighbour:
        for number in range(files):
            format, content = _mutant(chance, known)
            began = time.monotonic()
            end = _import(server, format, content, is_dry=number % 3 != 0)
            took_s.append(time.monotonic() - began)
            ends[end] += 1
            if not end.startswith(("200", "422")):
                faults.append(f"file {number} of seed {seed}, {format}: {end}")
            if (number + 1) % 50 == 0:
                tell(f"{number + 1} of {files} files, {dict(ends)}")
    grown = Figures.of(server.process.pid).rss_mb - before.rss_mb
    seen = ", ".join(f"{end} {count}" for end, count in ends.most_common())
    report.add_faults(
        f"random changes of these files and of exports, seed {seed} ({seen})",
        files,
        faults,
        "each is imported, or refused with 422",
    )
    _add_limits(report, took_s, grown, neighbour)
    _add_reading(report, server)


def _add_limits(report: Report, took_s: list[float], grown_mb: float, neighbour: Neighbour) -> None:
    slow = sum(one > 1 for one in took_s)
    report.add(
        "their answers",
        len(took_s),
        found=f"longest {max(took_s):.2f} s, {slow} over a second",
        promised=f"within {LONGEST_S:.0f} s",
        holds=max(took_s) < LONGEST_S,
    )
    report.add(
        "memory of the server",
        1,
        found=f"{grown_mb:+.0f} MB",
        promised=f"at most +{GROWTH_MB:.0f} MB",
        holds=grown_mb < GROWTH_MB,
    )
    neighbour.add_to(report)


def _add_reading(report: Report, server: Server) -> None:
    """Whatever was stored can be read back."""
    paths = [f"/api/v1/export?format={one}" for one in EXPORTS]
    boards = server.http.get("/api/v1/boards?limit=1000").json()
    paths += [f"/boards/{board['id']}" for board in boards[:50]]
    html = {"accept": "text/html"}
    answers = {path: server.http.get(path, headers=html).status_code for path in paths}
    faults = [f"{path}: {status}" for path, status in answers.items() if status != 200]
    report.add_faults("exports and pages of what was stored", len(paths), faults, "all are shown")


def _exports(server: Server) -> list[Case]:
    """Files of the server itself, with something in each part."""
    board = server.http.get("/api/v1/boards").json()[0]["id"]
    for number in range(12):
        idea = {"title": f"Idea {number}", "body": "A *text* with [a link](https://example.org).\n"}
        made = server.http.post("/api/v1/ideas", json=idea | {"tags": ["a, b"], "board_id": board})
        server.http.post(f"/api/v1/ideas/{made.json()['id']}/comments", json={"body": "Yes."})
    return [
        (kind, server.http.get("/api/v1/export", params={"format": name}).content)
        for kind, name in EXPORTS.items()
    ] * 8


def _mutant(chance: random.Random, known: list[Case]) -> Case:
    """A known file with a few changes, now and then as another format."""
    format, content = chance.choice(known)
    content = content[:LARGEST_BYTES]
    for _ in range(chance.randint(1, 6)):
        content = _changed(chance, content)[:LARGEST_BYTES]
    return (chance.choice(FORMATS) if chance.random() < 0.15 else format), content


def _changed(chance: random.Random, content: bytes) -> bytes:
    begin, end = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    part = content[begin : begin + chance.randint(1, 200)]
    piece = chance.choice(PIECES)
    ways = (
        content[:begin] + content[end:],
        content[:begin] + part * chance.choice((2, 30, 3_000)) + content[begin:],
        content[:begin] + piece * chance.choice((1, 20, 20_000)) + content[begin:],
        content[:begin] + chance.randbytes(chance.randint(1, 30)) + content[end:],
        content[:begin],
        content.replace(chance.choice((b",", b"\n", b'"', b" ")), piece),
    )
    return chance.choice(ways)


def _import(server: Server, format: ImportFormat, content: bytes, *, is_dry: bool) -> str:
    answer = server.http.post(
        "/api/v1/import",
        params={"format": format, "dry_run": is_dry},
        content=content,
        headers={"content-type": "application/octet-stream"},
        timeout=LONGEST_S + 60,
    )
    if answer.status_code == 422 and "takes too" in answer.text:
        return "422 takes too much"
    return str(answer.status_code)
