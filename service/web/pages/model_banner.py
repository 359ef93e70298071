"""The banner about missing or loading models, which pages reload while models load."""

from fastapi import APIRouter, Request, Response

from service.web.abilities import abilities
from service.web.dependencies import BackendDep
from service.web.pages.responses import redirect, render, targets_element

router = APIRouter()


@router.get("/models")
def show_models(request: Request, backend: BackendDep) -> Response:
    if not targets_element(request, "models"):
        return redirect("/")
    return render(request, "shared/_models.html", {"can": abilities(backend), "was_awaited": True})
