"""The unit on the page about systemd is one that systemd understands, and it confines the server."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "operate" / "systemd.md").read_text()
(UNIT,) = re.findall(r"^```ini\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SETTINGS = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    path = tmp_path / "ideapool.service"
    # A unit whose program is missing is refused.
    path.write_text(UNIT.replace(SETTINGS["ExecStart"].split()[0], sys.executable))
    return path


@needs_systemd
def test_systemd_understands_every_line_of_the_unit(unit: Path) -> None:
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )

    assert (told.returncode, told.stderr) == (0, "")


@needs_systemd
def test_the_unit_leaves_the_server_little_to_do_harm_with(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20"]

    told = subprocess.run([*command, unit], capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout


def test_the_unit_keeps_data_where_the_service_may_write() -> None:
    assert SETTINGS["ExecStart"].endswith("/bin/ideapool serve")
    assert SETTINGS["Environment"] == f"IDEAPOOL_DATA_DIR=/var/lib/{SETTINGS['StateDirectory']}"
    assert SETTINGS["ProtectSystem"] == "strict"
    # Running ideas get their time before systemd kills the server.
    assert int(SETTINGS["TimeoutStopSec"]) > 15
