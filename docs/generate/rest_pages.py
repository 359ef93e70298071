"""The pages of the REST API, from its OpenAPI document: an overview, a page a tag, and the shapes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docs.generate.markdown import anchor, code, fenced, page, sentence, table
from docs.generate.shapes import fields, shape_page, type_of

METHODS = ("get", "post", "put", "patch", "delete")
# Every call may answer with these, so they are explained once.
COMMON = ("401", "403", "413", "422", "503", "default")
TITLES = {"actions": "Brainstorm, refine, evaluate, rank", "openai": "OpenAI's protocol"}
SHAPES = "shapes"
INTRODUCTION = """\
Every call of the REST API, made from its OpenAPI document. A running server has the same document at
`/api/v1/openapi.json` and shows it at `/api/docs`. [REST](rest.md) is a tour with `curl`."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    operation: Json

    @property
    def heading(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def tag(self) -> str:
        return str(self.operation["tags"][0])


def rest_pages(document: Json) -> dict[str, str]:
    """Path, from the folder of the overview, to content."""
    calls = list(_calls(document))
    tags = list(dict.fromkeys(call.tag for call in calls))
    schemas = document["components"]["schemas"]
    return {
        "rest-reference.md": _overview(tags, calls),
        **{
            f"rest/{tag}.md": _tag_page(tag, [one for one in calls if one.tag == tag])
            for tag in tags
        },
        f"rest/{SHAPES}.md": shape_page(schemas),
    }


def _calls(document: Json) -> Iterator[Call]:
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                yield Call(method, path, operations[method])


def _title(tag: str) -> str:
    return TITLES.get(tag, tag.capitalize())


def _overview(tags: list[str], calls: list[Call]) -> str:
    parts = []
    for tag in tags:
        rows = [
            (f"[{code(one.heading)}](rest/{tag}.md#{anchor(one.heading)})", _summary(one))
            for one in calls
            if one.tag == tag
        ]
        parts += [f"## {_title(tag)}", table(("call", "what it does"), rows)]
    contents = "\n".join(["```{toctree}", ":hidden:", ""])
    names = "\n".join(f"rest/{name}" for name in [*tags, SHAPES])
    return page("REST reference", INTRODUCTION, *parts, _errors(calls), f"{contents}\n{names}\n```")


def _errors(calls: list[Call]) -> str:
    responses = next(one for one in calls if one.tag != "openai").operation["responses"]
    rows = [
        ("any other" if status == "default" else code(status), responses[status]["description"])
        for status in COMMON
        if status in responses
    ]
    return "\n\n".join(
        [
            "## Errors",
            "Any call may answer with these statuses. The body is a "
            f"[{code('Problem')}](rest/{SHAPES}.md#problem), RFC 9457; under `/v1` it has OpenAI's "
            "form. Each call lists its further statuses.",
            table(("status", "meaning"), rows),
        ]
    )


def _tag_page(tag: str, calls: list[Call]) -> str:
    return page(_title(tag), *(part for call in calls for part in _call(call)))


def _call(call: Call) -> Iterator[str]:
    operation = call.operation
    yield f"## {call.heading}"
    yield _summary(call)
    yield _description(operation)
    parameters = [
        (
            code(one["name"]),
            one["in"],
            type_of(one["schema"], SHAPES),
            one.get("description", ""),
        )
        for one in operation.get("parameters", ())
    ]
    yield table(("parameter", "in", "type", "meaning"), parameters)
    yield from _body(operation)
    yield _answers(operation)


def _summary(call: Call) -> str:
    return sentence(call.operation.get("summary", ""))


def _description(operation: Json) -> str:
    return str(operation.get("description", ""))


def _body(operation: Json) -> Iterator[str]:
    content: Json = operation.get("requestBody", {}).get("content", {})
    if not content:
        return
    others = [code(kind) for kind in content if kind != "application/json"]
    also = f" Also {', '.join(others)}." if others else ""
    json_body = content.get("application/json", {})
    schema = json_body.get("schema", {})
    yield f"**Body:** {type_of(schema, SHAPES)}.{also}"
    yield from fields(schema, SHAPES)
    examples = json_body.get("examples") or {"": {"value": json_body.get("example")}}
    for example in examples.values():
        if example.get("value") is not None:
            yield from filter(None, [sentence(example.get("summary", ""))])
            yield fenced("json", json.dumps(example["value"], ensure_ascii=False, indent=2))


def _answers(operation: Json) -> str:
    rows = []
    for status, response in sorted(operation["responses"].items()):
        if status in COMMON and not status.startswith("2"):
            continue
        content: Json = response.get("content", {})
        kinds = [
            type_of(one["schema"], SHAPES) if kind == "application/json" else code(kind)
            for kind, one in content.items()
            if kind != "application/problem+json"
        ]
        # What FastAPI says where a route says nothing.
        meaning = response["description"].replace("Successful Response", "")
        rows.append((code(status), " or ".join(kinds), meaning))
    return table(("status", "answer", "meaning"), rows)
