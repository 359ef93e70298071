"""The help page."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.store import Store
from service.web.dependencies import SettingsDep, StoreDep
from service.web.pages.help_topics import DOCTOR, EVERYWHERE, GROUPS, HelpGroup, HelpTopic
from service.web.pages.responses import render
from service.web.templating import may

router = APIRouter(prefix="/help")


@router.get("")
def show_help(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    board: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    board_id = _board_id(store, board)
    context = {
        "groups": [
            _for_reader(group, board_id, has_doctor=settings.shows_itself) for group in GROUPS
        ],
    }
    return render(request, "help/help.html", context)


def _board_id(store: Store, wanted: str) -> str:
    """The board that the reader comes from, or else the first one they see; empty if there is none."""
    ids = [one.id for one in store.boards.all()]
    return wanted if wanted in ids else next(iter(ids), "")


def _for_reader(group: HelpGroup, board_id: str, *, has_doctor: bool) -> HelpGroup:
    """Only with what the reader may do, and with links to their board."""
    return replace(
        group,
        topics=tuple(
            replace(one, address=_address(one, board_id))
            for one in group.topics
            if may(one.role, "" if one.address in EVERYWHERE else board_id)
            and (has_doctor or one.address != DOCTOR)
        ),
    )


def _address(topic: HelpTopic, board_id: str) -> str:
    if "{board}" in topic.address and not board_id:
        return ""
    return topic.address.format(board=board_id)
