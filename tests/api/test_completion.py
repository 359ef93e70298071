"""`ideapool completion` prints a script with which the shell itself completes commands and options."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli.main import main

BASH = """
source ./ideapool.bash
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_shtab_ideapool "" "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = "source ./ideapool.fish; complete --do-complete {line}"
# Words as they are typed, and what the last one becomes.
CASES = [
    (["bra"], {"brainstorm"}),
    (["brainstorm", "--met"], {"--method"}),
    (["brainstorm", "--method", "sca"], {"scamper"}),
    (["ideas", "se"], {"search"}),
    (["ideas", "list", "--del"], {"--deleted"}),
    (["export", "--format", "c"], {"csv"}),
    (["completion", "z"], {"zsh"}),
    (["import", "no"], {"notes.md"}),
]


def print_script(shell: str, to: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    to.write_text(capsys.readouterr().out)


def answer(command: list[str], folder: Path) -> list[str]:
    (folder / "notes.md").touch()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(("words", "completed"), CASES, ids=lambda one: " ".join(one))
def test_bash_completes_commands_options_and_values(
    words: list[str], completed: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_script("bash", tmp_path / "ideapool.bash", capsys)
    typed = shlex.join(["ideapool", *words])

    told = answer(["bash", "--norc", "-c", BASH.format(words=typed)], tmp_path)

    assert set(told) == completed


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(("words", "completed"), CASES, ids=lambda one: " ".join(one))
def test_fish_completes_commands_options_and_values(
    words: list[str], completed: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_script("fish", tmp_path / "ideapool.fish", capsys)
    typed = shlex.join(["ideapool", *words])
    lines = FISH.format(line=shlex.quote(typed))

    told = answer(["fish", "--no-config", "-c", lines], tmp_path)

    # A tab divides a word from its explanation.
    assert {line.partition("\t")[0] for line in told} == completed


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_script("zsh", tmp_path / "_ideapool", capsys)
    loads = "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; whence -w _ideapool; print $_comps[ideapool]"

    assert answer(["zsh", "-f", "-c", loads], tmp_path) == ["_ideapool: function", "_ideapool"]


def test_no_other_command_loads_what_writes_the_script() -> None:
    parsed = "from service.cli.main import build_parser; build_parser(); import sys; print('shtab' in sys.modules)"

    told = subprocess.run(
        [sys.executable, "-c", parsed], capture_output=True, text=True, check=True
    )

    assert told.stdout == "False\n"
