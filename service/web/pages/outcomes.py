"""What the pages say of a brainstorm that has some of its ideas, but not all of them."""

from service.messages import Counted, Text
from service.schemas.brainstorm import IncompletePublic
from service.schemas.runs import RunPublic

ADVICE = {
    "drafts": Text(
        "The model found nothing new after that. Word the topic differently, try another method, "
        "or ask for more ideas."
    ),
    "deadline": Text("The time for one run was over. Ask for more ideas to go on."),
}


def incomplete_title(run: RunPublic, why: IncompletePublic) -> Text:
    made = Counted("%(count)s new idea", "%(count)s new ideas", len(run.suggestions))
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
