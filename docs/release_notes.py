"""What the changelog says of a version, for its release: `python -m docs.release_notes v0.2.0`.

It needs nothing but the standard library, so that the release workflow installs nothing for it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def release_notes(tag: str, version: str, changelog: str) -> str:
    """The section of the version. Raises: ValueError where tag, version and changelog disagree."""
    if tag != f"v{version}":
        raise ValueError(f"the tag {tag} is not v{version}, the version of service/__init__.py")
    heading = re.escape(f"[{version}]") + r" - \d{4}-\d\d-\d\d"
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise ValueError(f"CHANGELOG.md has no dated section with text for {version}")
    return section[1].strip() + "\n"


def version_of(module: str) -> str:
    """`__version__` in the source of a module. Raises: ValueError where it has none."""
    found = re.search(r'^__version__ = "(.+)"$', module, re.MULTILINE)
    if found is None:
        raise ValueError("service/__init__.py has no __version__")
    return found[1]


def main(tag: str) -> None:
    version = version_of((ROOT / "service" / "__init__.py").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    try:
        sys.stdout.write(release_notes(tag, version, changelog))
    except ValueError as error:
        sys.exit(f"release_notes: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
