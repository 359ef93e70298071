"""The prompt that joins several ideas into one. The answer has the form of any brainstorm's."""

from collections.abc import Sequence

from service.engine.types import Message
from service.prompts.fencing import DATA_RULE, block, escape_tags
from service.prompts.grammars import suggestion_grammar
from service.prompts.methods import Angle
from service.prompts.tasks import Prompt, brainstorm_sampling
from service.text.cleaning import clean_text, one_line

# Characters of each idea; five ideas must fit into a small context.
COMBINED_CHARACTERS = 600
_SYSTEM = (
    "You join practical ideas into a new one. It says in plain words what to do, with which "
    "things, when and where, so that someone can start tomorrow. "
    f"{DATA_RULE} Answer in the language of the ideas."
)
_TASK = (
    "Join all the ideas below into one new idea, in this form:\n\n"
    "Title: <two to five words that name the thing or the action of the new idea>\n"
    "Idea: <one or two sentences that say exactly what to do, with something of each idea>"
)


def combine_prompt(
    ideas: Sequence[tuple[str, str]],
    angle: Angle,
    *,
    context: str = "",
    barred_initials: str = "",
    creativity: float = 0.5,
    seed: int = 0,
) -> Prompt:
    """The prompt for one idea that joins `ideas`, each a (title, body).

    Their titles come last: a small model writes about what it read last, which must not be the angle.
    """
    user = f"{_TASK}\n\n"
    if context.strip():
        user += block("background", context)
    for title, body in ideas:
        beginning = clean_text(body)[:COMBINED_CHARACTERS]
        user += block("idea", f"{one_line(clean_text(title))}. {beginning}".rstrip())
    titles = " + ".join(one_line(escape_tags(title)) for title, _ in ideas)
    user += (
        f"\n{angle.hint}\nThe one new idea, in their language, that needs all of them: {titles}."
    )
    written = context + "".join(title + body for title, body in ideas)
    return Prompt(
        messages=(Message("system", _SYSTEM), Message("user", user)),
        grammar=suggestion_grammar(written, barred_initials=barred_initials),
        max_tokens=130,
        sampling=brainstorm_sampling(creativity, seed),
    )
