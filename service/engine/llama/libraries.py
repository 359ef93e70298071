"""The llama.cpp libraries of this machine, and which of them runs. Loads none.

The one that llama-cpp-python compiled here uses everything this CPU has, or a GPU. The one of the
package llama-cpp-py-sync was compiled for any x86-64 CPU of the last ten years and needs no
compiler. Both are of one version; another is refused, since its structures may differ.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from service.engine.host import cpu_features
from service.errors import ModelUnavailable
from service.messages import Text

NATIVE, NATIVE_VERSION = "llama-cpp-python", "0.3.36"
PREBUILT, PREBUILT_VERSION = "llama-cpp-py-sync", "0.11413"
# Written into the record of a built model file: another version may make another file.
LLAMA_CPP = NATIVE_VERSION
# Of the wheel for x86-64 Linux.
PREBUILT_SHA256 = {
    "libggml-base.so.0": "20e5f962e8273941c77ad46a54abe96739bdf3d09b57acf8707b549188f5aeb8",
    "libggml-cpu.so.0": "184f88ea6196f0b877c225e2d515d5e53b71d732420e4457ae32d055b3c638cc",
    "libggml-rpc.so.0": "b53c6cfddcc6ed4c5a016b83a4541c8c7778015632fc8e61bd7c3f146b1c00b8",
    "libggml.so.0": "d4f44f4da70a25041802776171a813426d8d727df3671b2b029c69ed8cad0482",
    "libllama.so.0": "68c447fa9739a76fda669c714fbe1ae77744f67a557108b69f241d207f209f83",
}
# What it was compiled to use, as Linux names it. A CPU without one of them would stop the process.
PREBUILT_FEATURES = frozenset({"avx", "avx2", "bmi2", "f16c", "fma", "sse4_2", "ssse3"})
LIBRARY_NAMES = {"darwin": "libllama.dylib", "win32": "llama.dll"}
# Names the package whose library is to run; for measurements and tests.
CHOICE_VARIABLE = "LLAMA_LIBRARY"
COMPILE = Text("`make native` (or `pip install 'ideapool[native]'`) compiles one for this machine.")


@dataclass(frozen=True, slots=True)
class NativeLibrary:
    """`path` is that of libllama; the libraries it needs are beside it.

    `advice` says what to do where it cannot be used.
    """

    package: str
    version: str
    path: Path
    sha256: Mapping[str, str] = field(default_factory=dict)
    needed_features: frozenset[str] = frozenset()

    @property
    def is_native(self) -> bool:
        return self.package == NATIVE

    @property
    def advice(self) -> Text:
        return self.reinstall if self.is_native else COMPILE

    @property
    def reinstall(self) -> Text:
        return Text(
            "Install %(package)s %(version)s anew.", package=self.package, version=self.version
        )

    def verify(self) -> None:
        """Raises ModelUnavailable if this CPU lacks something, or if a file is not the known one."""
        missing = self.needed_features - cpu_features()
        if missing:
            raise ModelUnavailable(
                Text(
                    "The prebuilt library of llama.cpp needs %(features)s, which this CPU lacks. "
                    "%(advice)s",
                    features=", ".join(sorted(missing)),
                    advice=self.advice,
                )
            )
        for name, expected in self.sha256.items():
            self._verify_file(self.path.with_name(name), expected)

    def _verify_file(self, path: Path, expected: str) -> None:
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelUnavailable(
                Text(
                    "%(path)s cannot be read (%(error)s). %(advice)s",
                    path=path,
                    error=error.strerror or error,
                    advice=self.reinstall,
                )
            ) from error
        if found != expected:
            raise ModelUnavailable(
                Text(
                    "%(path)s is not the library that belongs to %(package)s %(version)s: its "
                    "SHA-256 is %(found)s. Install the package anew.",
                    path=path,
                    package=self.package,
                    version=self.version,
                    found=found,
                )
            )

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


def libraries() -> Iterator[NativeLibrary]:
    """The libraries of the right version that are installed, the best first."""
    name = LIBRARY_NAMES.get(sys.platform, "libllama.so")
    if _installed(NATIVE) == NATIVE_VERSION and (folder := _folder("llama_cpp")):
        path = folder / "lib" / name
        # The package can be installed without its library.
        if path.is_file():
            yield NativeLibrary(NATIVE, NATIVE_VERSION, path)
    if _installed(PREBUILT) == PREBUILT_VERSION and (folder := _folder("llama_cpp_py_sync")):
        path = folder / "libllama.so.0"
        if path.is_file():
            yield NativeLibrary(
                PREBUILT, PREBUILT_VERSION, path, PREBUILT_SHA256, PREBUILT_FEATURES
            )


def best_library() -> NativeLibrary:
    """Raises ModelUnavailable if none is installed."""
    chosen = os.environ.get(CHOICE_VARIABLE)
    found = next((one for one in libraries() if chosen in (None, one.package)), None)
    if found is None:
        raise ModelUnavailable(
            Text(
                "There is no library of llama.cpp of the right version here (%(found)s). %(advice)s",
                found=", ".join(f"{one}: {_installed(one)}" for one in (NATIVE, PREBUILT)),
                advice=COMPILE,
            )
        )
    return found


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _folder(package: str) -> Path | None:
    """Where the package is, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
