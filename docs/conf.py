"""Builds the documentation into a site: `make docs`. Run by Sphinx, in `.venv-docs`."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.mirrored import MIRRORED, relinked, source  # noqa: E402
from docs.release_notes import version_of  # noqa: E402

project = "Ideapool"
author = "The Ideapool contributors"
project_copyright = "The Ideapool contributors, Apache-2.0"
release = version = version_of((ROOT / "service" / "__init__.py").read_text(encoding="utf-8"))

extensions = ["myst_parser"]
# Pages of `bench` are included by others.
exclude_patterns = ["_site", "bench/*.md"]
myst_heading_anchors = 4
# Only names of files become links, not all that looks like an address.
myst_linkify_fuzzy_links = False

html_theme = "furo"
html_title = "Ideapool"
html_logo = html_favicon = "../static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_use_index = False
pygments_style, pygments_dark_style = "a11y-light", "a11y-dark"
_FONTS = {
    "font-stack": 'Inter, system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif',
    "font-stack--headings": '"Iowan Old Style", "Palatino Linotype", Palatino, '
    '"URW Palladio L", P052, "Book Antiqua", Georgia, serif',
    "font-stack--monospace": 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
}
html_theme_options = {
    # The colours of the pages of the service.
    "light_css_variables": {
        **_FONTS,
        "color-brand-primary": "#0a6f78",
        "color-brand-content": "#0a6f78",
        "color-brand-visited": "#0a6f78",
        "color-background-primary": "#ffffff",
        "color-background-secondary": "#f1f6f5",
        "color-background-hover": "#dceff0",
        "color-background-border": "#cfdddb",
        "color-foreground-primary": "#12262a",
        "color-foreground-secondary": "#4b6266",
        "color-foreground-muted": "#5b7277",
        "color-sidebar-background": "#f1f6f5",
        "color-inline-code-background": "#eef5f4",
        "color-code-background": "#f6faf9",
    },
    "dark_css_variables": {
        "color-brand-primary": "#63cfd0",
        "color-brand-content": "#63cfd0",
        "color-brand-visited": "#63cfd0",
        "color-background-primary": "#0c1618",
        "color-background-secondary": "#0f1b1e",
        "color-background-hover": "#17363a",
        "color-background-border": "#2a4045",
        "color-foreground-primary": "#e3eeed",
        "color-foreground-secondary": "#9db3b4",
        "color-foreground-muted": "#9db3b4",
        "color-sidebar-background": "#0f1b1e",
        "color-inline-code-background": "#172629",
        "color-code-background": "#111f22",
    },
}
# What a page loads, as opposed to what it links to.
_LOADS = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//[^\"]*"
    r"|<link\b(?=[^>]*\brel=\"(?:stylesheet|preload|icon|shortcut icon)\")[^>]*\bhref=\"(?:https?:)?//[^\"]*"
    r"|(?:@import|url\()\s*[\"']?(?:https?:)?//[^\"')]*"
)


def _read(_app: Sphinx, page: str, content: list[str]) -> None:
    text = (ROOT / source(page)).read_text(encoding="utf-8") if page in MIRRORED else content[0]
    content[0] = relinked(text, page)


def _check(app: Sphinx, error: Exception | None) -> None:
    """The site must not load anything from elsewhere: neither fonts nor scripts nor pictures."""
    if error is not None:
        return
    files = [path for path in Path(app.outdir).rglob("*") if path.suffix in (".html", ".css")]
    foreign = [
        f"{path.relative_to(app.outdir)}: {found}"
        for path in files
        for found in _LOADS.findall(path.read_text(encoding="utf-8"))
    ]
    if foreign:
        raise SphinxError("The site loads from elsewhere:\n" + "\n".join(foreign))


def setup(app: Sphinx) -> None:
    app.connect("source-read", _read)
    app.connect("build-finished", _check)
