"""Which files of the service run during a request, in this process and in the model process."""

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from service.settings import PROJECT_ROOT

DOCUMENT = PROJECT_ROOT / "docs" / "design" / "a-request.md"
# Put into the model process by a test: as long as the flag is there, it notes which files run.
CHILD = """
import json, sys, threading, time
from pathlib import Path

FLAG, LOG, PREFIX = Path({flag!r}), Path({log!r}), {prefix!r}
files, is_on = set(), [False]


def note(frame, event, _):
    code = frame.f_code
    if event == "call" and is_on[0] and code.co_filename.startswith(PREFIX):
        if code.co_name != "<module>":
            files.add(code.co_filename)


def watch():
    while True:
        was, is_on[0] = is_on[0], FLAG.exists()
        if was and not is_on[0]:
            LOG.with_suffix(".part").write_text(json.dumps(sorted(files)))
            LOG.with_suffix(".part").replace(LOG)
        time.sleep(0.01)


if any("worker" in argument for argument in sys.orig_argv):
    sys.setprofile(note)
    threading.setprofile(note)
    threading.Thread(target=watch, daemon=True).start()
"""


class Tracer:
    """Notes the files while `is_on`; in threads that begin after `tracing`, and in this one."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.is_on = False

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if self.is_on and event == "call" and code.co_name != "<module>":
            path = Path(code.co_filename)
            if path.is_relative_to(PROJECT_ROOT / "service"):
                self.files.add(str(path.relative_to(PROJECT_ROOT)))


@contextmanager
def tracing() -> Iterator[Tracer]:
    tracer = Tracer()
    before = sys.getprofile()
    threading.setprofile(tracer.note)
    sys.setprofile(tracer.note)
    try:
        yield tracer
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


class ChildTracer:
    """Traces a model process that is started with `environment`."""

    def __init__(self, folder: Path) -> None:
        self._flag, self._log = folder / "is-on", folder / "files.json"
        prefix = str(PROJECT_ROOT / "service")
        source = CHILD.format(flag=str(self._flag), log=str(self._log), prefix=prefix)
        (folder / "sitecustomize.py").write_text(source)
        self.python_path = f"{folder}:{PROJECT_ROOT}"

    def start(self) -> None:
        self._flag.touch()
        time.sleep(0.2)  # the process looks for it a hundred times a second

    def stop(self, longest_s: float = 60) -> set[str]:
        self._flag.unlink()
        deadline = time.monotonic() + longest_s
        while not self._log.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        paths = map(Path, json.loads(self._log.read_text()))
        return {str(path.relative_to(PROJECT_ROOT)) for path in paths}


def files_named(heading: str | None = None) -> list[str]:
    """The files that the document names, of one section or of all."""
    text = DOCUMENT.read_text(encoding="utf-8")
    if heading is not None:
        text = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"`(service/[\w/]+\.py)`", text)
