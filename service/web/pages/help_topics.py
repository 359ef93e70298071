"""What Ideapool can do, a sentence each, in the order in which a person meets it.

An address with `{board}` leads to the board that the reader comes from.
"""

from dataclasses import dataclass

from service.messages import Text
from service.schemas.people import RoleName

DOCTOR = "/help/doctor"


@dataclass(frozen=True, slots=True)
class HelpTopic:
    """`role` is what the reader must be allowed to do, on the board or, without one, on every board."""

    name: Text
    text: Text
    address: str = ""
    role: RoleName = "reader"


@dataclass(frozen=True, slots=True)
class HelpGroup:
    id: str
    name: Text
    topics: tuple[HelpTopic, ...]


_BEGIN = (
    HelpTopic(
        Text("Boards"),
        Text("A board collects the ideas on one subject. Its goal goes into every brainstorm."),
        "/boards",
    ),
    HelpTopic(
        Text("Templates"),
        Text("Begin with a goal, tags, criteria and first topics that fit what you are up to."),
        "/boards/new",
        "editor",
    ),
    HelpTopic(
        Text("Write ideas"),
        Text(
            "Press n on a board and write. A title is enough; text, tags and a parent can follow."
        ),
        "/boards/{board}#new-title",
        "editor",
    ),
    HelpTopic(
        Text("Import"),
        Text(
            "Bring ideas from Markdown, CSV, plain lines or another Ideapool; you see first what comes."
        ),
        "/import?board={board}",
        "editor",
    ),
)
_ASK = (
    HelpTopic(
        Text("Brainstorm"),
        Text("Say what you want ideas for. They appear one by one; keep those you like."),
        "/boards/{board}#topic",
        "editor",
    ),
    HelpTopic(
        Text("Methods"),
        Text("Eight ways to look at a topic, each with a line that says when it helps."),
        "/boards/{board}#method",
        "editor",
    ),
    HelpTopic(
        Text("Branch and combine"),
        Text(
            "Get variants of one idea from its page, or select several and combine them into one."
        ),
        "/boards/{board}#ideas",
        "editor",
    ),
    HelpTopic(
        Text("Runs"),
        Text("Whatever the model does goes on when you leave the page. You can stop or repeat it."),
        "/boards/{board}/runs",
    ),
    HelpTopic(
        Text("Taste"),
        Text("A board learns from what is kept and discarded, and shows likely favourites first."),
        "/boards/{board}/taste",
    ),
)
_IMPROVE = (
    HelpTopic(
        Text("Refine"),
        Text("Ask for a shorter, clearer or bolder text, and take only the changes you like."),
        "",
        "editor",
    ),
    HelpTopic(
        Text("Versions"),
        Text("Every text that an idea ever had is kept. You can compare and restore them."),
    ),
    HelpTopic(
        Text("Evaluate"),
        Text(
            "The model scores an idea by your criteria and names strengths, concerns and a next step."
        ),
        "",
        "editor",
    ),
    HelpTopic(
        Text("Criteria"),
        Text("Say what counts on this board, and how much. Cards show the scores by one rubric."),
        "/boards/{board}/rubrics",
    ),
    HelpTopic(
        Text("Lineage"),
        Text("See which idea grew out of which."),
        "/boards/{board}/lineage",
    ),
)
_CHOOSE = (
    HelpTopic(
        Text("Search, tags and statuses"),
        Text(
            "Find ideas by words, tags, status or star. Select several to change them all at once."
        ),
        "/boards/{board}#q",
    ),
    HelpTopic(
        Text("Rank"),
        Text(
            "Two ideas at a time: which one first? A few votes make an order, with how sure it is."
        ),
        "/boards/{board}/rank",
    ),
    HelpTopic(
        Text("Compare"),
        Text("All scores side by side in one table."),
        "/boards/{board}/table",
    ),
    HelpTopic(
        Text("Overview"),
        Text("Statuses, tags, best scores, groups and what happened lately, on one page."),
        "/boards/{board}/summary",
    ),
    HelpTopic(
        Text("Map"),
        Text("See ideas by meaning, with groups as areas. Drag one into an area to tag it."),
        "/boards/{board}/map",
    ),
    HelpTopic(
        Text("Groups"),
        Text("Let similar ideas find each other, and give a group a tag."),
        "/boards/{board}/clusters",
        "editor",
    ),
)
_TOGETHER = (
    HelpTopic(
        Text("Your page"),
        Text("Your name, the browsers in which you are signed in, and keys for programs."),
        "/me",
    ),
    HelpTopic(
        Text("People"),
        Text("Invite with a link, without accounts or passwords. Roles say who may do what."),
        "/people",
        "owner",
    ),
    HelpTopic(
        Text("Comments and likes"),
        Text("Say what you think under an idea. You see at once what others write and change."),
        "",
        "commenter",
    ),
    HelpTopic(
        Text("Writing rounds"),
        Text("Everybody writes unseen for a few minutes before the model or others have a say."),
        "/boards/{board}/rounds",
    ),
    HelpTopic(
        Text("Share"),
        Text("Show a board to strangers by a link that you can withdraw."),
        "/boards/{board}/share",
        "owner",
    ),
    HelpTopic(
        Text("Feed"),
        Text("Follow a board in a feed reader."),
        "/boards/{board}/feed.atom",
    ),
)
_KEEP = (
    HelpTopic(
        Text("Export"),
        Text("Take a board with you as Markdown, CSV or JSON, from the menu at the top right."),
    ),
    HelpTopic(
        Text("Print"),
        Text("The board on paper: its goal, its ideas in two columns, and their scores."),
        "/boards/{board}/print",
    ),
    HelpTopic(
        Text("Trash"),
        Text(
            "What you delete can be restored for a while. The message at the bottom undoes it at once."
        ),
        "/boards/{board}/trash",
        "editor",
    ),
    HelpTopic(
        Text("Models"),
        Text("See which model answers. Owners choose another one and measure how fast it is here."),
        "/models",
    ),
    HelpTopic(
        Text("API for other tools"),
        Text(
            "Everything that the pages can do, programs can do too: REST, OpenAI clients, assistants."
        ),
        "/api/docs",
    ),
    HelpTopic(
        Text("Webhooks"),
        Text("Tell other programs what happens on a board."),
        "/webhooks",
        "owner",
    ),
    HelpTopic(
        Text("State of the server"),
        Text("What works on the server’s machine, what could be better, and what to do about it."),
        DOCTOR,
        "owner",
    ),
)
GROUPS = (
    HelpGroup("begin", Text("Begin"), _BEGIN),
    HelpGroup("ask", Text("Ask the model"), _ASK),
    HelpGroup("improve", Text("Work on an idea"), _IMPROVE),
    HelpGroup("choose", Text("Choose"), _CHOOSE),
    HelpGroup("together", Text("Work together"), _TOGETHER),
    HelpGroup("keep", Text("Keep, connect and run"), _KEEP),
)
# What needs its role on every board.
EVERYWHERE = ("/boards/new", "/people", "/webhooks", DOCTOR)
