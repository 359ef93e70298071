"""Runs llama.cpp's own converters, in the version of the llama.cpp that serves.

The scripts are only in the source of the package, not in the installed one, so they are fetched once.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from service.engine.files.atomic_write import replacing
from service.settings import PROJECT_ROOT
from training.errors import ExportFailed, Report

PACKAGE = "llama-cpp-python"
LOCK = PROJECT_ROOT / "requirements.lock"
WANTED = re.compile(
    r"[^/]+/vendor/llama\.cpp/((?:convert_\w+\.py|LICENSE)|(?:conversion|gguf-py)/.+)"
)
LAST_LINES = 8


@dataclass(frozen=True, slots=True)
class Converter:
    folder: Path

    @classmethod
    def obtain(cls, data_dir: Path, report: Report) -> "Converter":
        """The scripts of the installed version, fetched with pip if they are missing.

        Raises:
            ExportFailed: pip has no source of that version, or the source has no converters.
        """
        folder = data_dir / f"llama.cpp-{version(PACKAGE)}"
        if not folder.is_dir():
            report(f"Fetching the converters of llama.cpp ({PACKAGE} {version(PACKAGE)})")
            data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=data_dir, prefix=".llama.cpp-") as scratch:
                source = _download(Path(scratch))
                unpack(source, Path(scratch) / "scripts")
                (Path(scratch) / "scripts").rename(folder)
        return cls(folder)

    def model(self, source: Path, target: Path) -> None:
        """Converts a folder of transformers to a GGUF of 16 bits. Raises `ExportFailed`."""
        self._run("convert_hf_to_gguf.py", str(source), target=target)

    def adapter(self, source: Path, base: Path, target: Path) -> None:
        """Converts a folder of PEFT to a GGUF; `base` is the base's folder. Raises `ExportFailed`."""
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".adapter-") as scratch:
            # The converter copies PEFT's README into the file, and that has a path of this machine.
            bare = shutil.copytree(
                source, Path(scratch) / source.name, ignore=shutil.ignore_patterns("README.md")
            )
            self._run("convert_lora_to_gguf.py", str(bare), "--base", str(base), target=target)

    def _run(self, script: str, *arguments: str, target: Path) -> None:
        command = [sys.executable, str(self.folder / script), *arguments]
        with replacing(target) as draft:
            command += ["--outfile", str(draft), "--outtype", "f16"]
            status, output = _run_command(command)
            if status or not draft.is_file():
                raise ExportFailed(f"{script} cannot convert {arguments[0]}:\n{_end(output)}")


def _run_command(command: list[str]) -> tuple[int, str]:
    """The exit status and the output."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", PACKAGE]
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--quiet"]
    if importlib.util.find_spec("scikit_build_core") is not None:
        # The build tools that pip needs to read the source are installed from our locks.
        command.append("--no-build-isolation")
    command += ["--dest", str(scratch), *_requirement(scratch)]
    status, output = _run_command(command)
    sources = list(scratch.glob("*.tar.gz"))
    if status or len(sources) != 1:
        raise ExportFailed(f"pip cannot download the source of {PACKAGE}:\n{_end(output)}")
    return sources[0]


def _requirement(scratch: Path) -> list[str]:
    """The requirement, with the hashes of our lock if that has the installed version."""
    wanted = f"{PACKAGE}=={version(PACKAGE)}"
    locked = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    found = re.search(rf"^{re.escape(wanted)} (?:\\\n *--hash=\S+ ?)+", locked, re.MULTILINE)
    if found is None:
        return [wanted]
    lock = scratch / "requirements.lock"
    lock.write_text(found[0] + "\n", encoding="utf-8")
    return ["--require-hashes", "-r", str(lock)]


def unpack(source: Path, folder: Path) -> None:
    with tarfile.open(source) as archive:
        for member in archive:
            found = WANTED.fullmatch(member.name)
            if found is None or not member.isfile():
                continue
            path = folder / found[1]
            # The hash of the archive is checked, but a path outside the folder is refused anyway.
            if not path.resolve().is_relative_to(folder.resolve()):
                raise ExportFailed(f"{source.name} has a file outside its folder: {member.name}.")
            path.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            with content, path.open("wb") as file:
                shutil.copyfileobj(content, file)
    if not (folder / "convert_hf_to_gguf.py").is_file():
        raise ExportFailed(f"{source.name} has no converters in the expected place.")


def _end(output: str) -> str:
    return "\n".join(f"  {line}" for line in output.strip().splitlines()[-LAST_LINES:])
