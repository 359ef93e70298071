"""Makes the image of the Dockerfile, as far as that goes without a container engine.

The instructions are those of the Dockerfile. What needs the network or a compiler is not done but
borrowed, and said so: base images are this machine, and packages those that are installed here, yet
only what the locks name.
"""

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, PackageNotFoundError, distribution, entry_points
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.container import Container, Process
from tests.support.docker_context import Context
from tests.support.dockerfile import Instruction, Stage, expand, pairs, read, words

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = "/borrowed/packages"
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-compile.lock")
# Of each step of the build that is not done, what stands in for it.
BORROWED = {
    r"apt-get install": "packages of this machine",
    r"pip install .*--require-hashes": "the tools of the build, as installed here",
    r"pip wheel .*--require-hashes": "the packages of the lock, as installed here",
    r"\*\.so": "llama.cpp's libraries, as installed here",
}


@dataclass(frozen=True, slots=True)
class Image:
    """The folder of an image's files, and what its instructions set."""

    root: Path
    environment: Mapping[str, str]
    workdir: str = "/"
    user: str = "0:0"
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "SIGTERM"
    health_check: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def process(self, *command: str) -> Process:
        return Process(command, self.environment, self.workdir, self.user)


class Builder:
    """Builds the stages that an image needs; `arguments` are those of `--build-arg`."""

    def __init__(self, folder: Path, arguments: Mapping[str, str], caches: Path) -> None:
        file = read((ROOT / "Dockerfile").read_text())
        self._folder = folder
        self._given = {**file.arguments, **arguments}
        self._stages = {one.name or "image": one for one in file.stages}
        self._caches = caches
        self._sent = list(Context((ROOT / ".dockerignore").read_text()).files(ROOT))
        self._made: dict[str, Image] = {}
        self._packages = borrow(folder / "packages")

    def build(self, name: str = "image") -> Image:
        if name not in self._made:
            stage = self._stages[name]
            image, arguments = self._base(stage), dict[str, str]()
            for one in stage.instructions:
                image = self._do(one, image, arguments)
            self._made[name] = image
        return self._made[name]

    def mounts(self) -> dict[str, tuple[Path, str]]:
        return {place: (Path(source), "ro") for place, source in self._packages.items()}

    def _base(self, stage: Stage) -> Image:
        base = expand(stage.base, self._given)
        root = self._folder / (stage.name or "image")
        if base in self._stages:
            before = self.build(base)
            shutil.copytree(before.root, root, symlinks=True)
            return replace(before, root=root)
        say("borrowed", f"FROM {base}", "this machine")
        root.mkdir(parents=True)
        path = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"
        return Image(root, {"PATH": path})

    def _do(self, one: Instruction, image: Image, arguments: dict[str, str]) -> Image:
        text = expand(one.text, {**arguments, **image.environment})
        if one.word == "ARG":
            for name, default in pairs(text).items():
                arguments[name] = self._given.get(name, default)
        elif one.word == "WORKDIR":
            place = os.path.join(image.workdir, text)
            inside(image.root, place).mkdir(parents=True, exist_ok=True)
            return replace(image, workdir=place)
        elif one.word == "COPY":
            self._copy(one, text, image)
        elif one.word == "RUN":
            self._run(one, image, arguments)
        return described(image, one.word, text)

    def _copy(self, one: Instruction, text: str, image: Image) -> None:
        *sources, target = text.split()
        place = os.path.join(image.workdir, target)
        origin = one.option("from")
        for source in sources:
            is_file = target.endswith("/") and (ROOT / source).is_file()
            into = os.path.join(place, Path(source).name) if is_file else place
            if origin is not None:
                copy(inside(self.build(origin).root, source), inside(image.root, into))
                continue
            files = [path for path in self._sent if f"{path}/".startswith(f"{source}/")]
            if not files:
                raise FileNotFoundError(f"COPY {source}: the ignore file lets nothing of it in")
            for path in files:
                copy(ROOT / path, inside(image.root, f"{into}{path.removeprefix(source)}"))
        say("done", f"COPY {one.text}")

    def _run(self, one: Instruction, image: Image, arguments: Mapping[str, str]) -> None:
        for pattern, instead in BORROWED.items():
            if re.search(pattern, one.text):
                say("borrowed", f"RUN {one.text}", instead)
                if found := re.search(r"python3 -m venv (\S+)", one.text):
                    self._make_tools(image, found[1])
                return
        mounts = self.mounts()
        if mount := one.option("mount"):
            target = dict(part.partition("=")[::2] for part in mount.split(","))["target"]
            mounts[target] = (self._caches, "rw")
        container = Container(image.root, mounts)
        # pip counts these packages as installed, so it asks for no others.
        environment = {**arguments, **image.environment, "PYTHONPATH": PACKAGES}
        container.run(Process(words(one.text), environment, image.workdir, image.user))
        for configuration in image.root.glob("app/.venv/pyvenv.cfg"):
            library = configuration.parent / "lib" / f"python{sysconfig.get_python_version()}"
            (library / "site-packages" / "borrowed.pth").write_text(PACKAGES + "\n")
        say("done", f"RUN {one.text}")

    def _make_tools(self, image: Image, folder: str) -> None:
        """The commands of the build in its own environment, without the packages they come with."""
        tools = inside(image.root, folder) / "bin"
        tools.mkdir(parents=True)
        (command,) = entry_points(group="console_scripts", name="hatchling")
        lines = [
            f"#!{sys.base_prefix}/bin/python3",
            f"from {command.module} import {command.attr} as main",
            "raise SystemExit(main())",
        ]
        (tools / command.name).write_text("\n".join(lines))
        (tools / command.name).chmod(0o755)


