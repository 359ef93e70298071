"""The tools that AI assistants call. Each is a client of the REST API.

There are at most eight, because an assistant reads all descriptions before it does anything.
"""

from collections.abc import Callable, Coroutine
from contextlib import aclosing
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, BeforeValidator, Field

from service.api_client.lookups import Found, board_id, chosen_board, find_ideas, rubric_id
from service.api_client.rest import Rest, given, segment
from service.errors import InvalidInput
from service.mcp.connection import Connection, errors_told, read
from service.mcp.readable import readable
from service.mcp.results import BoardName, ExportedIdeas, ExportFormat, FoundIdeas, RefinedIdea
from service.mcp.untrusted import with_notice
from service.prompts.languages import IdeaLanguage
from service.schemas.brainstorm import BrainstormAnswer
from service.schemas.evaluation import EvaluateAnswer
from service.schemas.fields import PAIRS_CEILING, IdeaSource, Judge, MethodId, Outcome, Sort, Status
from service.schemas.ideas import IdeaPublic
from service.schemas.ranking import RankingPublic

TOLD_CHARACTERS = 100
# Models send an empty text where they mean none.
NotEmpty = BeforeValidator(lambda value: None if value == "" else value)
IdeaId = Annotated[str | None, Field(description="Id of an idea."), NotEmpty]
Board = Annotated[str | None, Field(description="A board's name or id."), NotEmpty]
Title = Annotated[
    str | None, Field(description="Title of a text that is not on a board, instead of idea_id.")
]
Body = Annotated[str | None, Field(description="The text, in Markdown.")]
Language = Annotated[
    IdeaLanguage | None, Field(description="Language code of the answer. Default: the board's.")
]
Arguments = ParamSpec("Arguments")


def _answering(
    tool: Callable[Concatenate["Tools", Arguments], Coroutine[Any, Any, BaseModel]],
) -> Callable[Concatenate["Tools", Arguments], Coroutine[Any, Any, CallToolResult]]:
    """Returns the result as text and as data, or our error in its own words.

    The output schema of the tool is that of its annotation.
    """

    @wraps(tool)
    async def call(
        tools: "Tools", /, *args: Arguments.args, **named: Arguments.kwargs
    ) -> CallToolResult:
        try:
            async with errors_told(tools.connection, lambda error: ToolError(error.detail)):
                result = await tool(tools, *args, **named)
        except ToolError as refusal:
            # Returned and not raised: the library would put words of its own before it.
            return CallToolResult(content=[_text(str(refusal))], is_error=True)
        return CallToolResult(
            content=[_text(with_notice(readable(result)))],
            structured_content=result.model_dump(mode="json"),
        )

    return call


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


class Vote(BaseModel):
    first_id: str
    second_id: str
    outcome: Outcome = Field(description="Which idea comes first, or tie.")


