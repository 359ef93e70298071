"""The banner about models that are missing or getting ready, as a page asks for it again."""

from fastapi import APIRouter, Request, Response

from service.web.abilities import abilities
from service.web.dependencies import BackendDep
from service.web.pages.responses import is_part, redirect, render

router = APIRouter()


@router.get("/models")
def show_models(request: Request, backend: BackendDep) -> Response:
    if not is_part(request, "models"):
        return redirect("/")
    return render(request, "shared/_models.html", {"can": abilities(backend), "was_awaited": True})
