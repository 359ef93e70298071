"""The prompt that asks which of two ideas is better. The answer is one letter. Pure."""

from service.engine.types import Message
from service.prompts.fencing import DATA_RULE, block
from service.text.cleaning import clean_text, one_line

COMPARE_CHOICES = ("A", "B")
# Characters of each text; both must fit into a small context.
COMPARED_CHARACTERS = 800

_COMPARE_SYSTEM = (
    "You are a fair judge of ideas. The better idea says exactly what to do and really helps; a "
    f"vague one loses. {DATA_RULE}"
)
# Without examples, the standard model always prefers the first idea. A and B are the answer equally
# often.
_COMPARE_EXAMPLES = (
    (
        "help cyclists",
        ("Pump at door B", "Lena buys a bike pump for 25 euros and chains it to door B, for all."),
        ("Bike thing", "Do something for people with bikes, it will be great."),
        "A",
    ),
    (
        "healthy lunches",
        ("Better food", "We should think about how everybody could eat better."),
        ("Soup on Mondays", "Each Monday one of us brings a pot of soup; a list is on the fridge."),
        "B",
    ),
    (
        "a quieter office",
        ("Silence app", "An app with AI makes the office quiet."),
        (
            "Phone corner",
            "Whoever phones goes to the small room by the lift; a lamp says it is taken.",
        ),
        "B",
    ),
    (
        "children read more",
        ("Book swap shelf", "At the school gate every child leaves a book and takes another home."),
        ("Reading", "Make reading more fun in new and innovative ways."),
        "A",
    ),
)


def compare_messages(
    first: tuple[str, str], second: tuple[str, str], goal: str = ""
) -> tuple[Message, ...]:
    """A chat whose next token is one of `COMPARE_CHOICES`; A is the first (title, body)."""
    examples = [
        message
        for topic, one, other, letter in _COMPARE_EXAMPLES
        for message in (
            Message("user", _comparison(one, other, topic)),
            Message("assistant", letter),
        )
    ]
    question = Message("user", _comparison(first, second, goal))
    return (Message("system", _COMPARE_SYSTEM), *examples, question)


def _comparison(first: tuple[str, str], second: tuple[str, str], goal: str) -> str:
    asked = f"Goal: {block('background', _beginning(goal))}\n" if goal.strip() else ""
    for letter, (title, body) in zip(COMPARE_CHOICES, (first, second), strict=True):
        note = f"{one_line(clean_text(title))}. {_beginning(body)}"
        asked += f"{letter}: {block('idea', note)}\n"
    return (
        f"{asked}Which of the two ideas is more useful and more concrete"
        f"{' for the goal' if goal.strip() else ''}? Answer only A or B."
    )


def _beginning(text: str) -> str:
    return clean_text(text)[:COMPARED_CHARACTERS]
