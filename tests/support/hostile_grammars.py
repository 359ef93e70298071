"""Grammars and JSON schemas made to stop whoever follows them, and random ones like them."""

import json
import random
from typing import Any

# After n letters there are 2^n ways to end the text, which the text of the grammar does not show.
EXPLODING = 'root ::= "a" root "b" | "a" root "c" | "x"'
PATTERNS = [
    "(?=a)b", "(?!a)b", "(?<=a)b", r"(a)\1", r"\bа", r"\p{L}", "(a?)*", "(a*)+", "a{1001}",
    "(a{40}b{0,40}){40}", "a{3,2}", "[z-a]", "[a", "(a", "a)", "*a", "a$b", "(^a)", "a{", "[", "\\",
    r"[\d-z]", "()" * 50 + "(" * 50 + ")" * 50,
]  # fmt: skip


def doubling(last: str) -> str:
    rules = [f"a{level} ::= a{level + 1} a{level + 1} | a{level + 1}" for level in range(20)]
    return "\n".join(["root ::= a0", *rules, f"a20 ::= {last}"])


# With what a refusal says of each.
UNBOUNDED = [
    (doubling('"x" | ""'), "too many|more than 1000 ways"),
    (doubling('"x"'), "more than 1000 ways"),
    ("root ::= " + '"a"? ' * 2_000, "more than 1000 ways"),
    (f'root ::= {"(" * 30_000}"a"{")" * 30_000}', "groups inside each other"),
    ('root ::= ("a"?)*', "can be empty"),
    ('root ::= ("a"?){0,400}', "can be empty"),
    ('root ::= ("" | "a")+', "can be empty"),
    ('root ::= a*\na ::= b?\nb ::= "x"', "can be empty"),
    ("root ::= " + " ".join(["[a-z]{0,1000}"] * 60), "repetitions altogether"),
    ("root ::= " + '("a") ' * 6_000, "rules and groups"),
    ("root ::= " + "|".join(["."] * 20_000), "alternatives"),
    ("root ::= " + "." * 70_000, "longer than"),
]


def _defs(count: int, keyword: str) -> dict[str, Any]:
    """Each definition refers twice to the next one."""
    defs: dict[str, Any] = {
        f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(count)
    }
    defs[f"d{count}"] = {"type": "string"}
    return {"$ref": "#/$defs/d0", "$defs": defs}


SCHEMA_BOMBS = {
    "deep arrays": '{"items":' * 20_000 + "{}" + "}" * 20_000,
    "deep lists": "[" * 90_000,
    "deep unions": '{"anyOf":[' * 400 + "{}" + "]}" * 400,
    "doubled unions": json.dumps(_defs(30, "anyOf")),
    "wide joins": json.dumps({"allOf": [{"properties": {f"p{n}": {}}} for n in range(3000)]}),
    "crossed unions": json.dumps(
        {
            "allOf": [
                {"anyOf": [{"required": [f"a{n}"]}, {"required": [f"b{n}"]}]} for n in range(30)
            ]
        }
    ),
    "many values": json.dumps({"enum": [f"value {n:040}" for n in range(3000)]}),
    "many alternatives": json.dumps(
        {
            "oneOf": [
                {"type": "object", "properties": {"k": {"const": n}}, "required": ["k"]}
                for n in range(249)
            ]
        }
    ),
}


def random_grammar(chance: random.Random) -> str:
    """A grammar of a few rules that refer to each other, also to themselves and at the beginning."""
    count = chance.randint(1, 6)
    names = ["root", *(f"r{number}" for number in range(1, count))]
    return "\n".join(f"{name} ::= {_alternatives(chance, names, 0)}" for name in names)


def _alternatives(chance: random.Random, names: list[str], depth: int) -> str:
    return " | ".join(
        " ".join(_item(chance, names, depth) for _ in range(chance.randint(1, 4)))
        for _ in range(chance.randint(1, 3))
    )


def _item(chance: random.Random, names: list[str], depth: int) -> str:
    items = [
        chance.choice(('"a"', '"b"', '""', '"x y"', '"\\n"')),
        chance.choice(("[a-z]", "[^a]", "[ \\n]", ".", "[0-9]")),
        chance.choice(names),
        chance.choice(names),
    ]
    if depth < 3:
        items.append(f"({_alternatives(chance, names, depth + 1)})")
    repeats = ("", "", "", "", "?", "*", "+", "{2,5}", "{0,400}", "{30}")
    return f"{chance.choice(items)}{chance.choice(repeats)}"


def random_schema(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    """A schema of an object, a list or a text, nested a few times and with references to itself."""
    kind = chance.choice(("object", "array", "text", "union", "enum", "self"))
    if kind == "text" or depth > 3:
        return {"type": "string", "pattern": chance.choice((*PATTERNS, "^[a-z]{1,40}$", "(a|b)*c"))}
    if kind == "object":
        names = [f"p{number}" for number in range(chance.randint(1, 40))]
        parts = {name: random_schema(chance, depth + 2) for name in names}
        return {"type": "object", "properties": parts, "required": names[:: chance.randint(1, 3)]}
    if kind == "array":
        least = chance.choice((0, 1, 900))
        return {"type": "array", "items": random_schema(chance, depth + 1), "minItems": least}
    if kind == "union":
        some = [random_schema(chance, depth + 1) for _ in range(chance.randint(1, 5))]
        return {chance.choice(("anyOf", "oneOf", "allOf")): some}
    if kind == "enum":
        return {"enum": [f"{number:0{chance.randint(1, 40)}}" for number in range(50)]}
    return {"$ref": "#"}
