"""The page that says what is missing or would be better on the server's machine, and what to do."""

from fastapi import APIRouter, Request, Response

from service.errors import Forbidden
from service.health import CHECKS, State, engine_findings, examine
from service.messages import Text
from service.web.dependencies import BackendDep, SettingsDep
from service.web.guard import check_origin
from service.web.pages.responses import render

# What needs attention comes first.
STATES: dict[State, Text] = {
    "broken": Text("Does not work"),
    "better": Text("Could be better"),
    "ok": Text("All right"),
}
SUBJECTS = {
    "program": Text("Program"),
    "data folder": Text("Data folder"),
    "memory": Text("Memory"),
    "processor": Text("Processor"),
    "library": Text("Library"),
    "models": Text("Models"),
    "engines": Text("Engines"),
    "idea bank": Text("Idea bank"),
    "keys": Text("Keys"),
    "database": Text("Database"),
    "servers": Text("Servers"),
    "proxy": Text("Proxy"),
}
router = APIRouter(prefix="/help")


@router.get("/doctor")
def show_findings(request: Request, settings: SettingsDep, backend: BackendDep) -> Response:
    # It takes a second of work, which a page of another site must not be able to ask for.
    check_origin(request.headers)
    if not settings.shows_itself:
        raise Forbidden(
            Text(
                "This server asks nobody for a key, so its pages do not show how it is set up. Run "
                "“ideapool doctor” on its machine."
            )
        )
    checks = {**CHECKS, "engines": lambda _: engine_findings(backend.stats().engines)}
    findings = sorted(examine(settings, checks), key=lambda one: list(STATES).index(one.state))
    return render(
        request,
        "shared/doctor.html",
        {"findings": findings, "states": STATES, "subjects": SUBJECTS},
    )
