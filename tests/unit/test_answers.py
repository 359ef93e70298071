from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import AnswerUnusable
from service.prompts.answers import (
    BODY_LIMIT_BYTES,
    EXAMPLE_ECHOES,
    EXAMPLE_PHRASES,
    TITLE_LIMIT,
    Assessment,
    ParsedSuggestion,
    PartialSuggestion,
    Refinement,
    brainstorm_answer,
    evaluate_answer,
    parse_assessment,
    parse_refinement,
    parse_suggestion,
    partial_assessment,
    partial_refinement,
    partial_suggestion,
    refine_answer,
)

TEXT = "Hang a hook for every tool on the wall and draw its outline behind it."
CUT = "Paint the outline of every tool on the wall behind its hook. Then ask"
LOOP = "Make a tool to draw. " * 4
NOTE = "Tools get lost.\n\n- 12 hooks\n- one wall"
STRENGTHS = ("Twelve hooks cost little.", "The outline shows what is missing.")
CONCERNS = ("Nobody is named who hangs them.", "Heavy tools need longer screws.")
REFINED = refine_answer("Tool Wall", NOTE, ("Named the number of hooks", "Made a list"))
ASSESSED = evaluate_answer(STRENGTHS, CONCERNS, "Hang up three tools and watch for a week.")


def test_an_answer_reads_back_as_it_was_written() -> None:
    assert parse_suggestion(brainstorm_answer("Tool Wall", TEXT), topic="a tidy shed") == (
        ParsedSuggestion("Tool Wall", TEXT)
    )
    assert parse_refinement(REFINED) == (
        Refinement("Tool Wall", NOTE, ("Named the number of hooks", "Made a list"))
    )
    assert parse_assessment(ASSESSED) == (
        Assessment(STRENGTHS, CONCERNS, "Hang up three tools and watch for a week.")
    )


@pytest.mark.parametrize(
    "title",
    ["**Tool Wall**", '"Tool Wall"', "“Tool Wall”.", "Tool Wall:", "# Tool Wall", "- *Tool Wall*"],
)
def test_titles_lose_markdown_quotes_and_final_punctuation(title: str) -> None:
    assert parse_suggestion(brainstorm_answer(title, TEXT), topic="").title == "Tool Wall"


def test_bold_headings_are_read_like_plain_ones() -> None:
    answer = f"**Title:** Tool Wall\n\n**Idea:** {TEXT}"

    assert parse_suggestion(answer, topic="") == ParsedSuggestion("Tool Wall", TEXT)


def test_a_cut_idea_ends_with_its_last_complete_sentence() -> None:
    text = parse_suggestion(brainstorm_answer("Tool Wall", CUT), topic="").text

    assert text == "Paint the outline of every tool on the wall behind its hook."


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no title"),
        ("Title: Tool Wall", "cut after it"),
        ("Title: \nIdea: " + TEXT, "no title"),
        ("Title: Tool Wall\nIdea: ", "empty"),
        ("Title: Tool Wall\nIdea: Hang a hook for every tool on the", "cut in the middle"),
        ("Title: Tool Wall\nIdea: Hang hooks. Then draw the outline of", "fewer than 8 words"),
        ("Title: ...\nIdea: " + TEXT, "no title"),
        ("Title: <name of the idea>\nIdea: " + TEXT, "placeholder"),
        (
            "Title: Tool Wall\nIdea: <one or two sentences that say what to do, exactly.>",
            "placehol",
        ),
        ("Title: Tool Wall\nIdea: " + LOOP, "idea repeats itself"),
        ("Title: Artisanal Artisanal, artisanal\nIdea: " + TEXT, "title repeats itself"),
        (
            "Title: Tool Wall\nIdea: How to keep all the tools in our shed tidy.",
            "repeats the topic",
        ),
        (f"Title: Keys\nIdea: Hang {EXAMPLE_PHRASES[0]}.", "example from the prompt"),
        (
            "Title: Shared note\nIdea: Set a time when the note should be read aloud at breakfast.",
            "example from the prompt",
        ),
        (
            "Title: Reading Aloud at Breakfast\nIdea: Everyone brings a tool and says what it is for.",
            "example from the prompt",
        ),
        (f"Title: {'x' * (TITLE_LIMIT + 1)}\nIdea: {TEXT}", "longer than"),
        ("Here are some ideas for you, as you asked me to give.", "no title"),
    ],
)
def test_an_unusable_idea_is_refused_with_the_reason(answer: str, reason: str) -> None:
    with pytest.raises(AnswerUnusable, match=reason):
        parse_suggestion(answer, topic="how to keep all the tools in our shed tidy")


@pytest.mark.parametrize(
    ("phrase", "echo"), list(zip(EXAMPLE_PHRASES, EXAMPLE_ECHOES, strict=True))
)
def test_examples_of_the_prompt_are_usable_if_the_topic_names_them(phrase: str, echo: str) -> None:
    answer = f"Title: Every Day\nIdea: Begin the week with {phrase}."

    with pytest.raises(AnswerUnusable, match="example from the prompt"):
        parse_suggestion(answer, topic="a calmer morning")
    assert parse_suggestion(answer, topic=f"A {echo}").title == "Every Day"


