"""What every server under test is asked: the same requests in the same order. Standard library only.

A system prompt of about 60 tokens that all requests share, and a text of 20 to 60 tokens, as people
on one board would send them. Under the load `new` no other request has that text. Under `repeated`
16 prompts come again in rounds, each with its seed. Under `chats` four more questions follow, each
with all that was said before and, as from most programs for chats, without a seed.
"""

import json
import random
from dataclasses import dataclass
from typing import Literal, get_args

Load = Literal["new", "repeated", "chats"]
LOADS: tuple[Load, ...] = get_args(Load)
REPEATED_PROMPTS = 16

SYSTEM = (
    "You help people to find ideas. Suggest one idea after the other, each in a sentence or two: "
    "first what to do, then for whom it is and what it takes to begin. Be concrete, use plain "
    "words, and let no two suggestions be alike. Do not introduce yourself and do not sum up; "
    "go on until you are stopped."
)
TOPICS = (
    "helping children eat more vegetables",
    "more customers for a small bicycle repair shop",
    "sleeping better during exam weeks",
    "a quieter open-plan office",
    "a street party that neighbours of all ages come to",
    "using the empty room behind the library",
    "teaching grandparents to make video calls",
    "less food thrown away in a school canteen",
    "a garden on a roof that nobody looks after",
    "short walks for people who work at home",
    "lending tools among the twelve flats of our house",
    "keeping a choir together when half of it has moved away",
    "making the waiting room of a dentist less frightening",
    "a first programming lesson without computers",
    "getting to work without a car in a small town",
    "presents that cost nothing",
    "a newspaper that a class writes by itself",
    "welcoming new colleagues who start from afar",
    "rainy afternoons at a camp site",
    "saving water in a sports hall",
)
WISHES = (
    "It should cost next to nothing.",
    "We are four people and have two evenings a week.",
    "Something that can begin tomorrow would be best.",
    "Most of us have never done anything like it before.",
    "It has to work in winter as well as in summer.",
    "Please think of those who do not read well.",
    "We tried posters and a mailing list, and neither did anything for us.",
    "The town gives us a room, chairs and a projector, but no money at all.",
    "Whatever we do should still be going in a year, without anyone having to push it.",
)
FOLLOW_UPS = (
    "Tell me more about the second one: who does what in the first week?",
    "What could go wrong with it, and how would we notice early?",
    "Now give me two more that need no money and no permission from anybody.",
    "Which of all these would you try first, and why that one?",
)
TEMPERATURE, TOP_K, TOP_P = 0.7, 40, 0.95


def user_text(number: int) -> str:
    draw = random.Random(number)
    wishes = draw.sample(WISHES, draw.choice((1, 1, 2)))
    # The number comes first, so that no two texts have a beginning in common to be cached.
    return f"Question {number}: I need ideas for {draw.choice(TOPICS)}. {' '.join(wishes)}"


def chat(number: int) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": user_text(number)},
    ]


@dataclass(frozen=True, slots=True)
class Question:
    """The next question of a chat, with what was said before; `seed` is None where none is sent."""

    messages: tuple[tuple[str, str], ...]
    seed: int | None
    follow_ups: tuple[str, ...] = ()

    def body(self, *, model: str, max_tokens: int) -> bytes:
        """The JSON of one streamed chat completion."""
        fields = {
            "model": model,
            "messages": [{"role": role, "content": text} for role, text in self.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": max_tokens,
            "temperature": TEMPERATURE,
            "top_k": TOP_K,
            "top_p": TOP_P,
            "min_p": 0.0,
        }
        return json.dumps(fields | ({} if self.seed is None else {"seed": self.seed})).encode()

    def next(self, answer: str) -> "Question | None":
        """What is asked after this answer; None if the chat is over."""
        if not self.follow_ups:
            return None
        said = (*self.messages, ("assistant", answer), ("user", self.follow_ups[0]))
        return Question(said, self.seed, self.follow_ups[1:])


def question(number: int, load: Load = "new") -> Question:
    if load == "repeated":
        number %= REPEATED_PROMPTS
    messages = tuple((one["role"], one["content"]) for one in chat(number))
    if load == "chats":
        return Question(messages, None, FOLLOW_UPS)
    return Question(messages, number)
