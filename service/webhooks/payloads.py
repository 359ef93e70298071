"""What a delivery says of an activity, as JSON: the public shapes that REST gives, or one line."""

import json
from typing import Any

from pydantic import BaseModel

from service.schemas.identity import now
from service.schemas.webhooks import TEST_KIND
from service.store.event_subjects import Event

# Each sentence has a place for the person and one for what it is about.
SENTENCES = {
    "idea.created": "{who} added {what}",
    "idea.changed": "{who} changed {what}",
    "idea.moved": "{who} moved {what} to another board",
    "idea.deleted": "{who} deleted {what}",
    "idea.restored": "{who} restored {what}",
    "like.changed": "{who} changed a like of {what}",
    "comment.created": "{who} commented on {what}",
    "comment.changed": "{who} changed a comment on {what}",
    "comment.deleted": "{who} deleted a comment on {what}",
    "comparison.made": "{who} compared two ideas",
    "comparison.deleted": "{who} took a comparison back",
    "run.started": "{who} asked the model",
    "run.ended": "The model is done",
    "run.decided": "{who} decided on a proposal of the model",
    "round.started": "{who} started a writing round",
    "round.changed": "{who} changed a writing round",
    "round.ended": "The writing round is over",
    "rubric.changed": "{who} changed a rubric",
    "board.created": "{who} made the board",
    "board.changed": "{who} changed the board",
    "board.deleted": "{who} deleted the board",
    "board.restored": "{who} restored the board",
    TEST_KIND: "This is a test of the webhook",
}
SOMEBODY = "Somebody"


def payload_of(event: Event, wanted: str, origin: str) -> str:
    """The body of a delivery in a `WebhookFormat`. `origin` is where people reach the server; empty if
    unknown.
    """
    if wanted == "slack":
        return _packed({"text": _line(event, origin)})
    data: dict[str, Any] = {}
    for name, value in event.parts.items():
        data[name] = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    if event.person is not None:
        data["person"] = {"id": event.person[0], "name": event.person[1]}
    if origin and event.path:
        data["url"] = f"{origin}{event.path}"
    moment = event.created_at.isoformat().replace("+00:00", "Z")
    return _packed({"type": event.kind, "timestamp": moment, "data": data})


def payload_of_test(wanted: str, origin: str) -> str:
    return payload_of(Event(TEST_KIND, now(), path="/"), wanted, origin)


def _line(event: Event, origin: str) -> str:
    """In the markup of Slack, in which links are `<address|text>`."""
    who = _escaped(event.person[1]) if event.person is not None else SOMEBODY
    what = f"“{_escaped(event.title)}”" if event.title else "an idea"
    if origin and event.title:
        what = f"<{origin}{event.path}|{_escaped(event.title)}>"
    sentence = SENTENCES[event.kind].format(who=who, what=what)
    if not event.board_name:
        return sentence
    board = _escaped(event.board_name)
    if origin and event.board_path:
        board = f"<{origin}{event.board_path}|{board}>"
    return f"{board}: {sentence}"


def _escaped(text: str) -> str:
    """For Slack: its three signs; a bar would end the address of a link."""
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "¦")):
        text = text.replace(sign, name)
    return text


def _packed(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