def test_an_idea_in_a_script_without_spaces_is_measured_by_its_characters() -> None:
    answer = "Title: 工具墙\nIdea: 在墙上为每件工具挂一个钩子\uff0c并在后面画出它的轮廓。"

    assert parse_suggestion(answer, topic="整洁").title == "工具墙"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no title"),
        ("Title: Tool Wall\nIdea: Hooks for every", "cut before the list"),
        ("Title: Tool Wall\nIdea:\n\nChanges:\n- One.", "no text"),
        ("Title: Tool Wall\nIdea: <the whole note, rewritten>\n\nChanges:\n- One.", "no text"),
        (f"Title: a\nIdea: {'é' * (BODY_LIMIT_BYTES // 2 + 1)}\n\nChanges:\n- One.", "longer than"),
        (f"Title: a\nIdea: {LOOP}\n\nChanges:\n- One.", "repeats itself"),
    ],
)
def test_a_refinement_that_would_lose_text_is_refused(answer: str, reason: str) -> None:
    with pytest.raises(AnswerUnusable, match=reason):
        parse_refinement(answer)


def test_a_repeated_sentence_in_a_refinement_is_kept_once() -> None:
    body = f"{TEXT} Anna keeps the key. {TEXT}\n\n{TEXT}"
    answer = refine_answer("Tool Wall", body, ("Named Anna",))

    assert parse_refinement(answer).body == f"{TEXT} Anna keeps the key."


def test_a_change_that_is_cut_off_is_left_out() -> None:
    assert parse_refinement(REFINED[:-4]).changes == ("Named the number of hooks",)


def test_a_line_of_the_note_that_looks_like_a_heading_stays_in_the_note() -> None:
    note = "Old list.\nChanges:\n- none so far"
    answer = refine_answer("Tool Wall", note, ("Kept the list",))

    assert parse_refinement(answer) == Refinement("Tool Wall", note, ("Kept the list",))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no strengths"),
        (ASSESSED[: ASSESSED.index("Concerns")], "no concerns"),
        (ASSESSED[: ASSESSED.index("Next step")], "next step is empty"),
        (ASSESSED[:-30], "cut in the middle"),
        (ASSESSED.replace(CONCERNS[0], "<another problem>"), "placeholder"),
        (evaluate_answer((LOOP,), CONCERNS, TEXT), "repeats itself"),
    ],
)
def test_an_assessment_with_a_part_missing_is_refused(answer: str, reason: str) -> None:
    with pytest.raises(AnswerUnusable, match=reason):
        parse_assessment(answer)


def test_the_same_point_made_twice_counts_once() -> None:
    answer = evaluate_answer((STRENGTHS[0], STRENGTHS[0]), CONCERNS, "Hang up three tools.")

    assert parse_assessment(answer).strengths == (STRENGTHS[0],)


def test_a_title_is_shown_once_its_line_is_complete() -> None:
    assert partial_suggestion("Tit") == PartialSuggestion(None, "")
    assert partial_suggestion("Title: Tool W") == PartialSuggestion(None, "")
    assert partial_suggestion("Title: Tool Wall\nId") == PartialSuggestion("Tool Wall", "")
    assert partial_suggestion("Title: Tool Wall\nIdea: Hang a") == (
        PartialSuggestion("Tool Wall", "Hang a")
    )


def test_the_beginning_of_a_heading_is_never_shown_as_text() -> None:
    start = REFINED.index("Changes")
    assert [partial_refinement(REFINED[:end]).body for end in range(start, start + 9)] == [NOTE] * 9

    start = ASSESSED.index("Concerns")
    for end in range(start, start + 9):
        assert partial_assessment(ASSESSED[:end]).strengths == STRENGTHS


def test_points_appear_as_they_are_written() -> None:
    assert partial_assessment(ASSESSED[:30]).strengths == (ASSESSED[13:30],)
    assert partial_assessment(ASSESSED).next_step.startswith("Hang up three")


@given(st.text(max_size=200) | st.sampled_from([REFINED, ASSESSED, "Title: a\nIdea: " + TEXT]))
def test_any_answer_is_either_valid_or_refused(answer: str) -> None:
    for parse in (lambda a: parse_suggestion(a, topic="a"), parse_refinement, parse_assessment):
        with suppress(AnswerUnusable):
            parse(answer)
    partial_suggestion(answer)
    partial_refinement(answer)
    partial_assessment(answer)


WORDS = st.text(alphabet="abcdefghij ", min_size=1, max_size=12).filter(lambda s: s.strip() == s)


@given(st.data())
def test_every_beginning_of_an_answer_can_be_shown(data: st.DataObject) -> None:
    answer = data.draw(st.sampled_from([REFINED, ASSESSED, brainstorm_answer("Tool Wall", TEXT)]))
    begun = answer[: data.draw(st.integers(0, len(answer)))]

    partial_suggestion(begun)
    partial_refinement(begun)
    partial_assessment(begun)


@given(st.text(alphabet="abcdefgh", min_size=1, max_size=30), st.integers(8, 30))
def test_any_plain_idea_reads_back_as_it_was_written(title: str, count: int) -> None:
    text = " ".join(f"w{i}" for i in range(count)) + "."
    parsed = parse_suggestion(brainstorm_answer("Good " + title, text), topic="")

    assert parsed == ParsedSuggestion("Good " + title, text)


def test_an_idea_that_only_repeats_its_title_is_refused() -> None:
    title = "A small shelf in the hall for all tools"

    with pytest.raises(AnswerUnusable, match="title"):
        parse_suggestion(brainstorm_answer(title, f"{title}."), topic="tools")


def test_a_next_step_of_one_endless_word_is_refused() -> None:
    answer = evaluate_answer(
        ("It costs nothing at all.",), ("It may rain on that day.",), f"Try it {'1.' * 60}."
    )

    with pytest.raises(AnswerUnusable, match="words"):
        parse_assessment(answer)