def described(image: Image, word: str, text: str) -> Image:
    """The image with what an instruction says of it."""
    match word:
        case "ENV":
            return replace(image, environment={**image.environment, **pairs(text)})
        case "LABEL":
            return replace(image, labels={**image.labels, **pairs(text)})
        case "USER":
            return replace(image, user=text)
        case "VOLUME":
            return replace(image, volumes=(*image.volumes, *text.split()))
        case "STOPSIGNAL":
            return replace(image, stop_signal=text)
        case "HEALTHCHECK":
            return replace(image, health_check=tuple(words(text.removeprefix("CMD "))))
        case "CMD":
            return replace(image, command=tuple(words(text)))
    return image


def borrow(folder: Path) -> dict[str, str]:
    """Links to the installed packages that the locks name. Returns each place in the container that
    needs a folder of this machine, with that folder.
    """
    places = {str(folder): PACKAGES, sys.base_prefix: sys.base_prefix}
    folder.mkdir()
    for package in _locked_packages():
        for entry in {Path(file).parts[0] for file in package.files or ()} - {"..", "/"}:
            around = str(Path(str(package.locate_file(entry))).parent)
            place = places.setdefault(around, f"/borrowed/{len(places)}")
            if not (folder / entry).is_symlink():
                (folder / entry).symlink_to(f"{place}/{entry}")
    return {place: source for source, place in places.items()}


def _locked_packages() -> Iterator[Distribution]:
    for lock in LOCKS:
        for line in (ROOT / lock).read_text().splitlines():
            if re.match(r"[A-Za-z0-9]", line):
                wanted = Requirement(line.partition(" \\")[0])
                if wanted.marker is None or wanted.marker.evaluate():
                    yield _installed(wanted)


def _installed(wanted: Requirement) -> Distribution:
    try:
        found = distribution(wanted.name)
    except PackageNotFoundError as error:
        raise RuntimeError(f"{wanted} is locked, but not installed here.") from error
    if not wanted.specifier.contains(found.version, prereleases=True):
        say("differs", str(wanted), f"{found.version} is installed here")
    return found


def inside(root: Path, place: str) -> Path:
    return root / place.lstrip("/")


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def say(what: str, step: str, more: str = "") -> None:
    shown = step if len(step) <= 90 else f"{step[:89]}…"
    print(f"{what:9} {shown}" + (f"\n{'':9} → {more}" if more else ""), flush=True)
