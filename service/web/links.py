"""Absolute addresses of pages, for links that people copy."""

from service.settings import Settings


def join_link(base_url: str, settings: Settings, token: str) -> str:
    """The link of an invitation; `base_url` is the address that the request was sent to."""
    return f"{base_url.rstrip('/')}{settings.root_path}/join/{token}"
