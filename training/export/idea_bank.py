"""Builds the idea bank from files of topics and their ideas, and of translated topics.

Each line of a file has a `topic`, a `context` and `ideas` with a title and a text. Topics that say
the same are joined, so that a person's topic finds all of their ideas. A file of translations is
named by its language (`sv.tsv`) and has a topic, a tab and the translation in each line.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from service.analysis.idea_bank import ENGLISH, IDEAS, INDEX
from service.analysis.sentence_encoder import Matrix, SentenceEncoder
from service.analysis.word_overlap import SAME_IDEA, resemblance
from service.analysis.word_pieces import PieceIndex
from training.errors import DataProblem
from training.export.sentence_encoder import pack_rows

SAME_TOPIC = 0.9
"""From this cosine on, two topics say the same in other words."""
EMBEDDED_AT_ONCE = 200


@dataclass(slots=True)
class Topic:
    """`text` by language; English is always there."""

    text: dict[str, str]
    ideas: list[dict[str, str]] = field(default_factory=list)


def build_idea_bank(
    sources: Sequence[Path],
    folder: Path,
    report: Callable[[str], None],
    translations: Sequence[Path] = (),
) -> None:
    """Writes the same bytes every time.

    Raises: DataProblem if a line has not the form above, or translates no topic of the bank.
    """
    topics = list(_read(sources))
    vectors = _embed([topic.text[ENGLISH] for topic in topics], report)
    kept = _join(topics, vectors)
    _translate([topics[place] for place in kept], topics, translations)
    lines = [_line(topics[place]) for place in kept]
    folder.mkdir(parents=True, exist_ok=True)
    content = b"".join(lines)
    (folder / IDEAS).write_bytes(content)
    offsets = np.cumsum([0, *map(len, lines[:-1])]).astype(np.int64)
    languages = [path.stem for path in translations]
    steps, scale = pack_rows(vectors[kept])
    arrays: dict[str, Any] = {
        "vectors": steps,
        "scale": scale,
        "offsets": offsets,
        "languages": np.array(languages, np.str_),
        "ideas_sha256": np.frombuffer(sha256(content).digest(), np.uint8),
    }
    for language in languages:
        # A topic that is not translated is found in English only.
        texts = [topics[place].text.get(language, "") for place in kept]
        arrays |= PieceIndex.build(texts).pack(language)
    with (folder / INDEX).open("wb") as file:
        np.savez(file, **arrays)
    ideas = sum(len(topics[place].ideas) for place in kept)
    report(
        f"{len(topics)} topics read, {len(topics) - len(kept)} joined to others that say the same; "
        f"{len(kept)} topics with {ideas} ideas, {len(content)} bytes; translated: {', '.join(languages) or 'no'}. "
        f"SHA-256 of {INDEX}: {sha256((folder / INDEX).read_bytes()).hexdigest()}"
    )


def _read(sources: Sequence[Path]) -> Iterator[Topic]:
    for source in sources:
        for number, line in enumerate(source.read_text().splitlines(), start=1):
            try:
                record = json.loads(line)
                ideas = [{"title": one["title"], "text": one["text"]} for one in record["ideas"]]
                yield Topic({ENGLISH: record["topic"]}, ideas)
            except (ValueError, KeyError, TypeError) as error:
                raise DataProblem(
                    f"{source}, line {number}: not a topic with ideas ({error})"
                ) from error


def _embed(texts: Sequence[str], report: Callable[[str], None]) -> Matrix:
    encoder = SentenceEncoder()
    parts = []
    for begin in range(0, len(texts), EMBEDDED_AT_ONCE):
        parts.append(encoder.embed(texts[begin : begin + EMBEDDED_AT_ONCE]))
        report(f"embedded {min(begin + EMBEDDED_AT_ONCE, len(texts))} of {len(texts)} topics")
    return np.concatenate(parts)


def _join(topics: Sequence[Topic], vectors: Matrix) -> list[int]:
    """Gives each topic that repeats an earlier one's ideas to that one; returns the others."""
    kept: list[int] = []
    for place, topic in enumerate(topics):
        likeness = vectors[kept] @ vectors[place] if kept else np.zeros(0)
        if kept and likeness.max() >= SAME_TOPIC:
            _add_new(topics[kept[int(likeness.argmax())]], topic.ideas)
        else:
            kept.append(place)
    return kept


def _translate(
    kept: Sequence[Topic], topics: Sequence[Topic], translations: Sequence[Path]
) -> None:
    by_text = {topic.text[ENGLISH]: topic for topic in kept}
    known = {topic.text[ENGLISH] for topic in topics}
    for path in translations:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            english, tab, translation = line.partition("\t")
            if not (tab and translation.strip()) or english not in known:
                raise DataProblem(
                    f"{path}, line {number}: not a topic of the bank, a tab and its translation"
                )
            if english in by_text:
                by_text[english].text[path.stem] = translation


def _add_new(topic: Topic, ideas: Sequence[dict[str, str]]) -> None:
    for idea in ideas:
        if not any(_is_alike(idea, other, topic.text[ENGLISH]) for other in topic.ideas):
            topic.ideas.append(idea)


def _is_alike(idea: dict[str, str], other: dict[str, str], topic: str) -> bool:
    wholes = (f"{one['title']}. {one['text']}" for one in (idea, other))
    return idea["title"] == other["title"] or resemblance(*wholes, ignore=topic) >= SAME_IDEA


def _line(topic: Topic) -> bytes:
    record: dict[str, Any] = {"topic": topic.text, "ideas": topic.ideas}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
