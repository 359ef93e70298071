"""REST can do everything that the pages can, and each operation has a summary and examples.

A new form on a page needs a line in `ACTIONS`.
"""

import inspect
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from mcp.server.mcpserver import MCPServer

from service.app import create_app
from service.cli.connection.persistent import PersistentConnection
from service.cli.main import build_parser
from service.mcp.server import build
from service.settings import Settings
from tests.support.fake_backend import FakeBackend

# The path of each form -> the operations that do the same, or why programs need none.
ACTIONS: dict[str, tuple[str, ...] | str] = {
    "/boards": ("createBoard",),
    "/boards/from-template": ("createBoard",),
    "/boards/sample": ("openSampleBoard",),
    "/boards/{board_id}": ("updateBoard",),
    "/boards/{board_id}/delete": ("deleteBoard",),
    "/boards/{board_id}/restore": ("restoreBoard",),
    "/boards/{board_id}/delete-for-good": ("deleteBoard",),
    "/boards/{board_id}/trash/restore": ("restoreTrash", "changeIdeas"),
    "/boards/{board_id}/trash/delete": ("emptyTrash", "deleteIdea"),
    "/boards/{board_id}/ideas": ("createIdea",),
    "/boards/{board_id}/brainstorm": ("brainstorm",),
    "/boards/{board_id}/combine": ("brainstorm",),
    "/boards/{board_id}/bulk": ("changeIdeas",),
    "/boards/{board_id}/taste": ("updateBoard",),
    "/boards/{board_id}/people-first": ("updateBoard",),
    "/boards/{board_id}/rounds": ("startRound",),
    "/boards/{board_id}/rounds/{round_id}/ideas": ("createIdea",),
    "/boards/{board_id}/rounds/{round_id}/end": ("endRound",),
    "/boards/{board_id}/rounds/{round_id}/extend": ("extendRound",),
    "/boards/{board_id}/rounds/{round_id}/names": ("showNames",),
    "/models": ("serveModelSet",),
    "/models/speed": ("measureModels",),
    "/models/calibration": ("calibrateModel",),
    "/models/calibration/delete": ("deleteCalibration",),
    "/boards/{board_id}/taste/forget": ("forgetTaste",),
    "/boards/{board_id}/clusters": ("applyClusters",),
    "/boards/{board_id}/evaluate": ("evaluateBoard",),
    "/boards/{board_id}/evaluate-selected": ("evaluateBoard",),
    "/boards/{board_id}/rubrics": ("createRubric",),
    "/boards/{board_id}/rubrics/shown": ("updateRubric",),
    "/rubrics/{rubric_id}": ("updateRubric",),
    "/rubrics/{rubric_id}/delete": ("deleteRubric",),
    "/rubrics/{rubric_id}/restore": ("restoreRubric",),
    "/boards/{board_id}/rank/votes": ("compareIdeas",),
    "/boards/{board_id}/rank/votes/{comparison_id}/undo": ("deleteComparison",),
    "/boards/{board_id}/rank/compare": ("rank",),
    "/changes/{change_id}/undo": ("undoChange",),
    "/ideas/{idea_id}": ("updateIdea",),
    "/ideas/{idea_id}/star": ("updateIdea",),
    "/ideas/{idea_id}/ticks": ("updateIdea",),
    "/ideas/{idea_id}/preview": "nothing is stored; programs show Markdown as they like",
    "/ideas/{idea_id}/attachments": ("createAttachment",),
    "/attachments/{attachment_id}": ("updateAttachment",),
    "/attachments/{attachment_id}/delete": ("deleteAttachment",),
    "/attachments/{attachment_id}/restore": ("restoreAttachment",),
    "/ideas/{idea_id}/like": ("likeIdea", "unlikeIdea"),
    "/ideas/{idea_id}/comments": ("createComment",),
    "/join/{token}": "a person joins in a browser, and makes keys for programs there",
    "/me": ("updateMe",),
    "/me/keys": ("createMyKey",),
    "/me/keys/{key_id}/revoke": ("revokeMyKey",),
    "/me/sign-out": ("endMySessions",),
    "/people/invitations": ("createInvitation",),
    "/people/invitations/{invitation_id}/withdraw": ("withdrawInvitation",),
    "/people/{person_id}": ("updatePerson",),
    "/people/{person_id}/remove": ("removePerson",),
    "/people/{person_id}/restore": ("restorePerson",),
    "/people/{person_id}/sign-out": ("endSessions",),
    "/people/{person_id}/revoke-keys": ("revokeKeysOf",),
    "/comments/{comment_id}": ("updateComment",),
    "/comments/{comment_id}/delete": ("deleteComment",),
    "/comments/{comment_id}/restore": ("restoreComment",),
    "/ideas/{idea_id}/status": ("updateIdea",),
    "/ideas/{idea_id}/place": ("placeIdea",),
    "/ideas/{idea_id}/move": ("updateIdea",),
    "/ideas/{idea_id}/delete": ("deleteIdea",),
    "/ideas/{idea_id}/restore": ("restoreIdea",),
    "/ideas/{idea_id}/versions/{number}/restore": ("restoreVersion",),
    "/ideas/{idea_id}/brainstorm": ("brainstorm",),
    "/ideas/{idea_id}/refine": ("refine",),
    "/ideas/{idea_id}/evaluate": ("evaluate",),
    "/runs/{run_id}/stop": ("cancelRun",),
    "/runs/{run_id}/again": ("repeatRun",),
    "/runs/{run_id}/more": ("repeatRun",),
    "/runs/{run_id}/keep-all": ("keepSuggestions",),
    "/runs/{run_id}/keep-selected": ("keepSuggestions",),
    "/runs/{run_id}/accept": ("acceptRefinement", "updateIdea"),
    "/runs/{run_id}/reject": ("rejectRefinement",),
    "/runs/{run_id}/reopen/{version}": ("reopenRefinement",),
    "/suggestions/{suggestion_id}/keep": ("keepSuggestion",),
    "/suggestions/{suggestion_id}/discard": ("discardSuggestion",),
    "/suggestions/{suggestion_id}/reopen": ("reopenSuggestion",),
    "/suggestions/{suggestion_id}/redraw": ("redrawSuggestion",),
    "/suggestions/{suggestion_id}/more": ("brainstorm",),
    "/suggestions/{suggestion_id}/avoid": ("avoidSuggestion",),
    "/import": ("importIdeas",),
    "/import/{token}": ("importIdeas",),
    "/import/{token}/stop": ("stopImport",),
    "/boards/{board_id}/share": ("createSharedLink",),
    "/boards/{board_id}/share/{link_id}/withdraw": ("withdrawSharedLink",),
    "/webhooks": ("createWebhook",),
    "/webhooks/{webhook_id}": ("updateWebhook",),
    "/webhooks/{webhook_id}/switch": ("updateWebhook",),
    "/webhooks/{webhook_id}/test": ("testWebhook",),
    "/webhooks/{webhook_id}/delete": ("deleteWebhook",),
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/retry": ("retryDelivery",),
    "/theme": "a browser remembers it, the server does not",
    "/shortcuts": "a browser remembers it, the server does not",
    "/language": "a browser remembers it, the server does not",
    "/login": "programs send their key with each request",
    "/logout": "programs send their key with each request",
}
# Parameters of `listIdeas` -> their names in the command and in the tool, if those differ.
FILTERS = {
    "tag": ("tag", "tags"),
    "q": ("words", "words"),
    "star": ("star", "starred"),
    "cursor": ("limit", "limit"),
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("document")), FakeBackend())
    with TestClient(app, base_url="http://localhost") as client:
        found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for of_path in document["paths"].values()
        for operation in of_path.values()
    }


