"""`ideapool models`: lists, fetches and verifies model files."""

import argparse
import sys
from typing import Any

from service.backend import catalog, selection
from service.cli.progress import ProgressLine
from service.engine.files.build import availability, fetch_and_build, verify_files
from service.settings import Settings


def add_to(commands: Any) -> None:
    models = commands.add_parser("models", help="manage model files").add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, command, text in (
        ("list", list_models, "list the models of the catalog"),
        ("fetch", fetch_models, "download the models that are served and build what they need"),
        ("verify", verify_models, "check the files against their hashes"),
    ):
        models.add_parser(name, help=text).set_defaults(command=command)


def list_models(settings: Settings, _options: argparse.Namespace) -> int:
    served = selection(settings).models
    models = catalog(settings).model
    width = max(len(model.name) for model in models)
    for model in models:
        state = availability(model, settings.models_dir)
        mark = "*" if model in served else " "
        print(
            f"{mark} {model.name:{width}} {model.set or '-':10} {', '.join(model.roles):22} {state}"
        )
    print("* served with the current settings")
    return 0


def fetch_models(settings: Settings, _options: argparse.Namespace) -> int:
    if settings.engine_url is not None:
        print("IDEAPOOL_ENGINE_URL is set, so that server's models are used. Nothing to fetch.")
        return 0
    for model in selection(settings).models:
        line = ProgressLine(sys.stderr)
        fetch_and_build(model, settings.models_dir, hub_url=settings.hub_url, report=line.show)
        line.close()
    return 0


def verify_models(settings: Settings, _options: argparse.Namespace) -> int:
    for model in selection(settings).models:
        for line in verify_files(model, settings.models_dir):
            print(f"{model.name}: {line}")
    return 0
