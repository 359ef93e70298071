"""The page of a command line, from its argparse parser.

Usage lines are composed here: argparse words and wraps its own otherwise in each version of Python.
"""

import argparse
from collections.abc import Iterator

from docs.generate.markdown import code, fenced, page, sentence, table


def command_page(parser: argparse.ArgumentParser, *, title: str) -> str:
    parts = [sentence(parser.description or ""), sentence(parser.epilog or "")]
    for depth, help_text, command in _commands(parser, 2):
        parts += [
            f"{'#' * depth} {code(command.prog)}",
            sentence(help_text),
            *_command(command),
        ]
    return page(title, *parts)


def _commands(
    parser: argparse.ArgumentParser, depth: int
) -> Iterator[tuple[int, str, argparse.ArgumentParser]]:
    """Depth of the heading, help and parser of every command, in the order of the help."""
    for action in _subparsers(parser):
        # argparse keeps the help of a command apart from its parser.
        help_texts = {one.dest: one.help or "" for one in action._choices_actions}
        for name, command in action.choices.items():
            yield depth, help_texts.get(name, ""), command
            yield from _commands(command, depth + 1)


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    if any(_subparsers(parser)):
        return
    arguments = [one for one in parser._actions if not one.option_strings]
    options = [one for one in parser._actions if one.option_strings and one.dest != "help"]
    needed = [one for one in options if one.required]
    usage = [
        parser.prog,
        *(_placeholder(one) for one in arguments),
        *(f"{one.option_strings[0]} {_value(one)}" for one in needed),
        *(["[options]"] if len(options) > len(needed) else []),
    ]
    yield fenced("text", " ".join(usage))
    yield table(("argument", "meaning"), [(code(_value(one)), _meaning(one)) for one in arguments])
    yield table(("option", "meaning"), [(_option(one), _meaning(one)) for one in options])


def _subparsers(
    parser: argparse.ArgumentParser,
) -> "list[argparse._SubParsersAction[argparse.ArgumentParser]]":
    return [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]


def _placeholder(action: argparse.Action) -> str:
    value = _value(action)
    if action.nargs == "?":
        return f"[{value}]"
    if action.nargs in ("+", "*"):
        return f"{value}…"
    return value


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return action.dest.upper().replace("_", "-")


def _option(action: argparse.Action) -> str:
    takes_value = action.nargs != 0 and not isinstance(action, argparse.BooleanOptionalAction)
    names = [
        f"{name} {_value(action)}" if takes_value and name.startswith("--") else name
        for name in action.option_strings
    ]
    return ", ".join(map(code, names))


def _meaning(action: argparse.Action) -> str:
    values = {**vars(action), "default": action.default}
    text = sentence((action.help or "") % values) if action.help else ""
    choices = ", ".join(code(str(one)) for one in action.choices or ())
    # Some help names its choices itself.
    is_told = all(str(one) in (action.help or "") for one in action.choices or ())
    return f"{text} One of {choices}." if choices and not is_told else text
