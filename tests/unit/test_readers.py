"""Reading ideas from text files; our own exports are read back exactly."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidFile, InvalidInput
from service.schemas.fields import clean_line
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.schemas.imports import Draft, ParsedFile, TextFormat
from service.text.cleaning import clean_text
from service.transfer.exporter import markdown, spreadsheet
from service.transfer.readers import header_of, read
from service.transfer.text_escaping import (
    escape_formula,
    escape_marks,
    join_tags,
    split_tags,
    unescape_formula,
    unescape_marks,
)

MOMENT = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
# Texts that one of the formats could read as markup.
TRICKY = st.sampled_from(
    [
        *("=1+1", "'=1+1", "''@x", "-", "+1", "\t=x", "a, b", 'say "hi"', "x;y", "# Board"),
        *("## Idea", "Status: draft", "· Tags: a · Score: 7.0", "<!-- ideapool:idea x -->"),
        *("<!-- \\ideapool:board x -->", "- item", "1. one", "```\n# code\n```", "\n\n", "\r\n"),
        *("## t\n\nStatus: draft <!-- ideapool:idea x -->", "# b\n\n<!-- ideapool:board b -->"),
        *("[x] done", "#tag", "true", "ä", "\ufeff", "a\u2028b", "|", "\\", "'", '"', ","),
    ]
)
texts = st.lists(st.one_of(TRICKY, st.text(max_size=30)), max_size=4).map(" ".join)
bodies = texts.map(clean_text)
titles = texts.map(clean_line).map(lambda text: text[:200].strip()).filter(bool)
tags = st.lists(texts.map(clean_line).map(lambda t: t[:40].strip()).filter(bool), max_size=4)
ideas = st.lists(
    st.fixed_dictionaries(
        {
            "title": titles,
            "body": bodies,
            "status": st.sampled_from(["draft", "kept", "in-progress", "done", "archived"]),
            "star": st.booleans(),
            "tags": tags.map(lambda names: sorted(set(names))),
            "score": st.none() | st.floats(1, 10),
        }
    ),
    max_size=4,
)
boards = st.lists(st.tuples(titles, bodies, ideas), min_size=1, max_size=3)
Fields = dict[str, Any]


def exported(made: list[tuple[str, str, list[Fields]]]) -> list[tuple[BoardPublic, list[Any]]]:
    found = []
    for place, (name, goal, fields) in enumerate(made):
        board = BoardPublic(
            id=f"board-{place}", name=name, goal=goal, created_at=MOMENT, updated_at=MOMENT
        )
        common: Fields = {"parent_id": None, "origin": "human", "version": 1, "revision": 1}
        common["is_stale"] = False
        common |= {"created_at": MOMENT, "updated_at": MOMENT, "board_id": board.id}
        kept = [
            IdeaPublic(id=f"idea-{place}-{number}", **common, **one)
            for number, one in enumerate(fields)
        ]
        found.append((board, kept))
    return found


def claimed(idea: Any, board: Any) -> Fields:
    names = ("id", "title", "body", "status", "star", "tags")
    return {name: getattr(idea, name) for name in names} | {"board": board}


@given(boards)
def test_exported_csv_is_read_back_exactly(made: list[tuple[str, str, list[Fields]]]) -> None:
    export = exported(made)

    reading = read(spreadsheet(export).encode(), "csv")

    assert [claimed(idea, idea.board) for idea in reading.ideas] == [
        claimed(idea, board.name) for board, kept in export for idea in kept
    ]
    assert {idea.created_at for idea in reading.ideas} <= {MOMENT}
    assert reading.left_out == []


@given(boards)
def test_exported_markdown_is_read_back_exactly(made: list[tuple[str, str, list[Fields]]]) -> None:
    export = exported(made)

    reading = read(markdown(export).encode(), "markdown")

    assert [claimed(idea, idea.board) for idea in reading.ideas] == [
        claimed(idea, board.id) for board, kept in export for idea in kept
    ]
    assert [(one.name, one.goal) for one in reading.boards.values()] == [
        (board.name, board.goal) for board, _ in export
    ]
    assert reading.left_out == []


@given(tags)
def test_tags_in_one_cell_are_read_back_exactly(names: list[str]) -> None:
    assert split_tags(join_tags(names)) == list(dict.fromkeys(names))


@given(texts)
def test_escaping_of_formulas_and_marks_can_be_undone(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
    assert not escape_formula(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unescape_marks(escape_marks(text)) == text


@pytest.mark.parametrize("sign", ["\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_full_width_signs_of_formulas_are_escaped_too(sign: str) -> None:
    for cell in (f"{sign}SUM(A1)", f"'{sign}x"):
        assert escape_formula(cell) == f"'{cell}"
        assert unescape_formula(f"'{cell}") == cell


@given(st.binary(max_size=200), st.sampled_from(["markdown", "csv", "lines"]))
def test_any_bytes_are_read_or_refused_with_line_and_column(
    content: bytes, format: TextFormat
) -> None:
    found, faults = [], []
    try:
        found = read(content, format).ideas
    except InvalidFile as refused:
        faults = list(refused.places)

    assert all(idea.title == clean_line(idea.title) != "" for idea in found)
    assert all(line >= 1 and column >= 1 and what for line, column, what in faults)


@given(texts, st.sampled_from(["markdown", "lines"]), st.sampled_from(["body", "ideas"]))
def test_every_word_of_a_text_is_imported_or_reported_as_ignored(
    text: str, format: TextFormat, nested: Any
) -> None:
    text = f"# Plans\n\n- lantern walk\n  - jam jars\n\n{clean_text(text)}"
    try:
        reading = read(text.encode(), format, nested=nested)
    except InvalidFile:
        return

    whole = " ".join(
        [f"{idea.title} {idea.body}" for idea in reading.ideas]
        + [one.name for one in reading.boards.values()]
        + [one.text for one in reading.left_out]
    )
    for word in ("lantern", "jam", "Plans"):
        assert word in whole


def shown(reading: ParsedFile) -> list[tuple[str, ...]]:
    """Returns title, board, status and tags of each idea."""
    return [
        (idea.title, idea.board or "", idea.status or "", *(idea.tags or ()))
        for idea in reading.ideas
    ]


def test_plain_lines_are_ideas_without_their_bullets() -> None:
    text = "\ufeffSoup from one pot\r\n\r\n- Chalk the road\n  * Lanterns\n12) Dog parade\n-5 °C party\n"

    assert [(idea.line, idea.title) for idea in read(text.encode(), "lines").ideas] == [
        (1, "Soup from one pot"),
        (3, "Chalk the road"),
        (4, "Lanterns"),
        (5, "Dog parade"),
        (6, "-5 °C party"),
    ]


@pytest.mark.parametrize("format", ["lines", "markdown"])
def test_a_line_too_long_for_a_title_is_kept_whole_in_the_body(format: TextFormat) -> None:
    words = "many words " * 30

    idea = read(f"- {words}".encode(), format).ideas[0]

    assert idea.title.endswith("many words…")
    assert len(idea.title) <= 200
    assert idea.body == words.strip()


MARKDOWN = """\
# Street party

