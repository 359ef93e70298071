"""What a board's page offers to begin with: topics, and what its template has for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.onboarding import catalogue
from service.onboarding.boards import is_sample, template_of
from service.schemas.board_templates import BoardTemplate, Prompt, Situation
from service.schemas.evaluation import RubricPublic
from service.schemas.ideas import BoardPublic
from service.store.boards import FIRST_NAME

# As many as fit in one line of an empty board.
SHOWN_TEMPLATES = 4


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """`is_fresh` says that nobody has named or described the board, so that a template may fill it."""

    template: BoardTemplate | None
    is_sample: bool
    is_fresh: bool
    is_named: bool

    def prompts(self, language: str) -> Sequence[Prompt]:
        """Topics for a first brainstorm: those of the template, or else examples."""
        return self.template.prompts if self.template else catalogue.sample(language).examples

    def templates(self, language: str) -> Sequence[BoardTemplate]:
        return catalogue.templates(language)[:SHOWN_TEMPLATES]

    @property
    def situation(self) -> Situation:
        return self.template.situation if self.template else Situation()

    @property
    def tags(self) -> Sequence[str]:
        return self.template.tags if self.template else ()

    def with_tags(self, used: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """The tags of the board, and those of its template that no idea has."""
        names = {name.casefold() for name, _ in used}
        return used + [(name, 0) for name in self.tags if name.casefold() not in names]


def starting_point(board: BoardPublic, rubrics: Sequence[RubricPublic]) -> StartingPoint:
    return StartingPoint(
        template=template_of(board.id, [one.id for one in rubrics]),
        is_sample=is_sample(board.id),
        is_fresh=not (board.goal or rubrics),
        is_named=board.name != FIRST_NAME,
    )
