"""The bill of materials of a release as CycloneDX 1.6: `python -m docs.sbom > sbom.cdx.json`.

It lists what `requirements.lock` names, who asked for it, and the files of others in `static/vendor`.
What the image has of Debian is in the bill that its own build attaches. It needs nothing but the
standard library, so that the release workflow installs nothing for it.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from docs.release_notes import version_of

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "ideapool"
# A line of the lock as `name==version ; marker \`, and the lines below it that say who asked.
LOCKED = re.compile(r"^([\w.-]+)==([\w.+!-]+)(?: ; (.+?))?(?: \\)?$")
ASKED = re.compile(r"^    #(?: via)?\s+([\w.-]+)")


def bill(version: str, lock: str, vendored: dict[str, Any]) -> dict[str, Any]:
    """`lock` is a file of pip's with comments as uv writes them, `vendored` is `vendor.json`."""
    refs, asked = {PROGRAM: [PROGRAM]}, dict[str, set[str]]()
    components = []
    for name, locked, marker, needed_by in _locked(lock):
        ref = f"pkg:pypi/{name}@{locked}"
        refs.setdefault(name, []).append(ref)
        for other in needed_by:
            asked.setdefault(other, set()).add(ref)
        part = {"type": "library", "bom-ref": ref, "name": name, "version": locked, "purl": ref}
        if marker:
            # Only some machines need it.
            part["scope"] = "optional"
        components.append(part)
    files = list(_vendored(vendored))
    asked.setdefault(PROGRAM, set()).update(one["bom-ref"] for one in files)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": PROGRAM,
                "name": PROGRAM,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components + files,
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(asked.get(name, ()))}
            for name, found in refs.items()
            for ref in found
        ],
    }


def _locked(lock: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """Name, version, marker or nothing, and the names of those that asked for it."""
    for part in re.split(r"\n(?=[\w])", lock):
        head, *rest = part.splitlines()
        if found := LOCKED.match(head):
            needed_by = [asked[1] for line in rest if (asked := ASKED.match(line))]
            yield found[1], found[2], found[3] or "", needed_by


def _vendored(vendored: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for package in vendored["packages"]:
        ref = f"pkg:npm/{quote(package['name'])}@{package['version']}"
        yield {
            "type": "library",
            "bom-ref": ref,
            "name": package["name"],
            "version": package["version"],
            "purl": ref,
            "licenses": [{"license": {"id": package["licence"]}}],
            "components": [
                {
                    "type": "file",
                    "bom-ref": f"{ref}#{one['from']}",
                    "name": f"static/vendor/{one['file']}",
                    "hashes": [{"alg": "SHA-256", "content": one["sha256"]}],
                }
                for one in package["files"]
            ],
        }


def main() -> None:
    made = bill(
        version_of((ROOT / "service" / "__init__.py").read_text(encoding="utf-8")),
        (ROOT / "requirements.lock").read_text(encoding="utf-8"),
        json.loads((ROOT / "static" / "vendor" / "vendor.json").read_text(encoding="utf-8")),
    )
    sys.stdout.write(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