class Tools:
    """Each method is a tool; assistants read its docstring."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @_answering
    async def brainstorm(
        self,
        context: Context,
        topic: Annotated[str | None, Field(description="What the ideas are about.")] = None,
        idea_id: Annotated[
            str | None, Field(description="Branch from this idea instead of a topic."), NotEmpty
        ] = None,
        n: Annotated[
            int, Field(ge=1, le=20, description="Number of ideas that the model writes.")
        ] = 8,
        method: Annotated[MethodId, Field(description="Brainstorming method.")] = "free",
        background: Annotated[str, Field(description="Background that the ideas should fit.")] = "",
        board: Board = None,
        creativity: Annotated[float, Field(ge=0, le=1)] = 0.5,
        language: Language = None,
        seed: int | None = None,
        sources: Annotated[
            list[IdeaSource] | None,
            Field(description="'bank' answers at once, from ideas written for similar topics."),
        ] = None,
    ) -> BrainstormAnswer:
        """Suggest ideas for a topic, from the idea bank and by the model, or branch from an idea.
        Returns suggestions with ids; add_idea puts one on the board."""
        rest = await self.connection.rest()
        task = given(
            topic=topic,
            idea_id=idea_id,
            n=n,
            method=method,
            context=background,
            board_id=await board_id(rest, board),
            creativity=creativity,
            language=language,
            seed=seed,
            sources=sources,
        )
        return read(BrainstormAnswer, await _run(rest, "/brainstorm", task, context, total=n))

    @_answering
    async def refine(
        self,
        context: Context,
        idea_id: IdeaId = None,
        title: Title = None,
        body: Body = None,
        instruction: Annotated[
            str, Field(description="What to change, for example 'shorter'.")
        ] = "",
        selection: Annotated[str | None, Field(description="Refine only this passage.")] = None,
        language: Language = None,
        accept: Annotated[
            bool, Field(description="Replace the idea's text with the new one.")
        ] = False,
    ) -> RefinedIdea:
        """Let the model improve the text of an idea. The idea only changes if `accept` is true; its
        old text is kept as a version."""
        if accept and idea_id is None:
            raise InvalidInput("accept needs an idea_id.")
        rest = await self.connection.rest()
        text = given(
            idea_id=idea_id, title=title, body=body, selection=selection, language=language
        )
        answer = await _run(rest, "/refine", text | {"instruction": instruction}, context)
        if accept:
            await rest.post(f"/runs/{answer['run_id']}/accept")
        return read(RefinedIdea, answer | {"accepted": accept})

    @_answering
    async def evaluate(
        self,
        context: Context,
        idea_id: IdeaId = None,
        title: Title = None,
        body: Body = None,
        criteria: Annotated[
            list[str] | None, Field(description="Default: novelty, feasibility, impact, clarity.")
        ] = None,
        rubric: Annotated[
            str | None,
            Field(description="A rubric of the idea's board, by name or id, instead of criteria."),
            NotEmpty,
        ] = None,
        language: Language = None,
    ) -> EvaluateAnswer:
        """Score an idea from 1 to 10 on each criterion, with strengths, concerns and a next step.
        `scoring` says whether the scores are calibrated."""
        if rubric is not None and (idea_id is None or criteria is not None):
            raise InvalidInput("rubric needs an idea_id and cannot be combined with criteria.")
        rest = await self.connection.rest()
        task = given(idea_id=idea_id, title=title, body=body, criteria=criteria, language=language)
        if idea_id is not None:
            task |= given(rubric_id=await rubric_id(rest, idea_id, rubric))
        return read(EvaluateAnswer, await _run(rest, "/evaluate", task, context))

    @_answering
    async def find_ideas(
        self,
        words: Annotated[
            str, Field(description="Words that must all occur. Empty: all ideas.")
        ] = "",
        exact: Annotated[
            bool, Field(description="Do not correct words that no idea contains.")
        ] = False,
        idea_id: Annotated[
            str | None, Field(description="Return only this idea."), NotEmpty
        ] = None,
        board: Board = None,
        tags: Annotated[
            list[str] | None, Field(description="Only ideas with all of these tags.")
        ] = None,
        status: Status | None = None,
        starred: bool | None = None,
        archived: bool | None = None,
        deleted: Annotated[
            bool, Field(description="Those in the trash instead of the others.")
        ] = False,
        round: Annotated[
            str | None, Field(description="Only ideas of the writing round with this id.")
        ] = None,
        sort: Sort = "new",
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
    ) -> FoundIdeas:
        """List or search ideas, or read one. Also lists the boards."""
        rest = await self.connection.rest()
        boards = [read(BoardName, one) for one in await rest.all("/boards")]
        if idea_id is not None:
            found = Found([await rest.get(f"/ideas/{segment(idea_id)}")], False, "")
        else:
            query: dict[str, Any] = {
                "q": words,
                "exact": exact,
                "board": await board_id(rest, board),
                "tag": tags,
                "sort": sort,
            }
            query |= {"status": status, "star": starred}
            query |= {"archived": archived, "deleted": deleted, "round": round}
            found = await find_ideas(rest, query, limit)
        return FoundIdeas(
            ideas=[read(IdeaPublic, one) for one in found.ideas],
            has_more=found.has_more,
            corrected=found.corrected,
            boards=boards,
        )

    @_answering
    async def add_idea(
        self,
        title: Annotated[str | None, Field(description="Title of a new idea.")] = None,
        body: Annotated[str | None, Field(description="Markdown.")] = None,
        suggestion_id: Annotated[
            str | None,
            Field(description="A suggestion to keep; title and body override its own."),
            NotEmpty,
        ] = None,
        board: Board = None,
        tags: list[str] | None = None,
        status: Status | None = None,
        starred: bool | None = None,
    ) -> IdeaPublic:
        """Add an idea to a board: your own, or a suggestion. Keeping a suggestion twice adds one idea."""
        rest = await self.connection.rest()
        text = given(title=title, body=body)
        more = given(board_id=await board_id(rest, board), tags=tags, status=status, star=starred)
        if suggestion_id is None:
            if title is None:
                raise InvalidInput("Give either a title or a suggestion_id.")
            return read(IdeaPublic, await rest.post("/ideas", text | more))
        kept = read(
            IdeaPublic, await rest.post(f"/suggestions/{segment(suggestion_id)}/keep", text)
        )
        if not more:
            return kept
        changed = await rest.call("PATCH", f"/ideas/{kept.id}", body=more)
        return read(IdeaPublic, changed.json())

    @_answering
    async def update_idea(
        self,
        idea_id: str,
        title: str | None = None,
        body: Body = None,
        board: Board = None,
        tags: Annotated[list[str] | None, Field(description="The new list of tags.")] = None,
        status: Status | None = None,
        starred: bool | None = None,
        revision: Annotated[
            int | None,
            Field(description="The version that was read. Refused if the idea has changed since."),
        ] = None,
    ) -> IdeaPublic:
        """Change the given fields of an idea. A changed text becomes a new version."""
        rest = await self.connection.rest()
        fields = given(title=title, body=body, tags=tags, status=status, star=starred)
        fields |= given(board_id=await board_id(rest, board))
        headers = {} if revision is None else {"If-Match": f'"{revision}"'}
        answer = await rest.call(
            "PATCH", f"/ideas/{segment(idea_id)}", body=fields, headers=headers
        )
        return read(IdeaPublic, answer.json())

    @_answering
    async def rank_ideas(
        self,
        context: Context,
        board: Board = None,
        by: Annotated[Judge, Field(description="Whose comparisons to rank by.")] = "people",
        compare: Annotated[
            int,
            Field(ge=0, le=PAIRS_CEILING, description="Number of pairs the model compares first."),
        ] = 0,
        vote: Annotated[
            Vote | None, Field(description="A person's choice between two ideas.")
        ] = None,
    ) -> RankingPublic:
        """Rank the ideas of a board, with scores and their uncertainty. A vote counts as a person's:
        only pass on what a person said. The model's ranking is a weak signal."""
        rest = await self.connection.rest()
        chosen = await chosen_board(rest, board)
        if vote is not None:
            await rest.post(f"/boards/{chosen}/comparisons", vote.model_dump())
        if compare:
            task = {"board_id": chosen, "pairs": compare}
            await _run(rest, "/rank", task, context, total=compare)
        return read(RankingPublic, await rest.get(f"/boards/{chosen}/ranking", by=by))

    @_answering
    async def export_ideas(
        self,
        board: Board = None,
        format: Annotated[
            ExportFormat, Field(description="json contains everything.")
        ] = "markdown",
    ) -> ExportedIdeas:
        """Export all boards or one as text."""
        rest = await self.connection.rest()
        query = {"format": format, "board": await board_id(rest, board)}
        file = await rest.call("GET", "/export", query=query)
        return ExportedIdeas(format=format, content=file.text)


async def _run(
    rest: Rest, path: str, task: dict[str, Any], context: Context, *, total: int | None = None
) -> dict[str, Any]:
    """Returns the answer of a run. A cancelled call closes the events, which stops the run.

    Progress counts the parts of an answer that has `total` parts, and else the characters.
    """
    parts = characters = told = 0
    answer: dict[str, Any] = {}
    async with aclosing(rest.result(rest.events(path, task))) as events:
        async for event in events:
            if event.name in ("suggestion", "comparison"):
                parts += 1
                await context.report_progress(parts, total, event.data.get("title"))
            elif event.name == "delta" and total is None:
                characters += len(event.data.get("text", ""))
                if characters >= told + TOLD_CHARACTERS:
                    told = characters
                    await context.report_progress(told, None, f"{told} characters are written.")
            elif event.name == "result":
                answer = event.data
    return answer
