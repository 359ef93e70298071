"""Files of the repository that are pages of the site, too.

In the repository the page is a sentence with a link to the file. In the site it is the file itself,
and links to the file lead to the page.
"""

import posixpath
import re
from pathlib import PurePosixPath

# Page of the site, from the folder of the documentation, to file of the repository.
MIRRORED = {
    "project/contributing": "CONTRIBUTING.md",
    "project/changelog": "CHANGELOG.md",
    "project/security": "SECURITY.md",
    "train/report": "training/REPORT.md",
    "train/own-data": "training/datasets/README.md",
    "operate/cards/idea-bank": "models/idea-bank/README.md",
    "operate/cards/labelled-notes": "models/labelled-notes/README.md",
    "operate/cards/qwen2.5-coder-0.5b-head": "models/qwen2.5-coder-0.5b-head.md",
    "operate/cards/qwen2.5-coder-1.5b-head": "models/qwen2.5-coder-1.5b-head.md",
    "operate/cards/qwen2.5-coder-1.5b-refine": "models/qwen2.5-coder-1.5b-refine.md",
    "operate/cards/sentence-encoder": "models/sentence-encoder.md",
    "operate/cards/smollm2-135m-brainstorm": "models/smollm2-135m-brainstorm.md",
    "operate/cards/smollm2-135m-head": "models/smollm2-135m-head.md",
    "operate/cards/word-vectors": "models/word-vectors.md",
}
DOCS = "docs"
PAGES = {file: f"{DOCS}/{page}.md" for page, file in MIRRORED.items()}
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")
_ADDRESS = re.compile(r"[a-z]+:")


def source(page: str) -> str:
    """The file whose text the page shows, from the root of the repository: its own or a mirrored one."""
    return MIRRORED.get(page, f"{DOCS}/{page}.md")


def relinked(text: str, page: str) -> str:
    """The text of the page's source with its links as they must be in the place of the page."""
    start = PurePosixPath(source(page)).parent
    place = PurePosixPath(DOCS, page).parent

    def moved(link: re.Match[str]) -> str:
        opening, target, heading = link.groups(default="")
        if _ADDRESS.match(target) or target.startswith("/"):
            return link.group()
        path = posixpath.normpath(str(start / target))
        return f"{opening}{posixpath.relpath(PAGES.get(path, path), place)}{heading}"

    return _LINK.sub(moved, text)
