"""Counts what a proposed text changes. The model's own list of changes may be wrong."""

from service.messages import Counted, Text
from service.text.cleaning import count_words
from service.text.diff import count_sentences
from service.text.edits import Note


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
    words = count_words(before.body), count_words(after.body)
    if words[0] != words[1]:
        facts.append(
            Text("%(before)s words before, %(after)s now", before=words[0], after=words[1])
        )
    return facts


def _changed(count: int) -> Text:
    return Counted("%(count)s sentence changed", "%(count)s sentences changed", count)


def _added(count: int) -> Text:
    return Counted("%(count)s sentence added", "%(count)s sentences added", count)


def _removed(count: int) -> Text:
    return Counted("%(count)s sentence removed", "%(count)s sentences removed", count)
