"""Writes a board's newest ideas as an Atom feed (RFC 4287). It is pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as Xml

ATOM = "http://www.w3.org/2005/Atom"
GENERATOR = "Ideapool"


@dataclass(frozen=True, slots=True)
class Entry:
    """`id` is a UUID. `html` was sanitised."""

    id: str
    title: str
    url: str
    html: str
    author: str | None
    tags: Sequence[str]
    published: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """`id` is a UUID, `url` the board's page and `own_url` the feed's address."""

    id: str
    title: str
    subtitle: str
    url: str
    own_url: str
    updated: datetime
    entries: Sequence[Entry]


def atom(feed: Feed) -> bytes:
    root = Xml.Element("feed", xmlns=ATOM)
    _add(root, "id", f"urn:uuid:{feed.id}")
    _add(root, "title", feed.title)
    if feed.subtitle:
        _add(root, "subtitle", feed.subtitle)
    _add(root, "updated", _moment(feed.updated))
    # Entries without an author of their own have this one.
    _person(root, GENERATOR)
    _add(root, "generator", GENERATOR)
    _link(root, "self", feed.own_url, "application/atom+xml")
    _link(root, "alternate", feed.url, "text/html")
    for entry in feed.entries:
        _entry(root, entry)
    written: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _entry(root: Xml.Element, entry: Entry) -> None:
    found = Xml.SubElement(root, "entry")
    _add(found, "id", f"urn:uuid:{entry.id}")
    _add(found, "title", entry.title)
    _add(found, "updated", _moment(entry.updated))
    _add(found, "published", _moment(entry.published))
    if entry.author is not None:
        _person(found, entry.author)
    _link(found, "alternate", entry.url, "text/html")
    for tag in entry.tags:
        Xml.SubElement(found, "category", term=_allowed(tag))
    _add(found, "content", entry.html, type="html")


def _add(parent: Xml.Element, name: str, text: str, **attributes: str) -> None:
    Xml.SubElement(parent, name, attributes).text = _allowed(text)


def _person(parent: Xml.Element, name: str) -> None:
    _add(Xml.SubElement(parent, "author"), "name", name)


def _link(parent: Xml.Element, relation: str, address: str, kind: str) -> None:
    Xml.SubElement(parent, "link", rel=relation, type=kind, href=address)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _allowed(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(one for one in text if one in "\t\n\r" or (one >= " " and not _is_barred(one)))


def _is_barred(character: str) -> bool:
    return "\ud800" <= character <= "\udfff" or character in "\ufffe\uffff"
