"""The image of the Dockerfile, built and started as far as that goes without a container engine."""

import os
import shutil
import subprocess
import sys

import pytest

from service.settings import PROJECT_ROOT

# Some machines allow namespaces, but no mounts in them.
MOUNTS = "mount -t tmpfs tmpfs /mnt && mount --bind /usr /mnt && mount -o remount,bind,ro /mnt"
NAMESPACES = ["unshare", "--mount", "--pid", "--net", "--fork", "sh", "-c", MOUNTS]


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_image_starts_serves_and_stops_as_its_dockerfile_says() -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can make the namespaces that stand in for a container")
    if subprocess.run(NAMESPACES, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make namespaces")

    done = subprocess.run(
        [PROJECT_ROOT / ".ci" / "image", "--model", "small"],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for step in (
        "started ideapool serve as 10001:10001, read-only",
        "healthy by its own check",
        "opened the first page",
        "stopped by SIGTERM with status 0",
        "wrote nothing but ideapool.db, ideapool.db.lock in /data",
    ):
        assert step in done.stdout
