"""URLs of other servers, as the settings have them: lists of them, and what they must not contain."""

import httpx2

_PLACES_OF_KEYS = {
    "url": "IDEAPOOL_KEY",
    "engine_url": "IDEAPOOL_ENGINE_KEY",
    "otlp_url": "OTEL_EXPORTER_OTLP_HEADERS",
}


def parts(value: str) -> tuple[str, ...]:
    """What is between the commas, without spaces around it."""
    return tuple(part.strip() for part in value.split(","))


def shown(url: str, number: int) -> str:
    """The URL for an error, or only its place in the list if it may contain a key."""
    return f"server {number}" if set("@?#") & set(url) else f"server {number}, {url!r},"


def root(url: str) -> str:
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def check_url(value: str, field: str) -> None:
    """Refuse parts that may contain a password or a key, because messages show the URL.

    Raises:
        ValueError: it is no URL, or has such parts.
    """
    try:
        url = httpx2.URL(value)
    except httpx2.InvalidURL as error:
        raise ValueError(f"must look like http://localhost:8080 ({error})") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must look like http://localhost:8080")
    if url.userinfo or url.query or url.fragment:
        place = _PLACES_OF_KEYS[field]
        raise ValueError(f"must not have a user, query or fragment; set a key in {place}")