A party the whole street enjoys.

## Food

- Soup from **one** pot #cheap #warm
- [x] Bread
  baked at *home*
- [ ] Jam
  - plum
  - fig

    from the tree

### Drinks

1. [Lemonade](https://example.org/recipe)

# Music

Some words after the goal.

* Balcony concert
"""


def test_lists_under_headings_are_ideas_with_boards_tags_and_ticked_boxes() -> None:
    reading = read(MARKDOWN.encode(), "markdown")

    assert shown(reading) == [
        ("Soup from one pot", "Street party", "", "Food", "cheap", "warm"),
        ("Bread baked at home", "Street party", "done", "Food"),
        ("Jam", "Street party", "", "Food"),
        ("Lemonade", "Street party", "", "Food", "Drinks"),
        ("Balcony concert", "Music", ""),
    ]
    assert reading.boards["Street party"].goal == "A party the whole street enjoys."
    assert reading.ideas[2].body == "- plum\n- fig\n\n  from the tree"
    assert reading.ideas[3].body == "[Lemonade](https://example.org/recipe)"
    assert [idea.line for idea in reading.ideas] == [7, 8, 10, 18, 24]


def test_nested_items_can_become_branches_of_the_outer_idea() -> None:
    reading = read(MARKDOWN.encode(), "markdown", nested="ideas")

    assert [idea.title for idea in reading.ideas][2:5] == ["Jam", "plum", "fig"]
    assert [idea.parent for idea in reading.ideas][2:5] == [None, 2, 2]
    assert reading.ideas[4].body == "from the tree"


def test_headings_can_be_tags_instead_of_boards() -> None:
    reading = read(MARKDOWN.encode(), "markdown", groups="tags")

    assert reading.boards == {}
    assert shown(reading)[0] == (
        "Soup from one pot",
        "",
        "",
        "Street party",
        "Food",
        "cheap",
        "warm",
    )
    assert shown(reading)[-1] == ("Balcony concert", "", "", "Music")


def test_prose_between_lists_is_reported_as_ignored() -> None:
    reading = read(b"Minutes of the meeting\n\n- One\n\n> a quote\n\n- Two\n", "markdown")

    assert [idea.title for idea in reading.ideas] == ["One", "Two"]
    assert [(one.line, one.text) for one in reading.left_out] == [
        (1, "Minutes of the meeting"),
        (5, "> a quote"),
    ]


def test_sections_without_lists_are_ideas_with_their_text() -> None:
    text = "# Party\n\nFor all.\n\n## Soup\n\nOne *pot*.\n\n### How\n\nStir.\n\n## Chalk\n"

    reading = read(text.encode(), "markdown")

    assert shown(reading) == [("Soup", "Party", ""), ("Chalk", "Party", "")]
    assert reading.ideas[0].body == "One *pot*.\n\n### How\n\nStir."
    assert reading.boards["Party"].goal == "For all."


def test_paragraphs_alone_are_ideas() -> None:
    reading = read(b"Soup from\none pot\n\nChalk the road\n", "markdown")

    assert [idea.title for idea in reading.ideas] == ["Soup from one pot", "Chalk the road"]


def test_an_older_export_without_ids_is_read_with_status_and_tags() -> None:
    text = (
        "# Street party\n\nA party all enjoy.\n\n"
        "## Tool shelf\n\nStatus: in-progress, starred · Tags: cheap, home · Score: 7.1\n\n"
        "Lend *drills*.\n\n- and ladders\n\n## Soup\n\nStatus: kept\n"
    )

    reading = read(text.encode(), "markdown")

    assert shown(reading) == [
        ("Tool shelf", "Street party", "in-progress", "cheap", "home"),
        ("Soup", "Street party", "kept"),
    ]
    assert reading.ideas[0].star
    assert reading.ideas[0].body == "Lend *drills*.\n\n- and ladders"


def test_the_table_of_another_program_is_read_by_its_header() -> None:
    text = (
        "Name;Notes;Labels;State;Votes\r\n"
        '"Soup; hot";"One\r\npot";"food, warm";In Progress;3\r\n'
        ";;;;\r\nChalk;;;todo;\r\n"
    )

    reading = read(text.encode("utf-16"), "csv")

    assert shown(reading) == [
        ("Soup; hot", "", "in-progress", "food", "warm"),
        ("Chalk", "", "draft"),
    ]
    assert reading.ideas[0].body == "One\npot"
    assert [idea.line for idea in reading.ideas] == [2, 5]
    assert [one.text for one in reading.left_out] == ["Ignored columns: Votes"]


def test_numbers_of_another_program_are_not_used_as_ids() -> None:
    own = "0b2f6a54-0c1d-4b9e-8f21-3d5a7c9e1f00"

    reading = read(f"id,title\n17,Soup\n{own},Chalk\n".encode(), "csv")

    assert [idea.id for idea in reading.ideas] == [None, own]


def places(content: bytes, format: TextFormat) -> list[tuple[int, int]]:
    with pytest.raises(InvalidFile) as refused:
        read(content, format)
    return [(line, column) for line, column, _ in refused.value.places]


@pytest.mark.parametrize(
    ("content", "format", "expected"),
    [
        (b"fine\nnot \xff fine", "lines", [(2, 5)]),
        (b"title,status\nSoup,draft\nChalk,Backlog\n", "csv", [(3, 2)]),
        (b"title,star\n,maybe\n", "csv", [(2, 1), (2, 2)]),
        (b"title\nSoup,hot\n", "csv", [(2, 2)]),
        (b'title\n"a\nb\n', "csv", [(2, 1)]),
        (b"name,created_at\nSoup,yesterday\n", "csv", [(2, 2)]),
        (b"colour,size\nred,9\n", "csv", [(1, 1)]),
        (b"", "csv", [(1, 1)]),
        (b"title,tags\nSoup," + b"x" * 41 + b"\n", "csv", [(2, 2)]),
        (b"- a\n- b " + b" ".join(b"#t%d" % n for n in range(21)), "markdown", [(2, 1)]),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
def test_faults_are_reported_with_line_and_column(
    content: bytes, format: TextFormat, expected: list[tuple[int, int]]
) -> None:
    assert places(content, format) == expected


def test_faults_are_reported_together_up_to_a_limit() -> None:
    rows = "".join(f"Idea {number},Backlog\n" for number in range(100))

    assert places(f"title,status\n{rows}".encode(), "csv") == [(n, 2) for n in range(2, 22)]


def test_fields_that_a_file_lacks_stay_empty() -> None:
    assert read(b"Soup\n", "lines").ideas == [Draft(1, "Soup")]


TRELLO = (
    "Card ID,Card Name,Card Description,Labels,List Name,Board Name\n"
    '6,Soup from one pot,At noon.,"food, cheap (green)",To Do,Street party\n'
)
JIRA = (
    "Summary,Issue key,Status,Project name,Labels,Labels,Description\n"
    "Soup from one pot,X-1,To Do,Street party,food,cheap,At noon.\n"
)
NOTION = "Name,Tags,Status,Text\nSoup from one pot,food,In progress,At noon.\n"
ASANA = "Task ID,Task Name,Section/Column,Assignee,Tags,Notes,Projects\n1,Soup from one pot,New,Lena,food,At noon.,Street party\n"


@pytest.mark.parametrize(
    ("text", "board", "tags"),
    [
        (TRELLO, "Street party", ["food", "cheap (green)"]),
        (JIRA, "Street party", ["food", "cheap"]),
        (NOTION, None, ["food"]),
        (ASANA, "Street party", ["food"]),
    ],
    ids=["Trello", "Jira", "Notion", "Asana"],
)
def test_tables_of_other_programs_are_understood(
    text: str, board: str | None, tags: list[str]
) -> None:
    idea = read(text.encode(), "csv").ideas[0]

    assert (idea.title, idea.body) == ("Soup from one pot", "At noon.")
    assert (idea.board, idea.tags) == (board, tags)


def test_columns_can_be_chosen_by_name_and_left_out() -> None:
    text = b"Headline;What it is;Name;Labels\nSoup;At noon.;Lena;food\n"

    guessed = read(text, "csv").ideas[0]
    chosen = read(text, "csv", columns={"title": "headline", "body": "What it is", "tags": "-"})

    assert (guessed.title, guessed.tags) == ("Lena", ["food"])
    idea = chosen.ideas[0]
    assert (idea.title, idea.body, idea.tags) == ("Soup", "At noon.", None)
    assert [one.text for one in chosen.left_out] == ["Ignored columns: Name, Labels"]


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InvalidInput, match=r"no column “colour”\. It has: title, size") as refusal:
        read(b"title,size\nSoup,9\n", "csv", columns={"body": "colour"})

    assert refusal.value.pointer == "/body_column"


def test_a_column_that_was_chosen_is_not_taken_for_something_else_too() -> None:
    header = header_of("notes,name\n", {"title": "notes"})

    assert header.taken == {"title": "notes"}
