"""Writing on the page of an idea: in place, with tools, drafts, boxes to tick, files and dictation."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from service.schemas.ideas import IdeaUpdate
from tests.browser.conftest import Pool, Visitors
from tests.unit.test_file_types import png

pytestmark = pytest.mark.browser

BODY = "Hang a wall of **drills** beside [the desk](https://example.org).\n\n- [ ] Ask\n- [x] Look"
IMAGE: FilePayload = {"name": "wall.png", "mimeType": "image/png", "buffer": png(40, 30)}
OTHER_IMAGE: FilePayload = {**IMAGE, "name": "other.png"}
SELECT = """([start, end]) => {
  const field = document.getElementById("text");
  field.focus();
  field.setSelectionRange(start, end);
}"""
# Where the focus is right after the press, before any later turn of the page.
PRESS_AND_SEE = """(place) => {
  const button = document.querySelector(place);
  button.focus();
  button.click();
  window.seen = document.activeElement.id;
}"""
# A file on the clipboard or under the pointer, as a browser hands it over.
GIVE = """([kind, place, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "pasted.png", {type: "image/png"}));
  const target = document.querySelector(place);
  const event = kind === "paste"
    ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true});
  target.dispatchEvent(event);
}"""


def opened(page: Page, pool: Pool, body: str = BODY) -> str:
    idea = pool.add("Tool wall", body, tags=["sharing"])
    page.goto(f"/ideas/{idea.id}")
    return idea.id


def test_a_click_on_the_text_edits_it_where_it_was_clicked(page: Page, pool: Pool) -> None:
    idea = opened(page, pool)

    page.locator("#body strong").click(position={"x": 2, "y": 8})
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("old ")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#body p").first).to_contain_text("Hang a wall of old drills")
    expect(page.locator("#editor")).not_to_have_attribute("open", "")
    assert pool.store.ideas.get(idea).version == 2
    page.locator("#sheet h1").click()
    expect(page.locator("#title")).to_be_focused()


def test_links_and_selections_do_not_edit(page: Page, pool: Pool) -> None:
    opened(page, pool)
    page.route("https://example.org/**", lambda route: route.abort())

    page.evaluate("getSelection().selectAllChildren(document.querySelector('#body p'))")
    page.locator("#body p").first.dispatch_event("click")
    expect(page.locator("#editor")).not_to_have_attribute("open", "")
    page.evaluate("getSelection().removeAllRanges()")
    page.evaluate(
        "document.querySelector('#body a').addEventListener('click', (event) => event.preventDefault())"
    )
    page.locator("#body a").click()
    expect(page.locator("#editor")).not_to_have_attribute("open", "")


@pytest.mark.parametrize(
    ("mark", "before", "after"),
    [
        ("Bold", "one [two]", "one **two**"),
        ("Bold", "one **[two]**", "one two"),
        ("Italic", "[one]", "*one*"),
        ("Italic", "*[one]*", "one"),
        ("Italic", "**[one]**", "***one***"),
        ("Italic", "***[one]***", "**one**"),
        ("Heading", "o[n]e", "## one"),
        ("Heading", "## o[n]e", "one"),
        ("List", "[one\ntwo]", "- one\n- two"),
        ("List", "[- one\n- two]", "one\ntwo"),
        ("Checkbox", "[- one\n- two]", "- [ ] one\n- [ ] two"),
        ("Quote", "[- one]", "> one"),
        ("Link", "[one]", "[one](https://)"),
        ("Code", "[one]", "`one`"),
        ("Code", "[one\ntwo]", "```\none\ntwo\n```"),
    ],
)
def test_tools_mark_the_selection_and_can_be_undone(
    page: Page, pool: Pool, mark: str, before: str, after: str
) -> None:
    # The first and the last bracket are the ends of the selection.
    start, end = before.index("["), before.rindex("]") - 1
    text = before[:start] + before[start + 1 : end + 1] + before[end + 2 :]
    opened(page, pool, text)
    page.locator("#editor > summary").click()
    page.evaluate(SELECT, [start, end])

    page.get_by_role("toolbar").get_by_role("button", name=mark).click()
    expect(page.locator("#text")).to_have_value(after)
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+z")

    expect(page.locator("#text")).to_have_value(text)


def test_keys_mark_text_and_lists_go_on(page: Page, pool: Pool) -> None:
    opened(page, pool, "one")
    page.locator("#editor > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+b")
    expect(page.locator("#text")).to_have_value("**one**")
    page.locator("#text").fill("")
    page.keyboard.type("- [x] one\ntwo\n\n3. three\nfour")

    expect(page.locator("#text")).to_have_value("- [x] one\n- [ ] two\n3. three\n4. four")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Bold", exact=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Italic", exact=True)).to_be_focused()


def test_a_preview_is_shown_and_the_text_stays(page: Page, pool: Pool) -> None:
    opened(page, pool)
    page.locator("#editor > summary").click()
    page.locator("#text").fill("**New** https://example.org/a")

    page.get_by_role("button", name="Preview").click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview.locator("strong")).to_have_text("New")
    expect(preview.locator("a")).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(page.locator("#text")).to_be_hidden()
    page.get_by_role("button", name="Preview").click()

    expect(page.locator("#text")).to_have_value("**New** https://example.org/a")
    expect(page.locator("#text")).to_be_focused()


def test_saving_drops_the_draft(page: Page, pool: Pool) -> None:
    opened(page, pool)
    page.locator("#editor > summary").click()
    page.locator("#text").fill("New")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Continue writing").click()
    page.locator("#save").click()

    expect(page.locator("#body")).to_have_text("New")
    page.reload()
    expect(page.locator("#draft-note")).to_be_hidden()


def test_what_is_typed_at_once_after_the_editor_was_opened_goes_into_it(
    page: Page, pool: Pool
) -> None:
    opened(page, pool, "one")
    page.evaluate(PRESS_AND_SEE, "#editor > summary")

    expect(page.locator("#text")).to_be_focused()
    assert page.evaluate("window.seen") == "text"


def test_an_editor_that_is_only_looked_into_leaves_the_draft_alone(page: Page, pool: Pool) -> None:
    opened(page, pool)
    summary, note = page.locator("#editor > summary"), page.locator("#draft-note")
    summary.press("Enter")
    page.locator("#text").fill("New")
    page.keyboard.press("Escape")
    expect(note).to_be_visible()

    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_value(BODY)
    expect(note).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#editor")).not_to_have_attribute("open", "")

    page.get_by_role("button", name="Continue writing").press("Enter")
    expect(page.locator("#text")).to_have_value("New")
    expect(note).to_be_hidden()


def test_a_draft_of_an_old_text_overwrites_nobody(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("409")
    page = visit()
    idea = opened(page, pool)
    page.locator("#editor > summary").click()
    page.locator("#text").fill("Mine")
    page.keyboard.press("Escape")
    pool.store.ideas.update(idea, IdeaUpdate(body="Theirs"))
    page.reload()
    page.get_by_role("button", name="Continue writing").click()
    page.locator("#save").click()

    expect(page.get_by_role("heading", name="Somebody saved this idea")).to_be_visible()
    expect(page.locator("#mine-text")).to_have_value("Mine")


@pytest.mark.parametrize("with_scripts", [True, False])
def test_a_box_is_ticked(visit: Visitors, pool: Pool, with_scripts: bool) -> None:
    page = visit(java_script_enabled=with_scripts)
    idea = opened(page, pool)
    box = page.get_by_role("checkbox", name="Ask")
    expect(box).not_to_be_checked()

    box.focus()
    page.keyboard.press("Space")

    expect(box).to_be_checked()
    expect(page.get_by_role("checkbox", name="Look")).to_be_checked()
    assert "- [x] Ask\n- [x] Look" in pool.store.ideas.get(idea).body
    if with_scripts:
        expect(box).to_be_focused()


def test_a_file_is_chosen_and_deleted(page: Page, pool: Pool) -> None:
    opened(page, pool)

    page.locator("#file").set_input_files([IMAGE, OTHER_IMAGE])

    expect(page.locator(".file")).to_have_count(2)
    expect(page.locator(".file-name")).to_have_text(["wall.png", "other.png"])
    expect(page.locator(".file-thumb").first).to_have_js_property("naturalWidth", 40)
    page.get_by_role("button", name="Delete wall.png").click()
    expect(page.locator(".file")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".file")).to_have_count(2)


def test_a_pasted_image_is_shown_in_the_text(page: Page, pool: Pool) -> None:
    idea = opened(page, pool, "Look:")
    page.locator("#editor > summary").click()
    page.evaluate(SELECT, [5, 5])

    page.evaluate(GIVE, ["paste", "#text", list(png(40, 30))])

    expect(page.locator(".file")).to_have_count(1)
    made = pool.store.attachments.page(idea).items[0]
    expect(page.locator("#text")).to_have_value(f"Look:![pasted.png](attachment:{made.id})")
    page.keyboard.press("Control+Enter")
    image = page.locator("#body img")
    expect(image).to_have_attribute("alt", "pasted.png")
    expect(image).to_have_js_property("naturalWidth", 40)


def test_a_file_is_dropped_on_the_page(page: Page, pool: Pool) -> None:
    opened(page, pool)

    page.evaluate(GIVE, ["dragover", "h1", list(png(40, 30))])
    expect(page.locator("#files")).to_have_class("panel files is-target")
    page.evaluate(GIVE, ["drop", "h1", list(png(40, 30))])

    expect(page.locator(".file-name")).to_have_text("pasted.png")
    expect(page.locator("#files")).to_have_class("panel files")


def test_a_file_that_is_refused_is_told_by_its_name(visit: Visitors, pool: Pool) -> None:
    visit.traps.expect("422")
    page = visit()
    opened(page, pool)

    page.locator("#file").set_input_files({**IMAGE, "buffer": b"\x7fELF\0"})

    expect(page.locator("#upload-refused")).to_contain_text("wall.png: Such a file cannot be")


def test_files_and_previews_work_without_scripts(visit: Visitors, pool: Pool) -> None:
    page = visit(java_script_enabled=False)
    idea = opened(page, pool)

    page.locator("#file").set_input_files(IMAGE)
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(page.locator(".file-name")).to_have_text("wall.png")
    page.locator(".file-alt > summary").click()
    page.get_by_label("What does the image show?").fill("Hammers")
    page.locator(".file-alt").get_by_role("button", name="Save").click()
    expect(page.get_by_role("img", name="Hammers")).to_be_visible()
    page.locator("#editor > summary").click()
    page.locator("#text").fill("**New**")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="Preview").locator("strong")).to_have_text("New")
    expect(page.locator("textarea")).to_have_value("**New**")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#body strong")).to_have_text("New")
    assert pool.store.ideas.get(idea).version == 2


SPEECH = """(answer) => {
  window.asked = [];
  Object.defineProperty(navigator, "userAgentData", {
    value: {brands: [{brand: "Google Chrome", version: "150"}]},
  });
  window.SpeechRecognition = class {
    static async available(options) { window.asked.push(options); return window.speech; }
    static async install() { window.speech = "available"; return true; }
    get processLocally() { return this.isLocal; }
    set processLocally(value) { this.isLocal = value; }
    start() { window.session = this; }
    stop() { this.onend(); }
  };
  window.speech = answer;
}"""
SAY = """(words) => session.onresult({
  resultIndex: 0,
  results: [Object.assign([{transcript: words}], {isFinal: true})],
})"""


def test_dictation_is_offered_where_it_stays_on_the_device(page: Page, pool: Pool) -> None:
    page.add_init_script(f"({SPEECH})('available')")
    opened(page, pool, "Soup")
    page.locator("#editor > summary").click()
    button = page.get_by_role("button", name="Dictate")

    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.evaluate(SAY, "from one pot")

    expect(page.locator("#text")).to_have_value("Soup from one pot")
    assert page.evaluate("session.processLocally") is True
    assert page.evaluate("asked") == [{"langs": ["en-US"], "processLocally": True}]
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_a_model_for_dictation_is_downloaded_only_when_asked(page: Page, pool: Pool) -> None:
    page.add_init_script(f"({SPEECH})('downloadable')")
    opened(page, pool, "Soup")
    page.locator("#editor > summary").click()

    page.get_by_role("button", name="Download speech recognition").click()

    expect(page.get_by_role("button", name="Dictate")).to_be_visible()


@pytest.mark.parametrize("answer", ["unavailable", "downloading"])
def test_dictation_is_not_offered_elsewhere(page: Page, pool: Pool, answer: str) -> None:
    page.add_init_script(f"({SPEECH})('{answer}')")
    opened(page, pool)
    page.locator("#editor > summary").click()
    page.wait_for_function("() => asked.length === 1")

    expect(page.locator("[data-dictate]")).to_be_hidden()
