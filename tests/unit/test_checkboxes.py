"""Boxes in texts are ticked where they are, and nowhere else."""

import re

import pytest

from service.schemas.attachments import AttachmentPublic
from service.schemas.identity import now
from service.web.markdown import as_html, render, ticked

TEXT = """# Plan

- [ ] Ask **Ada**
- [x] Find twenty tools
  - [ ] drills
  - [X] ladders

1. [ ] Open the doors
2) no box

```
- [ ] code is no box
```

> * [ ] quoted

- - [ ] deep
"""


def values(text: str) -> list[str]:
    return re.findall(r'value="([^"]+)"', render(text, has_ticks=True))


def test_each_box_changes_its_own_line_only() -> None:
    changed = []
    for value in values(TEXT):
        after = ticked(TEXT, value)
        assert after is not None
        pairs = zip(TEXT.split("\n"), after.split("\n"), strict=True)
        changed.append([new for old, new in pairs if old != new])

    assert changed == [
        ["- [x] Ask **Ada**"],
        ["- [ ] Find twenty tools"],
        ["  - [x] drills"],
        ["  - [ ] ladders"],
        ["1. [x] Open the doors"],
        ["> * [x] quoted"],
        ["- - [x] deep"],
    ]


def test_a_tick_and_its_opposite_give_the_text_back() -> None:
    for number, value in enumerate(values(TEXT)):
        after = ticked(TEXT, value) or ""
        back = ticked(after, values(after)[number])
        assert (back or "").lower() == TEXT.lower()


def test_a_tick_finds_its_box_in_a_text_that_has_changed() -> None:
    value = values("- [ ] drills\n- [ ] ladders")[1]

    assert ticked("New words\n\n- [ ] saws\n- [ ] drills\n- [ ] ladders", value) == (
        "New words\n\n- [ ] saws\n- [ ] drills\n- [x] ladders"
    )


def test_a_tick_that_somebody_else_made_already_changes_nothing() -> None:
    value = values("- [ ] drills")[0]

    assert ticked("- [x] drills", value) == "- [x] drills"


@pytest.mark.parametrize(
    "text", ["", "- [ ] saws", "drills", "- [ ] one\n- [ ] drills\n- [ ] drills", "\\- [ ] drills"]
)
def test_a_tick_never_goes_to_another_box(text: str) -> None:
    assert ticked(text, values("- [ ] drills")[0]) is None


@pytest.mark.parametrize(
    "value", ["", "0", "0.zz.1", "9999999.00000000.1", "0.00000000.2", "x" * 99]
)
def test_a_tick_that_names_no_box_is_none(value: str) -> None:
    assert ticked("- [ ] drills", value) is None


def test_who_may_not_edit_sees_boxes_that_cannot_be_ticked() -> None:
    html = render("- [x] drills")

    assert 'disabled=""' in html
    assert "<button" not in html


def file(name: str = "wall.png", *, is_image: bool = True) -> AttachmentPublic:
    return AttachmentPublic(
        id="abc-1",
        idea_id="i",
        name=name,
        alt="",
        media_type="image/png" if is_image else "application/pdf",
        size=10,
        width=40 if is_image else None,
        height=30 if is_image else None,
        sha256="0" * 64,
        created_at=now(),
    )


def test_an_image_of_the_idea_is_shown_with_its_size() -> None:
    html = as_html("See ![a *wall*](attachment:abc-1)!", [file()])

    assert (
        '<img src="/api/v1/attachments/abc-1/content" alt="a wall" width="40" height="30"' in html
    )
    assert html.startswith("<p>See <a ")
    assert html.rstrip().endswith("</a>!</p>")


def test_a_file_that_is_no_image_is_a_link() -> None:
    html = as_html("![plan](attachment:abc-1) [it](attachment:abc-1)", [file(is_image=False)])

    assert "<img" not in html
    assert html.count('href="/api/v1/attachments/abc-1/content"') == 2


def test_a_shared_page_has_addresses_of_its_own() -> None:
    html = as_html("![x](attachment:abc-1)", [file()], "/shared/token")

    assert 'src="/shared/token/attachments/abc-1/content"' in html


@pytest.mark.parametrize(
    "text",
    [
        "![x](attachment:other)",
        "![x](attachment:)",
        "![x](attachment:../../etc)",
        "![x](https://evil.example/x.png)",
        "![x](/api/v1/attachments/abc-1/content)",
        "\\![x](attachment:abc-1)",
        "`![x](attachment:abc-1)`",
    ],
)
def test_no_other_image_is_loaded(text: str) -> None:
    assert "<img" not in as_html(text, [file()])


def test_the_words_for_an_image_cannot_break_out_of_it() -> None:
    html = as_html('![x" onerror="alert(1)](attachment:abc-1)', [file('"><script>.png')])

    assert "onerror=" not in html.replace("onerror=&quot;", "")
    assert "<script" not in html


def test_the_markdown_of_a_file_shows_it_whatever_its_name() -> None:
    made = file("odd] (name) *with* `signs`.png")

    assert 'src="/api/v1/attachments/abc-1/content"' in as_html(made.markdown, [made])
