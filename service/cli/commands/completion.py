"""`ideapool completion`: prints what makes a shell complete commands and options."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from service.cli.printing import line
from service.settings import Settings

SHELLS = ("bash", "zsh", "fish")
NOTES = """To try it in this shell, or to keep it for new ones:
  bash  source <(ideapool completion bash)
        ideapool completion bash > ~/.local/share/bash-completion/completions/ideapool
  zsh   ideapool completion zsh > ~/.zfunc/_ideapool, with ~/.zfunc in fpath before compinit
  fish  ideapool completion fish > ~/.config/fish/completions/ideapool.fish"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = NOTES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads the script")
    parser.set_defaults(command=_print)


def _print(_: Settings, options: argparse.Namespace) -> int:
    # The other commands do without it.
    import shtab

    from service.cli.main import build_parser

    parser = build_parser()
    for action in _actions(parser):
        if action.type is Path or action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    line(shtab.complete(parser, options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments and options of the parser and of all its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