def examples_of(content: dict[str, Any]) -> list[Any]:
    several = [one["value"] for one in content.get("examples", {}).values()]
    return several or [content["example"]]


def forms(client: TestClient) -> set[str]:
    app = client.app
    assert isinstance(app, FastAPI)
    return {
        route.path
        for route in iter_route_contexts(app.routes)
        if route.path is not None
        and set(route.methods or ()) - {"GET", "HEAD"}
        and not route.path.startswith(("/api/", "/v1/", "/mcp"))
    }


def test_every_form_of_a_page_has_an_operation_that_does_the_same(
    client: TestClient, document: dict[str, Any]
) -> None:
    known = operations(document)

    assert forms(client) - ACTIONS.keys() == set(), "say in ACTIONS which operation does the same"
    named = {one for same in ACTIONS.values() if isinstance(same, tuple) for one in same}
    assert named - known.keys() == set()


def test_every_operation_has_a_summary_and_examples_that_fit(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation.get("summary"), name
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [
            response.get("content", {})
            for status, response in operation["responses"].items()
            if status.startswith("2")
        ]
        for content in (one["application/json"] for one in contents if "application/json" in one):
            assert content.keys() & {"example", "examples"}, name
            for example in examples_of(content):
                schema = {**content["schema"], "components": document["components"]}
                Draft202012Validator(schema).validate(example)


def test_the_import_examples_can_be_imported(client: TestClient, document: dict[str, Any]) -> None:
    content = operations(document)["importIdeas"]["requestBody"]["content"]

    for kind, body in content.items():
        if kind == "application/json":
            response = client.post("/api/v1/import", json=body["example"])
        else:
            headers = {"content-type": kind}
            response = client.post("/api/v1/import", content=body["example"], headers=headers)
        assert response.status_code == 200, (kind, response.text)
        assert response.json()["added"]["ideas"] or response.json()["already_there"]["ideas"]


@pytest.mark.parametrize("name", ["brainstorm", "refine", "evaluate", "createIdea", "createBoard"])
def test_the_examples_of_an_operation_work(
    client: TestClient, document: dict[str, Any], name: str
) -> None:
    path = next(
        path
        for path, of_path in document["paths"].items()
        for operation in of_path.values()
        if operation["operationId"] == name
    )
    content = operations(document)[name]["requestBody"]["content"]["application/json"]

    for example in examples_of(content):
        assert client.post(path, json=example).status_code in (200, 201, 404), example


def filters(document: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operations(document)["listIdeas"]["parameters"]}


def test_commands_filter_and_sort_ideas_as_rest_does(document: dict[str, Any]) -> None:
    options = vars(build_parser().parse_args(["ideas", "search", "soup"]))

    assert {FILTERS.get(name, (name, ""))[0] for name in filters(document)} <= options.keys()


def test_assistants_filter_and_sort_ideas_as_rest_does(
    settings: Settings, document: dict[str, Any]
) -> None:
    server: MCPServer[Any] = build(PersistentConnection(settings))
    tool = next(one for one in server._tool_manager.list_tools() if one.name == "find_ideas")
    arguments = inspect.signature(tool.fn).parameters

    assert {FILTERS.get(name, ("", name))[1] for name in filters(document)} <= arguments.keys()
