"""The commands of the palette: where one can go, and what one can do with a board or an idea.

Only what the acting person may do is in it. Each command is a link or a form with one field, so that it
works without JavaScript; `press` names the control of a page that does the same there at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.messages import Text
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.web.templating import STATUS_NAMES, may, may_anywhere
from service.web.translation import LANGUAGES


@dataclass(frozen=True, slots=True)
class Command:
    """`address` is that of a link or, with `field`, of a form with this field and `value`. `is_typed`
    makes what was typed the value, or of a link the field `q`. `key` is the shortcut of a page. `words`
    find it, too.
    """

    label: str
    icon: str
    address: str = ""
    field: str = ""
    value: str = ""
    press: str = ""
    key: str = ""
    words: str = ""
    hint: str = ""
    is_form: bool = False
    is_typed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    name: str
    commands: Sequence[Command]


def about_idea(idea: IdeaPublic, *, is_open: bool) -> Iterator[Command]:
    """`is_open` tells whether the page shows the idea; otherwise its card has the focus."""
    here = f"/ideas/{idea.id}"
    if not is_open:
        yield Command(Text("Open"), "right", here, key="Enter")
    if may("editor", idea.board_id):
        edit = "#editor > summary" if is_open else f'#ideas a[href$="{here}/edit"]'
        yield Command(Text("Edit"), "pen", f"{here}/edit", press=edit, key="" if is_open else "e")
        yield Command(
            Text("Remove the star") if idea.star else Text("Star this idea"),
            "star",
            f"{here}/star",
            "star",
            "false" if idea.star else "true",
            press=_button(f"{here}/star"),
            key="" if is_open else "s",
            is_form=True,
        )
    if may("commenter", idea.board_id):
        yield Command(
            Text("Take back your like") if idea.liked else Text("Like this idea"),
            "heart",
            f"{here}/like",
            "like",
            "false" if idea.liked else "true",
            press=_button(f"{here}/like"),
            key="" if is_open else "l",
            is_form=True,
        )
    if may("editor", idea.board_id):
        yield from _work_on(idea)
        yield from _sort(idea, is_open=is_open)
    yield Command(Text("Lineage"), "branch", f"{here}/lineage")


def _work_on(idea: IdeaPublic) -> Iterator[Command]:
    here = f"/ideas/{idea.id}"
    yield Command(Text("Refine"), "spark", f"{here}#instruction", press="#instruction")
    yield Command(Text("Evaluate"), "check", f"{here}/evaluate", press="#evaluate", is_form=True)
    yield Command(
        Text("Brainstorm from this idea"), "spark", f"{here}#branch-method", press="#branch-method"
    )


def _sort(idea: IdeaPublic, *, is_open: bool) -> Iterator[Command]:
    """The number keys set a status, but for the last one, which archives."""
    here = f"/ideas/{idea.id}"
    keys = dict(zip(STATUS_NAMES, "" if is_open else "1234", strict=False))
    for status, name in STATUS_NAMES.items():
        if status != idea.status:
            yield Command(
                Text("Status: %(name)s", name=name),
                "tag",
                f"{here}/status",
                "status",
                status,
                press=_button(f"{here}/status", status),
                key=keys.get(status, ""),
                is_form=True,
            )
    press = f"#ideas {_button(f'{here}/delete')}"
    yield Command(
        Text("Delete"),
        "bin",
        f"{here}/delete",
        press=press,
        key="" if is_open else "#",
        is_form=True,
    )


def _button(action: str, value: str = "") -> str:
    """The selector of the button of a form."""
    return f'form[action$="{action}"] button' + (f'[value="{value}"]' if value else "")


def about_board(board: BoardPublic) -> Iterator[Command]:
    here = f"/boards/{board.id}"
    yield Command(Text("Ideas"), "layers", here, key="g b")
    if may("editor", board.id):
        yield Command(Text("New idea"), "plus", f"{here}#new-title", press="#new-title", key="n")
        yield Command(Text("Brainstorm"), "spark", f"{here}#topic", press="#topic", key="b")
        yield Command(
            Text("Evaluate all"), "check", f"{here}/evaluate", "only_outdated", "true", is_form=True
        )
    yield Command(Text("Rank ideas"), "rank", f"{here}/rank", key="g r")
    yield Command(
        Text("Overview"), "layers", f"{here}/summary", key="g o", words=Text("groups summary")
    )
    yield Command(Text("Compare"), "table", f"{here}/table", key="g t", words=Text("table scores"))
    yield Command(Text("Map"), "map", f"{here}/map", key="g m", words=Text("areas meaning"))
    yield Command(Text("Lineage"), "branch", f"{here}/lineage")
    yield Command(Text("Rubrics"), "pen", f"{here}/rubrics", words=Text("criteria evaluation"))
    yield Command(Text("Writing rounds"), "clock", f"{here}/rounds")
    yield Command(Text("Runs"), "again", f"{here}/runs", words=Text("brainstorms history"))
    yield Command(Text("Print this board"), "box", f"{here}/print")
    if may("owner"):
        yield Command(Text("Share this board"), "right", f"{here}/share", words=Text("link"))
    if may("editor", board.id):
        yield Command(Text("Trash of this board"), "bin", f"{here}/trash", words=Text("deleted"))


def about_typed(board: BoardPublic | None) -> Iterator[Command]:
    """What to do with the words that were typed."""
    if board is not None and may("editor", board.id):
        here = f"/boards/{board.id}"
        yield Command(
            Text("Add it as an idea"), "plus", f"{here}/ideas", "title", is_form=True, is_typed=True
        )
        yield Command(
            Text("Brainstorm about it"),
            "spark",
            f"{here}/brainstorm",
            "topic",
            is_form=True,
            is_typed=True,
        )
    if board is not None:
        yield Command(
            Text("Search this board for it"), "search", f"/boards/{board.id}", is_typed=True
        )
    yield Command(Text("Show all results"), "search", "/search", is_typed=True)


def boards_of(boards: Sequence[BoardPublic], here: BoardPublic | None) -> Iterator[Command]:
    for board in boards:
        if here is None or board.id != here.id:
            yield Command(board.name, "board", f"/boards/{board.id}", hint=Text("Board"))


def places(*, shows_people: bool, has_doctor: bool) -> Iterator[Command]:
    yield Command(Text("All boards"), "layers", "/boards")
    if may_anywhere("editor"):
        yield Command(Text("Import ideas"), "down", "/import", words=Text("upload file"))
    yield Command(Text("Models"), "spark", "/models")
    if shows_people:
        if may("owner"):
            yield Command(Text("People"), "heart", "/people", words=Text("invite roles"))
        yield Command(Text("Your keys"), "pen", "/me", words=Text("name account"))
    if may("owner"):
        yield Command(Text("Webhooks"), "again", "/webhooks")
    yield Command(Text("API for other tools"), "table", "/api/docs", words="REST OpenAPI")
    if has_doctor and may("owner"):
        yield Command(Text("State of the server"), "check", "/help/doctor", words=Text("help"))


def preferences(has_shortcuts: bool) -> Iterator[Command]:
    for value, name in (
        ("light", Text("Light theme")),
        ("dark", Text("Dark theme")),
        ("auto", Text("Theme of the system")),
    ):
        press = f'[data-theme-form] [value="{value}"]'
        yield Command(name, "star", "/theme", "theme", value, press=press, is_form=True)
    for code, language in LANGUAGES.items():
        yield Command(
            Text("Language: %(name)s", name=language),
            "speech",
            "/language",
            "language",
            code,
            words="language",
            is_form=True,
        )
    yield Command(
        Text("Turn single-key shortcuts off")
        if has_shortcuts
        else Text("Turn single-key shortcuts on"),
        "table",
        "/shortcuts",
        "shortcuts",
        "off" if has_shortcuts else "on",
        is_form=True,
    )
