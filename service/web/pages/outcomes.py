"""Texts for runs that wait, that failed, or that found fewer ideas than requested."""

from service.messages import Counted, Text
from service.runs.recorder import QueuePosition
from service.schemas.brainstorm import IncompletePublic
from service.schemas.runs import RunError, RunPublic
from service.web.pages.run_times import about

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
    return error.reason


def waiting(position: QueuePosition, wait_s: float | None) -> str:
    """`wait_s` is how long the runs before it still take, if that is known."""
    if position.ahead:
        before = waiting_word(position)
        if wait_s is not None:
            before = Text("%(before)s, %(time)s", before=before, time=about(wait_s))
        return Text("%(before)s. It starts by itself.", before=before)
    if position.is_model_ready:
        return Text("Another program is using the model. Your run starts when the model is free.")
    return ""


def waiting_word(position: QueuePosition) -> Text:
    if position.ahead:
        return Counted("%(count)s run before yours", "%(count)s runs before yours", position.ahead)
    return Text("Waiting for the model")


def missing_title(written: int, missing: int) -> Text:
    """Of a brainstorm that ended early with some of its ideas."""
    lacking = Counted("%(count)s is missing", "%(count)s are missing", missing)
    return Text("%(made)s; %(missing)s", made=_made(written), missing=lacking)


def _made(written: int) -> Text:
    return (
        Counted("%(count)s new idea", "%(count)s new ideas", written)
        if written
        else Text("No new ideas yet")
    )


def incomplete_title(run: RunPublic, why: IncompletePublic) -> Text:
    made = _made(run.written)
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
