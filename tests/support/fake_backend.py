"""A backend without models that sends scripted or canned answers token by token.

It implements the same protocol as the engine, so everything above the engine can be tested with
exact timing and faults: slots, a bounded queue, cancelling, failures before or during an answer.
"""

import asyncio
import re
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from dataclasses import dataclass

from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Event,
    Finished,
    FinishReason,
    GenerateRequest,
    ModelInfo,
    Probabilities,
    ProbeRequest,
    Queued,
    Request,
    Role,
    Scored,
    ScoreRequest,
    Started,
    Stats,
    TokenLogprob,
    Usage,
)
from service.errors import EngineBusy, EngineCrashed, ModelUnavailable, ServiceError
from service.prompts.answers import brainstorm_answer, evaluate_answer, refine_answer

FAKE_MODEL = ModelInfo(
    name="fake",
    roles=("brainstorm", "general"),
    weights_sha256="f" * 64,
    identity="f" * 64,
    context=4096,
    slots=2,
    state="ready",
    progress=1.0,
)
# No two ideas share enough words to count as the same.
IDEAS = (
    ("Bring-a-chair cinema", "Hang a white sheet between two trees and borrow a projector from the "
     "school. Everyone carries a chair and a blanket, and the street votes on the film."),
    ("Soup from one pot", "Each household adds one vegetable to a huge kettle at noon. By six "
     "o'clock there is a minestrone nobody could have planned, ladled out on the pavement."),
    ("Swap table by the bakery", "Put out a long trestle where people leave books, plants and toys "
     "they no longer need. Whatever is left at dusk goes to the charity shop."),
    ("Chalk the whole road", "Close the lane to cars and hand children a bucket of coloured chalk. "
     "Families draw a life-sized map of where everybody lives."),
    ("Balcony concert at seven", "Musicians play one song each from their window, moving down the "
     "row. A paper programme with the order hangs at the tram stop."),
    ("Neighbour trading cards", "Print a small card per resident with a portrait, a skill and a "
     "favourite dish. Collecting a full set means having spoken with all of them."),
    ("Long table without hosts", "Line up kitchen tables end to end and seat people by birthday "
     "month, so that strangers share bread and salt."),
    ("Repair corner", "Two retired engineers fix bicycles, lamps and radios under the lime tree. "
     "Watching is free, tea is welcome."),
    ("Ten-minute talks", "Anyone may explain what they love, from bees to subway timetables. A "
     "kitchen timer rings, applause follows and the next speaker climbs the crate."),
    ("Lantern walk at dusk", "Collect jam jars, add a candle and a wire handle. The parade circles "
     "the block quietly and ends at the playground."),
    ("Story bench", "Grandparents sit beside a cardboard sign saying ask me about 1965. Teenagers "
     "record the answers on their phones for the local archive."),
    ("Water balloon relay", "Teams pass balloons with bedsheets across the crossing. The losing "
     "side dries the benches and pours lemonade."),
    ("Seed bombs for bare corners", "Mix clay, compost and poppy seeds, roll marbles and throw them "
     "onto the verge. In June the result blooms."),
    ("Dog parade", "Owners announce pedigree, tricks and worst crimes over a megaphone. A jury of "
     "cats, represented by their humans, awards ribbons."),
    ("Blind tasting of tap water", "Fill twelve carafes with mint, cucumber or nothing at all. "
     "Guests guess, laugh and forget that there is no bar."),
    ("Silent dancing", "Everybody streams an agreed playlist through headphones. From outside it "
     "looks absurd; inside it is a club that wakes no baby."),
)  # fmt: skip
REFINEMENT = (
    "A lending shelf for tools",
    "Put a sturdy shelf in the entrance hall where neighbours lend drills and ladders to each "
    "other. A notebook on a string says who took what.\n\nStart with ten tools this Saturday.",
    ("Said who lends what to whom", "Added a first step"),
)
PASSAGE = ("Neighbours lend each other drills and ladders.", ("Said who lends what to whom",))
ASSESSMENT = (
    ("It needs no money, only things people own already.", "It lets neighbours meet by chance."),
    ("Tools may vanish without a list of borrowers.", "A shelf in the hall may block the way out."),
    "Ask the house management whether a shelf may stand in the hall.",
)
EMBEDDING_SIZE = 8


