"""Texts for runs that wait, that failed, or that found fewer ideas than requested."""

from service.messages import Counted, Text, unpack
from service.runs.recorder import QueuePosition
from service.schemas.brainstorm import IncompletePublic
from service.schemas.runs import RunError, RunPublic

ADVICE = {
    "drafts": Text(
        "The model found nothing new after that. Word the topic differently, try another method, "
        "or ask for more ideas."
    ),
    "deadline": Text("The run reached its time limit. Ask for more ideas to continue."),
}

# Only the operator needs paths and hashes, and finds them in the log and over REST.
NO_MODEL = Text(
    "The model cannot be used just now. Your ideas are safe. If you run this server, check its log "
    "and /readyz. They say what is wrong."
)


def failure(error: RunError | None) -> str:
    """The detail of the error as a translatable text; empty without an error."""
    if error is None:
        return ""
    if error.type == "model-unavailable":
        return NO_MODEL
    return error.detail if error.words is None else unpack(error.words)


def waiting(position: QueuePosition) -> str:
    if position.ahead:
        return Counted(
            "The model is busy with %(count)s other run. Yours starts after it.",
            "The model is busy with %(count)s other runs. Yours starts after them.",
            position.ahead,
        )
    if position.is_model_ready:
        return Text("Another program is using the model. Your run starts when the model is free.")
    return ""


def waiting_word(position: QueuePosition) -> str:
    if position.ahead:
        return Counted(
            "Waiting for %(count)s other run", "Waiting for %(count)s other runs", position.ahead
        )
    return Text("Waiting for the model")


def incomplete_title(run: RunPublic, why: IncompletePublic) -> Text:
    made = Counted("%(count)s new idea", "%(count)s new ideas", run.written)
    repeats = Counted("%(count)s repeat", "%(count)s repeats", why.repeats)
    unusable = Counted("%(count)s unusable draft", "%(count)s unusable drafts", why.unusable)
    if why.repeats and why.unusable:
        return Text(
            "%(made)s; %(repeats)s and %(unusable)s left out",
            made=made,
            repeats=repeats,
            unusable=unusable,
        )
    if why.repeats or why.unusable:
        dropped = repeats if why.repeats else unusable
        return Text("%(made)s; %(dropped)s left out", made=made, dropped=dropped)
    return made
