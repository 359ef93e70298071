"""Examples for every body and answer in the OpenAPI document, made from the shapes themselves.

A field's own example comes first, then what fields of that name usually hold, then what its type
allows; so an operation that is new has an example from the start, and a test checks it.
"""

from typing import Any

Schema = dict[str, Any]
_ID = "6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"
_MOMENT = "2026-01-31T12:00:00Z"
_TITLE, _TEXT = "Soup from one pot", "Each household adds one vegetable to a huge kettle at noon."
# Deeper than any shape goes; a shape that holds itself ends here.
DEEPEST = 12
USUAL: dict[str, Any] = {
    "id": _ID,
    "title": _TITLE,
    "body": _TEXT,
    "text": _TEXT,
    "name": "Street party",
    "goal": "A party the whole street enjoys.",
    "board": "Street party",
    "topic": "a street party",
    "tag": "food",
    "tags": ["food"],
    "angle": "Combine",
    "model": "standard",
    "seed": 7,
    "overall": 7.1,
    "score": 7.1,
    "scores": {"novelty": 6.4, "feasibility": 8.2},
    "strengths": ["It needs no money."],
    "concerns": ["Somebody must bring the kettle."],
    "next_step": "Ask the school whether its kettle can be borrowed.",
    "criteria": ["novelty", "feasibility"],
    "instruction": "shorter",
    "status": "draft",
    "origin": "human",
    "kind": "brainstorm",
    "error": None,
    "finish_reason": "stop",
    "role": "user",
    "content": "Name three uses of a brick.",
}
_ARCHIVED_BOARD = {
    "id": _ID,
    "name": "Street party",
    "goal": "A party the whole street enjoys.",
    "created_at": _MOMENT,
    "updated_at": _MOMENT,
}


def add_examples(operation: Schema, schemas: dict[str, Schema]) -> None:
    """To the JSON that the operation takes and gives, where it has none yet."""
    composer = _Composer(schemas)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and not body.keys() & {"example", "examples"}:
        body["example"] = composer.compose(body["schema"], is_body=True)
    for status, response in operation["responses"].items():
        answer = response.get("content", {}).get("application/json")
        if status.startswith("2") and answer and not answer.keys() & {"example", "examples"}:
            answer["example"] = composer.compose(answer["schema"])


class _Composer:
    def __init__(self, schemas: dict[str, Schema]) -> None:
        self._schemas = schemas

    def compose(
        self, schema: Schema, name: str = "", *, is_body: bool = False, depth: int = 0
    ) -> Any:
        """`is_body`: only what must be there or has an example of its own."""
        kind = schema.get("$ref", "").rpartition("/")[2]
        if kind == "Archive":
            return self._archive(depth)
        schema = self._schemas.get(kind, schema)
        told = self._told(schema, name)
        if told is not None or depth > DEEPEST:
            return told
        for several in ("anyOf", "oneOf", "allOf"):
            choices = [one for one in schema.get(several, ()) if one.get("type") != "null"]
            if choices and "properties" not in schema:
                return self.compose(choices[0], name, is_body=is_body, depth=depth + 1)
        if "properties" in schema:
            return self._object(schema, is_body=is_body, depth=depth)
        return self._plain(schema, name, depth)

    def _told(self, schema: Schema, name: str) -> Any:
        if schema.get("examples"):
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        usual = USUAL.get(name)
        if usual is not None and _fits(usual, schema):
            return usual
        return schema["enum"][0] if schema.get("enum") else None

    def _object(self, schema: Schema, *, is_body: bool, depth: int) -> dict[str, Any]:
        properties: dict[str, Schema] = schema["properties"]
        required = schema.get("required", ())
        named = [
            name
            for name, field in properties.items()
            if not is_body or name in required or field.get("examples")
        ]
        # Of a change, in which everything may be left out, one thing that changes.
        named = named or [name for name in properties if name in USUAL][:1]
        return {
            name: self.compose(properties[name], name, is_body=is_body, depth=depth + 1)
            for name in named
        }

    def _plain(self, schema: Schema, name: str, depth: int) -> Any:
        kind = schema.get("type")
        if kind == "array":
            if "prefixItems" in schema:
                return [self.compose(one, depth=depth + 1) for one in schema["prefixItems"]]
            item = self.compose(schema.get("items", {}), name.removesuffix("s"), depth=depth + 1)
            return [] if item is None else [item] * max(1, schema.get("minItems", 1))
        if kind == "object":
            values = schema.get("additionalProperties")
            if isinstance(values, dict) and values:
                return {"novelty": self.compose(values, depth=depth + 1)}
            return {}
        if "default" in schema:
            return schema["default"]
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        if kind == "boolean":
            return False
        return _string(schema, name) if kind == "string" else None

    def _archive(self, depth: int) -> dict[str, Any]:
        """A whole one, without what takes many more lines to hold together."""
        schema = self._schemas["Archive"]
        sections = [name for name, field in schema["properties"].items() if name not in _HEAD]
        idea = self.compose({"$ref": "#/components/schemas/IdeaRow"}, depth=depth + 1)
        version = self.compose({"$ref": "#/components/schemas/VersionRow"}, depth=depth + 1)
        idea |= {"board_id": _ID, "parent_id": None}
        rows = {
            "boards": [_ARCHIVED_BOARD],
            "ideas": [idea],
            "versions": [version | {"run_id": None}],
        }
        newest = max(schema["properties"]["version"]["enum"])
        head = {"format": "ideapool", "version": newest, "exported_at": _MOMENT}
        return head | {name: rows.get(name, []) for name in sections}


_HEAD = ("format", "version", "exported_at")


def _fits(value: Any, schema: Schema) -> bool:
    """Whether a usual value is of the type, and one of the values, that the field allows."""
    variants = [schema, *schema.get("anyOf", ())]
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "array": list,
        "object": dict,
    }
    for one in variants:
        if one.get("enum"):
            if value in one["enum"]:
                return True
        elif one.get("type") in kinds and isinstance(value, kinds[one["type"]]):
            items = one.get("items", {})
            return not (isinstance(value, list) and "$ref" in items)
    return False


def _string(schema: Schema, name: str) -> str:
    if schema.get("format") == "date-time":
        return _MOMENT
    if name.endswith(("_id", "_ids")) or name in ("ids", "similar_to"):
        return _ID
    if name.endswith("sha256"):
        return "9c1185a5c5e9fc54612808977ee8f548b2258d31".ljust(64, "0")
    return "text" if schema.get("minLength", 0) <= 4 else "text" * schema["minLength"]