@dataclass(frozen=True, slots=True)
class Broken:
    """An answer that breaks off after `text`."""

    text: str
    error: ServiceError


@dataclass(frozen=True, slots=True)
class Endless:
    """An answer that sends `text` and does not end until it is stopped."""

    text: str


Reply = str | ServiceError | Broken | Endless


class Gate:
    """An open gate, like an `asyncio.Event` that is set. Tests open and close it in another thread
    than the one in which the service waits, which an `asyncio.Event` does not allow.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = True
        self._waiting: list[asyncio.Future[None]] = []

    def clear(self) -> None:
        with self._lock:
            self._is_open = False

    def set(self) -> None:
        with self._lock:
            self._is_open = True
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            # The loop may be closed by now.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_let_through, future)

    async def wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._is_open:
                return
            self._waiting.append(future)
        await future


def _let_through(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class FakeBackend:
    """Answers with `replies` first, then with canned answers that fit the prompt.

    `history` has every admitted request, `running` the ids of those being answered, and `peak`
    the largest number of them at the same time. `delay_s` is the pause before each token. While
    `gate` is cleared, no token is sent.
    """

    def __init__(
        self,
        replies: Iterable[Reply] = (),
        *,
        delay_s: float = 0.0,
        model: ModelInfo = FAKE_MODEL,
        others: tuple[ModelInfo, ...] = (),
        queue_limit: int = 100,
    ) -> None:
        self.replies: deque[Reply] = deque(replies)
        self.delay_s = delay_s
        self.model = model
        self.others = others
        self.queue_limit = queue_limit
        self.history: list[Request] = []
        self.running: set[str] = set()
        self.cancelled: list[str] = []
        self.peak = 0
        self.is_closed = False
        self.gate = Gate()
        self._slots = asyncio.Semaphore(model.slots)
        self._waiting: list[str] = []
        self._stopped: set[str] = set()
        self._ideas = 0

    async def start(self) -> None:
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True
        self._stopped |= self.running

    async def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        self._admit(request)
        try:
            if self._slots.locked():
                yield Queued(len(self._waiting))
            await self._slots.acquire()
        finally:
            self._waiting.remove(request.id)
        self.running.add(request.id)
        self.peak = max(self.peak, len(self.running))
        is_whole = False
        try:
            if request.id not in self._stopped:
                yield Started(prompt_tokens=_prompt_tokens(request))
                async for event in self._answer(request):
                    yield event
            is_whole = request.id not in self._stopped
        finally:
            if not is_whole:
                self.cancelled.append(request.id)
            self.running.discard(request.id)
            self._slots.release()

    async def cancel(self, request_id: str) -> None:
        self._stopped.add(request_id)

    def model_for(self, role: Role) -> ModelInfo:
        for wanted in (role, "general") if role == "refine" else (role,):
            for model in self.models():
                if wanted in model.roles:
                    return model
        raise ModelUnavailable(f"No model of the catalog serves {role!r}.")

    def models(self) -> tuple[ModelInfo, ...]:
        return (self.model, *self.others)

    def stats(self) -> Stats:
        return Stats(
            running=len(self.running),
            waiting=len(self._waiting),
            queue_limit=self.queue_limit,
            restarts=0,
            process_id=None,
        )

    def _admit(self, request: Request) -> None:
        if request.model not in {model.name for model in self.models()}:
            raise ModelUnavailable(f"There is no model {request.model!r}.")
        for model in self.models():
            if model.name == request.model and model.state in ("absent", "failed"):
                raise ModelUnavailable(model.error or "The model cannot be used.")
        if len(self._waiting) >= self.queue_limit:
            raise EngineBusy("All slots and the queue are taken.", retry_after_s=1)
        self.history.append(request)
        self._waiting.append(request.id)

    async def _answer(self, request: Request) -> AsyncGenerator[Event, None]:
        usage = Usage(prompt_tokens=_prompt_tokens(request))
        if isinstance(request, EmbedRequest):
            vector = [len(word) / 10 for word in request.text.split()[:EMBEDDING_SIZE]]
            vector += [0.0] * (EMBEDDING_SIZE - len(vector))
            yield Embedding(tuple(vector), usage)
        elif isinstance(request, ProbeRequest):
            await self._pause()
            yield Probabilities(tuple(_rows(request)), usage)
        elif isinstance(request, ScoreRequest):
            yield Scored((-0.1,) * (len(request.answer.split()) + 1), usage)
        else:
            async for event in self._generate(request, usage):
                yield event

    async def _generate(
        self, request: GenerateRequest, usage: Usage
    ) -> AsyncGenerator[Event, None]:
        reply = self.replies.popleft() if self.replies else self._canned(request)
        if isinstance(reply, ServiceError):
            raise reply
        if isinstance(reply, Endless):
            async for event in self._go_on(request, reply.text):
                yield event
            return
        text, error = (reply.text, reply.error) if isinstance(reply, Broken) else (reply, None)
        tokens = re.findall(r"\n\n|\s*\S+", text)
        for token in tokens[: request.max_tokens]:
            await self._pause()
            if request.id in self._stopped:
                return
            yield Delta(token, _logprobs(token, request.logprobs))
        if error is not None:
            raise error
        made = min(len(tokens), request.max_tokens)
        reason: FinishReason = "stop" if made == len(tokens) else "length"
        yield Finished(reason, usage + Usage(completion_tokens=made))

    async def _go_on(self, request: GenerateRequest, text: str) -> AsyncGenerator[Event, None]:
        yield Delta(text)
        while request.id not in self._stopped:
            await self._pause()

    async def _pause(self) -> None:
        await self.gate.wait()
        await asyncio.sleep(self.delay_s)
        if self.is_closed:
            raise EngineCrashed("The engine is closed.")

    def _canned(self, request: GenerateRequest) -> str:
        grammar = request.grammar or ""
        if "Strengths" in grammar:
            return evaluate_answer(*ASSESSMENT)
        if "Changes" in grammar:
            whole = refine_answer(*REFINEMENT)
            is_passage = "Title: " not in grammar
            return refine_answer("", *PASSAGE).partition("\n")[2] if is_passage else whole
        if rest := re.search(r"later-title text\)\{(\d+)\}", grammar):
            ideas = [brainstorm_answer(*self._next_idea()) for _ in range(int(rest[1]) + 1)]
            return "\n\n".join(ideas)
        if "Idea: " in grammar:
            title, text = self._next_idea()
            if "Join all the ideas" in request.messages[-1].content:
                joined = re.findall(r"<idea>(.*?)[.<]", request.messages[-1].content)
                text += f" It goes with {' and '.join(joined)}."
            return brainstorm_answer(title, text)
        return "Here is a short answer."

    def _next_idea(self) -> tuple[str, str]:
        self._ideas += 1
        return IDEAS[(self._ideas - 1) % len(IDEAS)]


def _logprobs(token: str, alternatives: int | None) -> tuple[TokenLogprob, ...]:
    """Logprobs of a nearly certain token; its alternatives are the token with dots added."""
    if alternatives is None:
        return ()
    top = tuple((token + "." * rank, -0.1 - rank) for rank in range(alternatives))
    return (TokenLogprob(token, -0.1, top),)


def _rows(request: ProbeRequest) -> list[tuple[float, ...]]:
    """For two choices, the longer idea wins, or the first of equals; else digits with a peak.

    The peak is at 5 for the first prompt and one digit higher for each further prompt.
    """
    if len(request.choices) == 2:
        return [_longer(messages[-1].content) for messages in request.prompts]
    return [_digit_row(5 + index) for index in range(len(request.prompts))]


def _longer(question: str) -> tuple[float, float]:
    one, other = (len(note) for note in re.findall(r"<idea>(.*?)</idea>", question, re.DOTALL))
    return (0.2, 0.6) if other > one else (0.6, 0.2)


def _digit_row(centre: int) -> tuple[float, ...]:
    """Probabilities of the digits 0-9 that peak at `centre` and sum to 0.9."""
    weights = [0.5 ** abs(digit - centre % 10) for digit in range(10)]
    return tuple(0.9 * weight / sum(weights) for weight in weights)


def _prompt_tokens(request: Request) -> int:
    if isinstance(request, EmbedRequest):
        return len(request.text.split())
    if isinstance(request, GenerateRequest) and request.prompt is not None:
        prompt = request.prompt
        return len(prompt.split() if isinstance(prompt, str) else prompt)
    chats = request.prompts if isinstance(request, ProbeRequest) else (request.messages,)
    return sum(len(message.content.split()) for chat in chats for message in chat)
