"""`ideapool models`: lists, fetches and verifies model files, and changes the set that is served."""

import argparse
import asyncio
import sys

from service.api_client.rest import Rest
from service.cli.connection.connect import add_talk
from service.cli.progress import ProgressLine
from service.errors import ServerRefused
from service.settings import Settings

# Importing the engine takes long, so only the functions that need it do: `models --help` should not wait.

POLL_S = 0.5


def add_actions(parser: argparse.ArgumentParser) -> None:
    models = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("list", list_models, "list the models of the catalog"),
        ("fetch", fetch_models, "download the models that are served and build what they need"),
        ("verify", verify_models, "check the files against their hashes"),
    ):
        models.add_parser(name, help=text).set_defaults(command=command)
    use = models.add_parser("use", help="serve another set of the catalog, without a restart")
    use.add_argument("set", metavar="SET", help="the name of the set")
    add_talk(use, _use, needs_models=True)


async def _use(rest: Rest, options: argparse.Namespace) -> int:
    await rest.call("PUT", "/models/served", body={"name": options.set})
    progress = ProgressLine(sys.stderr)
    try:
        while (change := (await rest.get("/models"))["change"]) is not None:
            if change["phase"] == "failed":
                raise ServerRefused(change["error"])
            progress.tell(options.set, change["phase"], f" ({change['progress']:.0%})")
            await asyncio.sleep(POLL_S)
    finally:
        progress.close()
    print(f"{options.set} is served from now on.")
    return 0


def list_models(settings: Settings, _options: argparse.Namespace) -> int:
    from service.backend import catalog, selection
    from service.engine.files.build import availability

    served = selection(settings).models
    models = catalog(settings).model
    width = max(len(model.name) for model in models)
    set_width = max(len(model.set or "-") for model in models)
    for model in models:
        state = availability(model, settings.models_dir) + (", untried" if model.untried else "")
        mark = "*" if model in served else " "
        print(
            f"{mark} {model.name:{width}} {model.set or '-':{set_width}} {', '.join(model.roles):22} {state}"
        )
    print("* served with the current settings")
    if any(model.untried for model in models):
        print("untried: nobody of this project has run the file; its hash decides what is fetched")
    return 0


def fetch_models(settings: Settings, _options: argparse.Namespace) -> int:
    from service.backend import selection, sources
    from service.engine.files.build import fetch_and_build

    if settings.engine_url is not None:
        print("IDEAPOOL_ENGINE_URL is set, so that server's models are used. Nothing to fetch.")
        return 0
    for model in selection(settings).models:
        line = ProgressLine(sys.stderr)
        fetch_and_build(model, settings.models_dir, sources(settings), line.show)
        line.close()
    return 0


def verify_models(settings: Settings, _options: argparse.Namespace) -> int:
    from service.backend import selection
    from service.engine.files.build import verify_files

    for model in selection(settings).models:
        for line in verify_files(model, settings.models_dir):
            print(f"{model.name}: {line}")
    return 0
