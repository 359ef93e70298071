"""A client that a generator made from the OpenAPI document, against a running server."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.settings import Settings
from tests.support.app_server import served
from tests.support.fake_backend import FakeBackend


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("document"))
    found: dict[str, Any] = create_app(settings, FakeBackend()).openapi()
    return found


@pytest.fixture(scope="module")
def package(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text("post_hooks: []\n")
    options = "generate --path openapi.json --config config.yaml --meta none --output-path ideapool_client"
    generator = str(Path(sys.executable).with_name("openapi-python-client"))
    subprocess.run([generator, *options.split()], cwd=folder, check=True)
    sys.path.insert(0, str(folder))
    yield folder / "ideapool_client"
    sys.path.remove(str(folder))


def test_every_operation_becomes_a_function(document: dict[str, Any], package: Path) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]
    made = {
        path.stem.replace("_", "") for path in package.glob("api/*/*.py") if path.stem != "__init__"
    }

    assert {one["operationId"].lower() for one in operations} == made


def test_the_generated_client_brainstorms_and_keeps(package: Path, settings: Settings) -> None:
    def module(name: str) -> Any:
        return importlib.import_module(f"{package.name}.{name}")

    with served(create_app(settings, FakeBackend())) as url, ExitStack() as stack:
        client = stack.enter_context(module("client").Client(base_url=url))
        task = module("models").BrainstormTaskType0.from_dict({"topic": "a street party", "n": 2})
        answer = module("api.actions.brainstorm").sync(client=client, body=task)
        kept = module("api.suggestions.keep_suggestion").sync(
            answer.suggestions[0].id, client=client, body=module("models").SuggestionKeep()
        )
        missing = module("api.ideas.get_idea").sync("no-such-idea", client=client)

    assert len(answer.suggestions) == 2
    assert kept.title == answer.suggestions[0].title
    assert (missing.status, missing.type_) == (404, "/problems/not-found")


def test_the_document_names_its_server_its_key_and_its_tags(document: dict[str, Any]) -> None:
    assert document["servers"][0]["url"] == "/"
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert {} in document["security"]
    assert all(one["description"] for one in document["tags"])
