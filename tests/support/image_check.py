"""Builds the image of the Dockerfile, starts it, uses it and stops it, without a container engine.

`.ci/image` starts this. What is built and what is borrowed is printed; see `tests/support/image.py`.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.engine.catalog import read_catalog
from service.settings import Settings
from tests.support.container import Container, Running
from tests.support.image import ROOT, Builder, Image, copy, inside, say

# Long enough for a slow and busy machine: a server that takes longer hangs.
HEALTHY_S, STOPPED_S, POLL_S = 180, 60, 0.5
# `docker stop` shows 143 where a program ends by the signal itself.
STOPPED = {"SIGTERM": (0, 143)}
SIGN_IN = """
import http.cookiejar, sys, urllib.parse, urllib.request
address, key = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
browser.open(f"{address}/login", urllib.parse.urlencode({"key": key}).encode())
print(browser.open(address).read().decode())
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog=".ci/image", description=__doc__)
    parser.add_argument("--model", default="small", help="the set of models (default: small)")
    parser.add_argument("--accelerator", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("Only root can make the namespaces that stand in for a container.", file=sys.stderr)
        return 2
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="ideapool-image-") as name:
        folder = Path(name)
        arguments = {"MODEL": options.model, "ACCELERATOR": options.accelerator}
        builder = Builder(folder, arguments, kept_models(folder / "caches", options.model))
        image = builder.build()
        for label, value in image.labels.items():
            say("label", f"{label}={value}")
        use(image, builder.mounts(), folder)
    return 0


def kept_models(caches: Path, name: str) -> Path:
    """A cache of the build that has the models of the set already, as a second build finds it."""
    settings = Settings()
    wanted = {
        model.weights_path(settings.models_dir).stem
        for model in read_catalog(settings.catalog).select(name).models
    }
    kept = caches / name / "models"
    kept.mkdir(parents=True)
    for stem in wanted:
        found = list((ROOT / "data" / "models").glob(f"{stem}*"))
        if not found:
            raise FileNotFoundError(f"{stem} is not here: run `ideapool models fetch` before.")
        for file in found:
            copy(file, kept / file.name)
    say("borrowed", f"the cache of the build for {name}", f"{len(wanted)} models of data/models")
    return caches


def use(image: Image, mounts: Mapping[str, tuple[Path, str]], folder: Path) -> None:
    """Raises: RuntimeError or AssertionError where the image does not keep its promises."""
    uid = int(image.user.partition(":")[0])
    assert uid != 0, "it runs as root"
    volumes = {place: (_volume(image, place, folder), "rw") for place in image.volumes}
    strays = [str(path) for path in _writable(image.root, uid)]
    assert strays == list(image.volumes), f"the user of the image can write to {strays}"
    before = _contents(image.root)
    # An engine would also set HOME to `/`; the image must do without.
    container = Container(image.root, {**mounts, **volumes}, is_read_only=True)
    log = folder / "log"
    with (
        log.open("wb") as out,
        container.started(image.process(*image.command), out) as running,
    ):
        try:
            seconds = _await_health(running, image)
            say("done", f"started {' '.join(image.command)} as {image.user}, read-only")
            say("done", f"healthy by its own check after {seconds:.1f} s")
            _open_first_page(running, image, log.read_text())
            say("done", "signed in with the key of the first start, and opened the first page")
            status = running.stop(image.stop_signal, STOPPED_S)
        except Exception as error:
            raise RuntimeError(f"{error}\nIts log:\n{log.read_text()}") from error
    assert status in STOPPED[image.stop_signal], f"it ended with {status} after the signal"
    say("done", f"stopped by {image.stop_signal} with status {status}")
    assert _contents(image.root) == before, "it wrote outside of its volumes"
    written = sorted(one.name for place, _ in volumes.values() for one in place.iterdir())
    say("done", f"wrote nothing but {', '.join(written)} in {', '.join(image.volumes)}")


def _await_health(running: Running, image: Image) -> float:
    began = time.monotonic()
    while time.monotonic() - began < HEALTHY_S:
        told = running.run(image.process(*image.health_check))
        if told.returncode == 0:
            return time.monotonic() - began
        if running.has_ended:
            raise RuntimeError("It ended before it was healthy.")
        time.sleep(POLL_S)
    raise RuntimeError(f"It is not healthy after {HEALTHY_S} s: {told.stderr}")


def _open_first_page(running: Running, image: Image, log: str) -> None:
    address = f"http://localhost:{image.environment['IDEAPOOL_PORT']}"
    key = re.search(r"API key, shown only now: (\S+)", log)
    assert key is not None, "the first start prints no key"
    opened = running.run(image.process("python", "-c", SIGN_IN, address, key[1]))
    assert opened.returncode == 0, opened.stderr
    assert "· Ideapool</title>" in opened.stdout, opened.stdout


def _volume(image: Image, place: str, folder: Path) -> Path:
    """A new volume, with the owner that the image gives its folder."""
    origin = inside(image.root, place)
    made = folder / "volumes" / place.strip("/").replace("/", "-")
    copy(origin, made)
    owner = origin.stat()
    os.chown(made, owner.st_uid, owner.st_gid)
    return made


def _writable(root: Path, uid: int) -> Iterator[Path]:
    """What this user could change in the image, were it not mounted read-only."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink() and (path.stat().st_uid == uid or path.stat().st_mode & 0o002):
            yield Path("/", path.relative_to(root))


def _contents(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in root.rglob("*")}


if __name__ == "__main__":
    sys.exit(main())
