"""The files that `docker build` puts into the image are enough to serve the pages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.docker_context import Context
from tests.support.dockerfile import read

ROOT = Path(__file__).resolve().parents[2]
SERVE = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from service.app import create_app
from service.settings import PROJECT_ROOT, Settings
from tests.support.fake_backend import FakeBackend

assert PROJECT_ROOT == Path.cwd(), PROJECT_ROOT
app = create_app(Settings(data_dir=Path(sys.argv[1])), FakeBackend())
with TestClient(app, "http://localhost") as client:
    page = client.get("/", headers={"Accept-Language": "sv"})
    assert page.status_code == 200, page.text
    assert '<html lang="sv"' in page.text and "Idéer" in page.text
    assert client.get("/static/app.css").status_code == 200
"""


def test_the_image_serves_its_pages_in_every_language(tmp_path: Path) -> None:
    image = tmp_path / "app"
    lay_out(image)
    done = subprocess.run(
        [sys.executable, "-c", SERVE, tmp_path / "data"],
        cwd=image,
        # The service is the image's; the tests stand behind it.
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{image}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert done.returncode == 0, done.stderr


def lay_out(image: Path) -> None:
    stage = read((ROOT / "Dockerfile").read_text()).stages[-1]
    sent = list(Context((ROOT / ".dockerignore").read_text()).files(ROOT))
    for source, target in stage.copied():
        for path in sent:
            if path == source or path.startswith(f"{source}/"):
                place = image / f"{target}{path.removeprefix(source)}"
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, place)
