"""Fills the disk of a running server again and again: what it says, what it keeps, and how it recovers."""

import time
from collections import Counter
from pathlib import Path

import httpx2

from tests.campaigns.database_file import file_faults
from tests.campaigns.report import Report, tell
from tests.support.app_server import without_models
from tests.support.random_walk import API, pages
from tests.support.small_disk import DiskServer, on_small_disk

ROUNDS = 30
SIZE = "48m"
# What is left free in turn, so that the disk is full at different steps of a write.
SPARE_BYTES = (0, 4_096, 16_384, 65_536, 262_144, 1_000_000)
MOST_WRITES = 400
PATIENCE_S = 30.0
READY_S = 10.0


def campaign(folder: Path, *, rounds: int = ROUNDS) -> Report:
    """Raises: DiskRefused."""
    report = Report("Full disk")
    with on_small_disk(folder, SIZE, **without_models(folder)) as server:
        course = _Course(server)
        for number in range(rounds):
            course.fill(SPARE_BYTES[number % len(SPARE_BYTES)])
            if number % 3 == 2:
                course.kill_and_start()
            course.make_room()
            tell(f"round {number + 1} of {rounds}: {len(course.kept)} ideas, {dict(course.said)}")
        course.read_back()
        server.stop()
        course.check_file()
    course.add_to(report, rounds)
    return report


class _Course:
    def __init__(self, server: DiskServer) -> None:
        self.kept: dict[str, str] = {}
        self.said: Counter[str] = Counter()
        self._server = server
        self._wrong: list[str] = []
        self._unread: list[str] = []
        self._lost: list[str] = []
        self._ready_s: list[float] = []
        self._recovered_s: list[float] = []

    def fill(self, spare_bytes: int) -> None:
        """Writes until the server says that the disk is full, and then a few times more."""
        self._server.fill(spare_bytes)
        refused = 0
        for _ in range(MOST_WRITES):
            answer = self._write()
            if answer.status_code != 201:
                refused += 1
                self._note(answer)
            if refused == 5:
                break
        else:
            self._wrong.append(f"{MOST_WRITES} writes were taken on a full disk")
        for path in ("/livez", f"{API}/boards", f"{API}/ideas", "/boards"):
            answer = self._server.http.get(path, headers={"accept": "text/html, */*"})
            if answer.status_code != 200:
                self._unread.append(f"{path}: {answer.status_code}")

    def _write(self) -> httpx2.Response:
        title = f"Idea {len(self.kept)}"
        idea = {"title": title, "body": f"{title} " * 600}
        answer = self._server.http.post(f"{API}/ideas", json=idea)
        if answer.status_code == 201:
            self.kept[answer.json()["id"]] = idea["body"].strip()
        return answer

    def _note(self, answer: httpx2.Response) -> None:
        is_problem = answer.headers["content-type"] == "application/problem+json"
        detail = answer.json()["detail"] if is_problem else answer.text[:200]
        self.said[f"{answer.status_code} {detail}"] += 1
        if answer.status_code != 503 or "disk is full" not in detail:
            self._wrong.append(f"{answer.status_code} {detail}")

    def kill_and_start(self) -> None:
        """Kills the server while the disk is full, and starts it when there is room again."""
        self._server.kill()
        self._server.empty()
        began = time.monotonic()
        self._server.start()
        self._ready_s.append(time.monotonic() - began)

    def make_room(self) -> None:
        """Deleting ballast must be enough: the server writes again without a restart."""
        self._server.empty()
        began = time.monotonic()
        while self._write().status_code != 201:
            if time.monotonic() > began + PATIENCE_S:
                self._wrong.append(
                    f"nothing could be written {PATIENCE_S:.0f} s after room was made"
                )
                break
            time.sleep(0.05)
        self._recovered_s.append(time.monotonic() - began)

    def read_back(self) -> None:
        there = {
            one["id"]: one["body"] for one in pages(self._server.http, f"{API}/ideas?limit=100")
        }
        self._lost += [key for key, body in self.kept.items() if there.get(key, "").strip() != body]
        self._lost += [f"{key} was refused, and is there" for key in there if key not in self.kept]

    def check_file(self) -> None:
        self._lost += file_faults(self._server.disk / "ideapool.db")

    def add_to(self, report: Report, rounds: int) -> None:
        report.add_faults(
            f"writes on a full disk, in {rounds} rounds ({'; '.join(self.said)})",
            self.said.total(),
            self._wrong,
            "503 that says so",
        )
        report.add_faults("pages and lists meanwhile", rounds * 4, self._unread, "all are shown")
        report.add(
            "rounds after which room was made",
            rounds,
            found=f"written again after at most {max(self._recovered_s):.1f} s",
            promised=f"within {PATIENCE_S:.0f} s, without a restart",
            holds=max(self._recovered_s) < PATIENCE_S,
        )
        if self._ready_s:
            report.add(
                "kills while the disk was full",
                len(self._ready_s),
                found=f"ready after at most {max(self._ready_s):.1f} s",
                promised=f"with room again, ready within {READY_S:.0f} s",
                holds=min(self._ready_s) < READY_S,
            )
        report.add_faults(
            "ideas that were acknowledged",
            len(self.kept),
            self._lost,
            "all are there with their texts, no refused one is, and the file is in order",
        )
