"""The OpenAPI document, and the page that shows it with scripts of our own server only."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from service.schemas.archive import EXAMPLE as ARCHIVE_EXAMPLE
from service.store.limits import Limits
from service.web.api.idempotency import HEADER, REPLAYED
from service.web.errors import OPENAI_PATHS
from service.web.examples import add_examples
from service.web.openai.models import served_models
from service.web.templating import Templates

router = APIRouter(include_in_schema=False)
PROBLEM = {
    "type": "object",
    "description": "A problem as defined by RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/not-found"]},
        "title": {"type": "string", "examples": ["Not Found"]},
        "status": {"type": "integer", "examples": [404]},
        "detail": {"type": "string", "examples": ["The idea 4711 does not exist or was deleted."]},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
OPENAI_ERROR = {
    "type": "object",
    "description": "An error in OpenAI's format.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "examples": ["There is no model 'gpt-4'."]},
                "type": {"enum": ["invalid_request_error", "server_error"]},
                "param": {"type": ["string", "null"], "examples": ["messages[0].content"]},
                "code": {"type": "string", "examples": ["model_not_found"]},
            },
        }
    },
}
SERVER = {"url": "/", "description": "The server that this document comes from."}
SECURITY_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key from `ideapool keys create`. A server that only its own machine can reach "
        "asks for none.",
    }
}
TAGS = {
    "actions": "Brainstorm, refine, evaluate and rank: what a model does.",
    "runs": "Pieces of work of a model: follow, stop, repeat and list them.",
    "suggestions": "Ideas that a brainstorm offers: keep, discard, redraw.",
    "ideas": "The ideas on the boards, their versions and their trash.",
    "comments": "Likes of ideas, and comments on them.",
    "attachments": "Images and other files on ideas.",
    "people": "People, what they may do, their keys and the links that invite them.",
    "boards": "Boards, their tags, their trash and what they have learnt.",
    "evaluation": "Rubrics, evaluations, the table of scores, and the calibration of a model.",
    "ranking": "Comparisons of two ideas, and the order that follows.",
    "rounds": "Writing rounds: ideas that are hidden from each other until the round ends.",
    "overview": "Many ideas at once: groups, lineage, the summary.",
    "models": "The sets of models that this machine can serve.",
    "transfer": "Export and import.",
    "webhooks": "Addresses that are told what happens, and what was sent to them.",
    "openai": "Chats, texts, responses, embeddings and models in OpenAI's format.",
}
_PROBLEM_CONTENT = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
}
_OPENAI_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIError"}}}
# Errors that any call may return.
_ANY = {
    "401": "The key is missing or not valid.",
    "403": "The request comes from a page of another site, or its host name is not allowed.",
    "429": "Too many wrong keys came from this address; `Retry-After` says when to try again.",
    "413": "The body is larger than the limit.",
    "422": "The input is not valid; `errors` points at what is wrong.",
    "503": "The database or every model is unavailable.",
    "default": "Any other problem.",
}


def describe_api(app: FastAPI, limits: Limits) -> Callable[[], dict[str, Any]]:
    """Returns a function for `app.openapi` that adds our errors, limits and examples."""
    generate = app.openapi
    described: list[str] | None = None

    def openapi() -> dict[str, Any]:
        nonlocal described
        models = list(served_models(app.state.backend))
        # Another set can be served since.
        if app.openapi_schema is None or models != described:
            app.openapi_schema = None
            document = generate()
            _complete(document, models, limits)
            document["servers"] = [SERVER | {"url": app.state.settings.root_path or "/"}]
            app.openapi_schema, described = document, models
        return app.openapi_schema

    return openapi


def _complete(document: dict[str, Any], models: list[str], limits: Limits) -> None:
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    schemas["OpenAIError"] = OPENAI_ERROR
    for name in ("ChatRequest", "TextRequest", "ResponsesRequest", "EmbeddingsRequest"):
        schemas[name]["properties"]["model"]["enum"] = models
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _describe_repetition(operation)
            _describe_errors(operation, is_openai=path.startswith(OPENAI_PATHS))
    # Set here because FastAPI would drop the nulls from the example of a model.
    schemas["Archive"]["examples"] = [ARCHIVE_EXAMPLE]
    _apply_limits(schemas, limits)
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    # Either a key or, where the server asks for none, nothing.
    document["security"] = [{name: []} for name in SECURITY_SCHEMES] + [{}]
    document["tags"] = _tags(document)
    for operations in document["paths"].values():
        for operation in operations.values():
            add_examples(operation, schemas)


def _tags(document: dict[str, Any]) -> list[dict[str, str]]:
    """Raises: KeyError if a tag has no description."""
    used = {
        tag
        for operations in document["paths"].values()
        for operation in operations.values()
        for tag in operation.get("tags", ())
    }
    missing = used - TAGS.keys()
    if missing:
        raise KeyError(f"TAGS does not describe {sorted(missing)}")
    return [{"name": name, "description": text} for name, text in TAGS.items() if name in used]


def _describe_repetition(operation: dict[str, Any]) -> None:
    """Of an operation that takes an `Idempotency-Key`."""
    if all(parameter["name"] != HEADER for parameter in operation.get("parameters", ())):
        return
    replayed = {
        "description": "`true` if this answers a repeated request.",
        "schema": {"type": "string"},
    }
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response.setdefault("headers", {})[REPLAYED] = replayed
    operation["responses"].setdefault(
        "409", {"description": "The first request with this key is still being answered."}
    )


def _describe_errors(operation: dict[str, Any], *, is_openai: bool) -> None:
    responses = operation["responses"]
    for status, meaning in _ANY.items():
        responses.setdefault(status, {"description": meaning})
    responses["422"] = {"description": _ANY["422"]}
    if is_openai:
        del responses["422"]
        responses["400"] = {"description": "The input is not valid; `param` says which field."}
    for status, response in responses.items():
        if status == "default" or int(status) >= 400:
            response["content"] = _OPENAI_CONTENT if is_openai else _PROBLEM_CONTENT


def _apply_limits(schemas: dict[str, Any], limits: Limits) -> None:
    for shape in schemas.values():
        for name, field in shape.get("properties", {}).items():
            for part in [field, *field.get("anyOf", [])]:
                if name in ("title", "name", "topic") and part.get("maxLength", 0) > limits.title:
                    part["maxLength"] = limits.title
                if part.get("maxLength", 0) > limits.body:
                    part["maxLength"] = limits.body
                if name == "n" and part.get("maximum", 0) > limits.suggestions:
                    part["maximum"] = limits.suggestions


@router.get("/api/v1/openapi.json")
def document(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


@router.get("/api/docs")
@router.get("/docs")
def docs(request: Request) -> Response:
    templates: Templates = request.app.state.templates
    response = templates.respond(request, "shared/docs.html", {})
    # Swagger UI writes style attributes, so inline styles are allowed here; scripts are not.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return response
