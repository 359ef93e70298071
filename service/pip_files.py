"""Finds the package index that pip and uv are set up to use."""

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from platformdirs import user_config_path

INDEX_URL = "https://pypi.org/simple"


def index_url(environment: Mapping[str, str]) -> str:
    """Of the environment, or else of the files that pip reads, the most personal one first."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if environment.get(name):
            return environment[name]
    shared = environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    files = [
        Path(environment.get("PIP_CONFIG_FILE", os.devnull)),
        Path(sys.prefix) / "pip.conf",
        *_own_files(),
        *(Path(folder) / "pip" / "pip.conf" for folder in shared),
        Path("/etc/pip.conf"),
    ]
    for file in files:
        config = configparser.RawConfigParser()
        with suppress(OSError, UnicodeDecodeError, configparser.Error):
            config.read(file, encoding="utf-8")
            if found := config.get("global", "index-url", fallback=""):
                return found
    return INDEX_URL


def _own_files() -> Iterator[Path]:
    # A user of a container may have no home.
    with suppress(RuntimeError):
        yield user_config_path("pip") / "pip.conf"
        yield Path.home() / ".pip" / "pip.conf"
