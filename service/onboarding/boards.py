"""Makes boards from templates and the sample board, and recognises them later.

No column says what a board was made from. The sample board of each language has an id of its own, and
the rubric that a template brings has one that is computed from the template and the board. Both stay
the same when texts are edited, and go with an export.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from service.errors import InvalidInput
from service.messages import Text
from service.onboarding import catalogue
from service.schemas.archive import BoardRow, IdeaRow, RubricRow, VersionRow
from service.schemas.board_templates import BoardTemplate, NewBoard, SampleBoard, SampleIdea
from service.schemas.ideas import BoardCreate, BoardPublic
from service.schemas.identity import new_id, now
from service.store import Store
from service.store.starters import SampleRows
from service.store.text_import import stable_id

# Between two ideas of the sample, so that they have an order.
STEP = timedelta(minutes=1)


def new_board(store: Store, wanted: NewBoard, language: str) -> BoardPublic:
    """`language` is that of the template's texts, unless `wanted` names one.

    Raises:
        NotFound: there is no such template.
        InvalidInput: there are no templates in that language, or a text is missing or too long.
    """
    if wanted.template is not None:
        return from_template(store, wanted, wanted.language or language)
    if wanted.name is None:
        raise InvalidInput(Text("Name the board, or choose a template."), pointer="/name")
    shape = BoardCreate(name=wanted.name, goal=wanted.goal or "", language=wanted.language)
    return store.boards.create(shape)


def from_template(
    store: Store, wanted: NewBoard, language: str, *, in_place_of: str | None = None
) -> BoardPublic:
    """Makes a board from the template that `wanted` names.

    The board `in_place_of` becomes it, if nothing was done there yet, and keeps a name that somebody
    gave it. Raises: as `new_board`.
    """
    chosen = catalogue.template(wanted.template or "", language)
    shape = BoardCreate(
        name=wanted.name or chosen.name,
        goal=chosen.goal if wanted.goal is None else wanted.goal,
        language=wanted.language,
    )
    return store.starters.create(
        shape,
        chosen.rubric,
        lambda board_id: _rubric_id(chosen.id, language, board_id),
        in_place_of=in_place_of,
    )


def template_of(board_id: str, rubric_ids: Iterable[str]) -> BoardTemplate | None:
    """The template that the board was made from, in its language, as long as it has its rubric."""
    known = set(rubric_ids)
    if not known:
        return None
    return next(
        (
            one
            for language in catalogue.languages()
            for one in catalogue.templates(language)
            if _rubric_id(one.id, language, board_id) in known
        ),
        None,
    )


def open_sample(store: Store, language: str) -> BoardPublic:
    """Returns the sample board; makes it, or restores it from the trash, if it is not there.

    Raises: InvalidInput if there is none in this language.
    """
    return store.starters.open_sample(_rows(catalogue.sample(language), language, now()))


def is_sample(board_id: str) -> bool:
    return board_id in {sample_id(language) for language in catalogue.languages()}


def sample_id(language: str) -> str:
    return stable_id("sample", language)


def _rubric_id(template_id: str, language: str, board_id: str) -> str:
    return stable_id("template", template_id, language, board_id)


def _rows(sample: SampleBoard, language: str, moment: datetime) -> SampleRows:
    board_id = sample_id(language)
    board = BoardRow(
        id=board_id, name=sample.name, goal=sample.goal, created_at=moment, updated_at=moment
    )
    rubric = RubricRow(
        id=stable_id("sample-rubric", language),
        board_id=board_id,
        is_shown=True,
        revision=1,
        created_at=moment,
        updated_at=moment,
        **sample.rubric.model_dump(),
    )
    # New ones each time: an idea that was moved away is still there when the sample comes back.
    ids = {idea.key: new_id() for idea in sample.ideas}
    ideas, versions = [], []
    # The first one is the newest, which boards show first.
    for place, idea in enumerate(reversed(sample.ideas), start=1):
        made = moment - STEP * (len(sample.ideas) - place)
        ideas.append(_idea_row(idea, ids, board_id, made))
        versions += _version_rows(idea, ids[idea.key], made)
    return SampleRows(board, rubric, ideas, versions)


def _idea_row(idea: SampleIdea, ids: Mapping[str, str], board_id: str, made: datetime) -> IdeaRow:
    count = 1 if idea.earlier is None else 2
    return IdeaRow(
        id=ids[idea.key],
        board_id=board_id,
        title=idea.title,
        body=idea.body.strip(),
        status=idea.status,
        star=idea.star,
        tags=idea.tags,
        parent_id=None if idea.grown_from is None else ids[idea.grown_from],
        origin="import",
        version=count,
        revision=count,
        score=None,
        created_at=made,
        updated_at=made,
    )


def _version_rows(idea: SampleIdea, idea_id: str, made: datetime) -> list[VersionRow]:
    texts = [(idea.title, idea.body.strip())]
    if idea.earlier is not None:
        texts.insert(0, (idea.earlier.title, idea.earlier.body))
    return [
        VersionRow(
            idea_id=idea_id,
            number=number,
            title=title,
            body=body,
            origin="import",
            run_id=None,
            created_at=made,
        )
        for number, (title, body) in enumerate(texts, start=1)
    ]
