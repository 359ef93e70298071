"""Adds examples to every body and answer in the OpenAPI document, also to those of new operations.

The example is the field's own if it has one, else a value that its type allows, else a usual text
for its name.
"""

from typing import Any

Schema = dict[str, Any]
_ID = "6f1c2d0e-7f57-4e43-9d0b-0d6e7f3a1c55"
_HASH = "9c1185a5c5e9fc54612808977ee8f548b2258d319c1185a5c5e9fc5461280897"
EXAMPLE_VALUES: dict[str, Any] = {
    "title": "Soup from one pot",
    "body": "Each household adds one vegetable to a huge kettle at noon.",
    "text": "Each household adds one vegetable to a huge kettle at noon.",
    "name": "Street party",
    "topic": "a street party",
    "tag": "food",
    "angle": "Combine",
    "model": "standard",
    "strength": "It needs no money.",
    "concern": "Somebody must bring the kettle.",
    "next_step": "Ask the school whether its kettle can be borrowed.",
    "criteria": "novelty",
    "instruction": "shorter",
    "content": "Name three uses of a brick.",
    "status": "draft",
    "origin": "human",
    "score": 7.1,
    "overall": 7.1,
}


def add_examples(operation: Schema, schemas: dict[str, Schema]) -> None:
    """Adds an example to the operation's JSON body and answers if they have none."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and not body.keys() & {"example", "examples"}:
        body["example"] = _example(body["schema"], schemas, is_body=True)
    for status, response in operation["responses"].items():
        answer = response.get("content", {}).get("application/json")
        if status.startswith("2") and answer and not answer.keys() & {"example", "examples"}:
            answer["example"] = _example(answer["schema"], schemas)


def _example(
    schema: Schema, schemas: dict[str, Schema], name: str = "", *, is_body: bool = False
) -> Any:
    schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    given = [*schema.get("examples", ()), *schema.get("enum", ())]
    given += [schema["const"]] if "const" in schema else []
    if given:
        return given[0]
    if "properties" in schema:
        return _object(schema, schemas, is_body=is_body)
    choices = [one for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ())]
    if choices:
        chosen = next(one for one in choices if one.get("type") != "null")
        return _example(chosen, schemas, name, is_body=is_body)
    return _plain(schema, schemas, name)


def _object(schema: Schema, schemas: dict[str, Schema], *, is_body: bool) -> dict[str, Any]:
    """An example of all fields; a body has only required fields and those with an example."""
    fields: dict[str, Schema] = schema["properties"]
    required = schema.get("required", ())
    names = [one for one in fields if not is_body or one in required or fields[one].get("examples")]
    return {
        one: _example(fields[one], schemas, one, is_body=is_body)
        for one in names or list(fields)[:1]
    }


def _plain(schema: Schema, schemas: dict[str, Schema], name: str) -> Any:
    match schema.get("type"):
        case "array":
            items = [schema.get("items", {})] * schema.get("minItems", 1)
            items = schema.get("prefixItems") or items
            return [_example(one, schemas, name.removesuffix("s")) for one in items]
        case "object":
            values = schema.get("additionalProperties")
            return (
                {"novelty": _example(values, schemas, "score")} if isinstance(values, dict) else {}
            )
        case "string":
            return schema.get("default", _text(schema, name))
        case "integer":
            return schema.get("default", schema.get("minimum", 1))
        case "number":
            return EXAMPLE_VALUES.get(name, schema.get("default", schema.get("minimum", 1)))
        case "boolean":
            return schema.get("default", False)
    return schema.get("default")


def _text(schema: Schema, name: str) -> str:
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    if name == "id" or name.endswith(("_id", "similar_to", "_in")):
        return _ID
    if name.endswith("sha256"):
        return _HASH
    return str(EXAMPLE_VALUES.get(name, "text"))
