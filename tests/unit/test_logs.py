"""How the lines of a server's log look."""

import json
import logging
import re
import sys

import pytest

from service.logs import REQUEST_ID, JsonFormatter, StandardError, TextFormatter


def record(message: str = "The %s is full", *, fails: bool = False) -> logging.LogRecord:
    error = None
    if fails:
        try:
            raise ValueError("no room")
        except ValueError:
            error = sys.exc_info()
    return logging.LogRecord("service.store", logging.WARNING, "x.py", 1, message, ("disk",), error)


def test_a_line_has_time_level_and_name() -> None:
    line = TextFormatter().format(record())

    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING service\.store: The disk is full", line
    )


def test_a_line_names_the_request_that_caused_it() -> None:
    token = REQUEST_ID.set("4711")
    try:
        text, entry = (one().format(record()) for one in (TextFormatter, JsonFormatter))
    finally:
        REQUEST_ID.reset(token)

    assert text.endswith("The disk is full [request 4711]")
    assert json.loads(entry)["request_id"] == "4711"


def test_json_is_one_object_in_one_line() -> None:
    line = JsonFormatter().format(record("The %s is\nfull", fails=True))

    assert "\n" not in line
    entry = json.loads(line)
    assert entry.keys() == {"time", "level", "logger", "message", "traceback"}
    assert (entry["level"], entry["message"]) == ("warning", "The disk is\nfull")
    assert "ValueError: no room" in entry["traceback"]


def test_a_text_line_is_followed_by_the_traceback() -> None:
    assert TextFormatter().format(record(fails=True)).splitlines()[-1] == "ValueError: no room"


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_without_a_request_none_is_named(formatter: type[logging.Formatter]) -> None:
    assert "request" not in formatter().format(record())


def test_lines_go_to_what_standard_error_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    handler = StandardError()
    handler.setFormatter(TextFormatter())

    handler.emit(record())

    assert capsys.readouterr().err.endswith("The disk is full\n")
