"""Methods to look for ideas: each is a family of angles, and each idea of a run gets one angle.

Small models leave the topic if an angle is exotic, so the hints name ordinary things to do.
Knows neither prompts nor models.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from random import Random
from types import MappingProxyType

from service.errors import InvalidInput
from service.messages import Text


@dataclass(frozen=True, slots=True)
class Angle:
    """`name` is shown to people; `hint` is a sentence about the idea and goes into the prompt."""

    name: str
    hint: str


@dataclass(frozen=True, slots=True)
class Method:
    """`when` says in one line when to use it. Angles with the same name differ in their hints."""

    id: str
    title: str
    when: str
    angles: tuple[Angle, ...]


def draw_angles(method_id: str, n: int, seed: int, name: str | None = None) -> tuple[Angle, ...]:
    """The first n angles in the order of the seed, or of those with `name`.

    Every name comes once before any is repeated, and so does every hint.

    Raises: InvalidInput if the method or the name is unknown.
    """
    method = METHODS.get(method_id)
    if method is None:
        known = ", ".join(METHODS)
        raise InvalidInput(
            Text("There is no method “%(id)s”; choose one of %(all)s.", id=method_id, all=known),
            pointer="/method",
        )
    if name is not None and all(angle.name != name for angle in method.angles):
        detail = f"{method.title} has no angle {name!r}; GET /api/v1/methods lists them."
        raise InvalidInput(detail, pointer="/angle")
    random = Random(f"{method_id}:{seed}")
    drawn: list[Angle] = []
    while len(drawn) < n:
        for angles in _rounds(method, name):
            random.shuffle(angles)
            drawn += angles
    return tuple(drawn[:n])


def _rounds(method: Method, name: str | None) -> list[list[Angle]]:
    by_name: dict[str, list[Angle]] = {}
    for angle in method.angles:
        if name in (None, angle.name):
            by_name.setdefault(angle.name, []).append(angle)
    rounds = zip_longest(*by_name.values())
    return [[angle for angle in one if angle is not None] for one in rounds]


def _family(pattern: str, *entries: str) -> tuple[Angle, ...]:
    """Angles from lines of `name: end of the pattern's sentence | another end`."""
    angles: list[Angle] = []
    for entry in entries:
        name, _, ways = entry.partition(": ")
        angles += [Angle(name, pattern.format(way)) for way in (ways or name).split(" | ")]
    return tuple(angles)


_FREE = _family(
    "The idea has to do with {}.",
    "planning ahead",
    "a weekly habit: something done once a week",
    "a checklist: a short checklist",
    "reminders: a reminder at the right moment",
    "in pairs: helping each other in pairs",
    "ask first: asking people what they need",
    "a sign: a sign or a picture in the right place",
    "a time limit: a time limit",
    "experience: learning from someone with experience",
    "a small game: a small game or contest",
    "sharing: sharing things",
    "a thank-you: a small reward or a thank-you",
    "the day before: something that is done one day before",
    "a good example: a good example that people can copy",
    "a fixed time: a fixed time of the day",
    "an invitation: inviting people",
    "a first step: a first step that takes ten minutes",
    "writing it down: writing things down",
    "newcomers: a short introduction for newcomers",
    "almost free: something that costs almost nothing",
    "a kit: a box or kit with everything needed",
    "a trial: trying it out on a small scale",
    "a partner: a partner in the neighbourhood",
    "visible progress: making it visible how well it goes",
    "practice: short and regular practice",
    "in turn: a job that people do in turn",
    "tools at hand: a simple tool that most people have",
    "the room: how the room or the place is arranged",
    "fewer choices: making the choice smaller and easier",
    "reasons: telling people the reason",
    "a common problem: solving the most common problem",
    "a shared calendar: a shared calendar or list",
    "small portions: dividing it into small parts",
    "a routine: a simple routine that is always the same",
    "an everyday moment: something people do every day anyway",
    "a meeting: a short meeting at a fixed time",
    "showing how: showing others how it is done",
    "a goal: a clear and small goal for one week",
    "comfort: making it easier and more pleasant",
    "telling others: telling others about it in a friendly way",
)

_SCAMPER = _family(
    "The idea {}.",
    "substitute: replaces one thing that is used today by a better one"
    " | replaces the person, the place or the time by another one | uses another material or tool",
    "combine: combines two things that people already do"
    " | brings two groups of people together | joins it with a habit that people already have",
    "adapt: copies something that works well elsewhere"
    " | uses a method that shops, schools or sports clubs use | adapts something from the past",
    "modify: makes one part bigger, more frequent or easier to see"
    " | makes one part smaller, shorter or simpler | changes the form, the colour or the order",
    "put to another use: uses something that is already there in a new way"
    " | uses leftovers or unused rooms and hours | makes it useful for another group of people too",
    "eliminate: saves one step that is not needed"
    " | takes away what disturbs or delays people | works with fewer things or rules",
    "reverse: changes the order in which things are done"
    " | exchanges the roles of two people | begins with the last step",
)

_REVERSE = _family(
    "The idea avoids a common mistake: {}.",
    "no plan: to begin without a plan",
    "too much at once: to do too much at once",
    "too late: to begin too late",
    "nobody in charge: that nobody feels responsible",
    "not asking: not to ask the people concerned",
    "unclear words: to explain it in unclear words",
    "forgetting: to forget it in everyday life",
    "too expensive: to buy expensive things at once",
    "no fun: to make it feel like a duty",
    "going alone: to try it all alone",
    "not measuring: never to look at whether it works",
    "wrong time: to do it at the wrong time of the day",
    "hard to find: that people cannot find what they need",
    "giving up: to give up after the first setback",
    "too many rules: to make too many rules",
    "ignoring beginners: to forget those who are new",
    "no breaks: to work without breaks",
    "empty promises: to promise more than one can keep",
    "hidden progress: that nobody sees the progress",
    "one size for all: to treat everybody the same way",
)

_SIX_HATS = _family(
    "The idea {}.",
    "white hat, facts: begins with facts that are easy to find out"
    " | uses a simple count or list | uses what is known from experience"
    " | gives people one piece of information that they lack",
    "red hat, feelings: makes people feel welcome or proud"
    " | takes away fear or embarrassment | makes it more pleasant | lets people say how they feel",
    "black hat, caution: prevents the most common problem"
    " | is prepared for the case that something goes wrong | removes a danger"
    " | saves time or money that is lost today",
    "yellow hat, benefits: strengthens what already works well"
    " | shows people quickly what they gain | helps two groups at once"
    " | makes good use of a strong point",
    "green hat, new ways: is new to most people but easy to try"
    " | uses an ordinary thing in an unusual way | adds a small surprise"
    " | combines two simple things",
    "blue hat, order: gives clear roles to people"
    " | sets a fixed time and place | divides the work into three steps"
    " | says who decides and when",
)

_PERSONAS = _family(
    "The idea is what {} would suggest.",
    "a teacher: an experienced teacher",
    "a child: a curious child",
    "a grandparent: a practical grandmother",
    "a nurse: a nurse",
    "a shopkeeper: a friendly shopkeeper",
    "a trainer: a sports trainer",
    "a librarian: a librarian",
    "a cook: a cook who has little time",
    "a gardener: a patient gardener",
    "an engineer: an engineer who likes simple tools",
    "an organiser: someone who organises events",
    "a newcomer: someone who is new here",
    "a thrifty person: someone who has very little money",
    "a busy parent: a busy parent of two children",
    "a designer: a designer who likes clear signs",
    "a neighbour: a helpful neighbour",
    "a shy person: a shy person",
    "a volunteer: an experienced volunteer",
    "a scientist: a scientist who tests everything on a small scale",
    "a host: a good host",
)

_CONSTRAINTS = _family(
    "The idea {}.",
    "no money: costs nothing",
    "ten minutes: takes only ten minutes",
    "one person: can be done by one person alone",
    "paper and pen: needs only paper and a pen",
    "no screens: works without phones and computers",
    "today: can be finished today",
    "once a month: is done only once a month",
    "things at hand: uses only things that are already there",
    "very small room: fits into very little space",
    "for beginners: needs no experience",
    "for many: works for a hundred people as well as for five",
    "one rule: consists of one simple rule",
    "no words: works with pictures instead of words",
    "twenty coins: costs less than twenty dollars",
    "outdoors: takes place outdoors",
    "at a distance: works when people cannot meet",
    "in silence: makes no noise",
    "three things: needs exactly three things",
    "any weather: works in any weather",
    "for years: still works after a year without extra effort",
)

_ANALOGIES = _family(
    "The idea is a practical one, borrowed from {}.",
    "restaurants: how a good restaurant prepares for the evening",
    "libraries: how a library lends things",
    "sports teams: how a sports team trains",
    "pilots: how pilots use checklists",
    "hospitals: how a hospital hands over between shifts",
    "supermarkets: how a supermarket arranges its shelves",
    "gardens: how a gardener cares for plants",
    "schools: how a school teaches in small steps",
    "trains: how a railway keeps to a timetable",
    "markets: how a weekly market attracts people",
    "families: how a large family shares the housework",
    "choirs: how a choir practises together",
    "hotels: how a hotel welcomes its guests",
    "museums: how a museum shows things",
    "fire brigades: how a fire brigade prepares for emergencies",
    "board games: how a board game keeps people interested",
    "workshops: how a workshop keeps its tools in order",
    "newspapers: how a newspaper makes a headline",
    "bees: how bees divide their work",
    "hikers: how hikers mark a path",
)

_QUESTIONS = _family(
    "The idea answers this question: {}",
    "who could help: Who could help?",
    "what comes first: What is the very first step?",
    "what stops people: What stops people today, and how can that be removed?",
    "where does it work: Where does this work well already?",
    "what is missing: What one thing is missing?",
    "when is best: When is the best moment for it?",
    "how to remember: How will people remember it?",
    "what is too much: What could be made simpler?",
    "who is left out: Who is left out, and how can they take part?",
    "how to begin cheaply: How can it begin without money?",
    "how to see success: How can everybody see that it works?",
    "what is at hand: What is already there that could be used?",
    "how to learn: How could people learn it quickly?",
    "what would make it nice: What would make it more pleasant?",
    "how to keep going: How can it go on after the first week?",
    "what goes wrong: What goes wrong most often, and how can it be prevented?",
    "who does what: Who does what, and by when?",
    "how to explain: How can it be explained in one minute?",
    "what to show: What could be shown instead of told?",
    "how to save time: How can it take half the time?",
)

_METHODS = (
    Method("free", Text("Free"), Text("When you simply want many practical ideas."), _FREE),
    Method("scamper", "SCAMPER", Text("When something exists and should get better."), _SCAMPER),
    Method("reverse", Text("Reverse"), Text("When you know well how it fails."), _REVERSE),
    Method("six-hats", Text("Six hats"), Text("When you want to see every side of it."), _SIX_HATS),
    Method(
        "personas", Text("Personas"), Text("When different people see it differently."), _PERSONAS
    ),
    Method(
        "constraints", Text("Constraints"), Text("When time, money or room is short."), _CONSTRAINTS
    ),
    Method(
        "analogies", Text("Analogies"), Text("When you want to borrow from elsewhere."), _ANALOGIES
    ),
    Method(
        "questions", Text("Questions"), Text("When you do not yet know where to begin."), _QUESTIONS
    ),
)
METHODS: Mapping[str, Method] = MappingProxyType({method.id: method for method in _METHODS})
