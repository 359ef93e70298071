"""Counts what a proposed text changes. The model's own list of changes may be wrong."""

from service.messages import Counted, Text
from service.text.cleaning import count_words
from service.text.diff import count_sentences
from service.text.edits import Note
from service.text.wishes import new_parts


def change_facts(before: Note, after: Note) -> list[Text]:
    counts = count_sentences(before.body, after.body)
    facts = [Text("The title changed")] if before.title != after.title else []
    facts += [
        fact
        for fact, count in (
            (_changed(counts.changed), counts.changed),
            (_added(counts.added), counts.added),
            (_removed(counts.removed), counts.removed),
        )
        if count
    ]
    if not facts:
        facts = [Text("Only spaces or line breaks changed")]
    facts += [Text("New: %(part)s", part=part) for part in new_parts(before.body, after.body)]
    gained = count_words(after.body) - count_words(before.body)
    if gained:
        facts.append(_shorter(-gained) if gained < 0 else _longer(gained))
    return facts


def _shorter(count: int) -> Text:
    return Counted("%(count)s word shorter", "%(count)s words shorter", count)


def _longer(count: int) -> Text:
    return Counted("%(count)s word longer", "%(count)s words longer", count)


def _changed(count: int) -> Text:
    return Counted("%(count)s sentence changed", "%(count)s sentences changed", count)


def _added(count: int) -> Text:
    return Counted("%(count)s sentence added", "%(count)s sentences added", count)


def _removed(count: int) -> Text:
    return Counted("%(count)s sentence removed", "%(count)s sentences removed", count)
