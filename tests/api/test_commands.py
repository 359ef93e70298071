"""The commands as a person types them: against a server, and without one."""

import asyncio
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient

from service import __version__
from service.api_client.rest import Rest
from service.app import create_app
from service.cli.commands import COMMANDS
from service.cli.connection.own_server import listening, own_server
from service.cli.main import main
from service.errors import EngineCrashed, ServerRefused
from service.prompts.answers import brainstorm_answer
from service.settings import PROJECT_ROOT, Settings
from tests.support.app_server import free_port, served
from tests.support.fake_backend import IDEAS, PASSAGE, Broken, FakeBackend

TOPIC = ["brainstorm", "a street party"]
EVENT_STREAM = [(b"content-type", b"text/event-stream")]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status, standard output and standard error of a command that talks to the server."""
    monkeypatch.setenv("IDEAPOOL_URL", url)
    return call_with(capsys)


@pytest.fixture
def alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The same where no server runs."""
    monkeypatch.setenv("IDEAPOOL_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("IDEAPOOL_PORT", str(free_port()))
    return call_with(capsys)


def call_with(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def of(run: Run, *arguments: str) -> Any:
    status, out, err = run(*arguments, "--json")
    assert status == 0, err
    return json.loads(out)


def command(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"IDEAPOOL_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_brainstorm_prints_numbered_ideas_with_the_ids_that_keep_takes(run: Run) -> None:
    status, out, err = run(*TOPIC, "--n", "3")

    lines = out.splitlines()
    assert status == 0
    assert [text.partition(".")[0] for text in lines if text[:1].isdigit()] == ["1", "2", "3"]
    suggestion = lines[2].strip().partition(" ")[0]
    assert "ideapool keep" in err
    assert run("keep", suggestion)[0] == 0
    assert [idea["title"] for idea in of(run, "ideas", "list")] == [lines[0].removeprefix("1. ")]


def test_a_brainstorm_that_lacks_ideas_prints_those_it_has_and_says_so(
    run: Run, backend: FakeBackend
) -> None:
    backend.replies.extend([brainstorm_answer(*IDEAS[0])] * 6)

    status, out, err = run(*TOPIC, "--n", "2")

    assert status == 0
    assert out.startswith(f"1. {IDEAS[0][0]}")
    assert "The model found nothing new. 5 repeats and 0 unusable drafts were left out." in err


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    script = (
        "import atexit, sys; from service.cli.main import main;"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"IDEAPOOL_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
    )
    return set(done.stderr.splitlines()[-1].split())


# What takes a tenth of a second or more, and what only the app needs.
OF_CLIENTS = {"asyncio", "httpx2", "pydantic", "pydantic_settings"}
OF_THE_APP = {"alembic", "fastapi", "llama_cpp", "mcp", "numpy", "sqlalchemy", "uvicorn"}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_wait_for_neither_settings_nor_app(option: str) -> None:
    assert not loaded_by(option) & (OF_CLIENTS | OF_THE_APP)


@pytest.mark.parametrize("arguments", [["ideas", "list"], ["boards"], ["brainstorm", "soup"]])
def test_a_command_that_asks_a_server_does_not_import_the_app(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)

    assert loaded >= OF_CLIENTS
    assert not loaded & OF_THE_APP


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])

    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: ideapool {name} [-h] ")


def test_a_misspelt_command_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["brainstrom", "soup"])

    told = capsys.readouterr().err
    assert end.value.code == 2
    assert all(name in told for name in ("brainstrom", *COMMANDS))


def test_the_name_of_a_command_can_be_an_argument_of_another(run: Run) -> None:
    assert of(run, "ideas", "add", "keep")["title"] == "keep"


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])

    assert end.value.code == 0
    assert capsys.readouterr().out == f"Ideapool {__version__}\n"


def test_suggestions_are_printed_as_they_come(url: str, backend: FakeBackend) -> None:
    backend.delay_s = 0.02

    with command(url, *TOPIC, "--n", "10") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        run = httpx2.get(f"{url}/api/v1/runs").json()[0]
        rest, _ = process.communicate()

    assert first.startswith("1. ")
    assert run["status"] == "running"
    assert "\n10. " in rest


def test_ctrl_c_stops_the_run_and_frees_the_model(url: str, backend: FakeBackend) -> None:
    backend.delay_s = 0.02

    with command(url, *TOPIC, "--n", "12") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    while (ended := httpx2.get(f"{url}/api/v1/runs").json()[0])["status"] == "running":
        time.sleep(0.01)

    assert process.returncode == 130
    assert err == ""
    assert not backend.running
    assert ended["status"] == "cancelled"


def test_a_reader_that_closes_the_pipe_early_causes_no_traceback(
    url: str, backend: FakeBackend
) -> None:
    backend.delay_s = 0.02

    with command(url, *TOPIC, "--n", "10") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()

    assert process.returncode == 1
    assert "Traceback" not in err


def test_the_options_of_a_brainstorm_reach_the_model(run: Run) -> None:
    run("ideas", "add", "x")
    board = of(run, "boards")[0]
    options = ["--method", "scamper", "--context", "no cars", "--seed", "5", "--creativity", "0.9"]

    answer = of(run, *TOPIC, "--n", "2", "--board", board["name"].upper(), *options)

    exported = json.loads(run("export")[1])
    asked = next(one for one in exported["runs"] if one["id"] == answer["run_id"])
    wanted = {
        "topic": "a street party",
        "n": 2,
        "board_id": board["id"],
        "method": "scamper",
        "context": "no cars",
        "creativity": 0.9,
        "seed": 5,
    }
    assert asked["request"] == asked["request"] | wanted


def test_json_output_is_the_answer_of_the_api(run: Run) -> None:
    text = ["--title", "Tool shelf", "--body", "Neighbours lend drills."]

    suggestions = of(run, *TOPIC, "--n", "2")["suggestions"]
    refined = of(run, "refine", *text, "--instruction", "shorter")
    evaluated = of(run, "evaluate", *text, "--criteria", "novelty, fun")

    assert len(suggestions) == 2
    assert {"run_id", "title", "body", "changes", "usage", "timing"} <= refined.keys()
    assert evaluated["scores"].keys() == {"novelty", "fun"}


def test_kept_ideas_of_a_brainstorm_are_on_the_board(run: Run) -> None:
    assert run(*TOPIC, "--n", "3", "--keep")[0] == 0

    assert len(of(run, "ideas", "list")) == 3


def test_a_refinement_changes_the_idea_only_if_it_is_accepted(run: Run) -> None:
    idea = of(run, "ideas", "add", "tool shelf")["id"]
    status, out, _ = run("refine", idea)
    before = of(run, "ideas", "show", idea)
    run("refine", idea, "--accept")
    after = of(run, "ideas", "show", idea)

    assert status == 0
    assert out.startswith(f"{after['title']}\n\n")
    assert "The model's own note, not checked:\n  - " in out
    assert (before["title"], before["version"]) == ("tool shelf", 1)
    assert (after["title"] != "tool shelf", after["version"]) == (True, 2)


def test_only_a_passage_is_refined(run: Run) -> None:
    text = ("--title", "Shelf", "--body", "One. Two drills. Three.")

    answer = of(run, "refine", *text, "--only", "Two drills.")
    status, _, error = run("refine", *text, "--only", "Four.")

    assert answer["body"] == f"One. {PASSAGE[0]} Three."
    assert status == 2
    assert "This passage is not in the text." in error


def test_an_evaluation_shows_bars_and_says_that_scores_are_rough(run: Run) -> None:
    idea = of(run, "ideas", "add", "tool shelf")["id"]

    status, out, _ = run("evaluate", idea)

    assert status == 0
    assert "█" in out
    assert "±" in out
    assert "not calibrated" in out
    assert "`ideapool calibrate`" in out
    assert "Next step: " in out
    assert "Evaluation: novelty " in run("ideas", "show", idea)[1]


def test_ideas_are_added_changed_found_deleted_and_brought_back(run: Run) -> None:
    made = of(run, "ideas", "add", "Tool shelf", "--body", "Drills.", "--tag", "home", "--star")
    run("ideas", "add", "Soup", "--status", "kept")
    changed = of(run, "ideas", "edit", made["id"], "--title", "Shelf", "--no-star", "--tag", "")

    assert (changed["title"], changed["body"]) == ("Shelf", "Drills.")
    assert (changed["star"], changed["tags"]) == (False, [])
    assert [idea["title"] for idea in of(run, "ideas", "search", "drill")] == ["Shelf"]
    assert [idea["title"] for idea in of(run, "ideas", "list", "--status", "kept")] == ["Soup"]
    assert "ideas restore" in run("ideas", "delete", made["id"])[2]
    assert len(of(run, "ideas", "list")) == 1
    assert run("ideas", "restore", made["id"])[0] == 0
    assert run("ideas", "show", made["id"])[1].startswith("Shelf\n")


def test_comments_are_added_changed_listed_deleted_and_brought_back(run: Run) -> None:
    idea = of(run, "ideas", "add", "Tool shelf")["id"]
    made = of(run, "comments", "add", idea, "Who pays?")
    changed = of(run, "comments", "edit", made["id"], "Who pays for it?")

    assert [one["id"] for one in of(run, "comments", "list", idea)] == [made["id"]]
    assert changed["body"] == "Who pays for it?"
    assert "comments restore" in run("comments", "delete", made["id"])[2]
    assert of(run, "comments", "list", idea) == []
    assert "Who pays for it?" in run("comments", "restore", made["id"])[1]
    assert run("comments", "list", idea)[1].count("edited") == 1


def test_an_idea_is_liked_and_the_like_is_taken_back(run: Run) -> None:
    idea = of(run, "ideas", "add", "Tool shelf")["id"]

    assert "likes: 1" in run("like", idea)[1]
    assert of(run, "ideas", "list", "--sort", "likes")[0]["liked"] is True
    assert "likes: 0" in run("like", idea, "--undo")[1]


def test_starred_ideas_are_listed_or_left_out(run: Run) -> None:
    run("ideas", "add", "Soup", "--star")
    run("ideas", "add", "Chalk")

    assert [idea["title"] for idea in of(run, "ideas", "list", "--star")] == ["Soup"]
    assert [idea["title"] for idea in of(run, "ideas", "list", "--no-star")] == ["Chalk"]


def test_votes_make_a_ranking_that_is_shown_and_exported(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for title in ("Soup", "Chalk", "Lanterns"):
        run("ideas", "add", title)
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n=\nu\nwhat\ns\n2\nq\n"))

    status, asked, told = run("rank", "vote")
    _, shown, by = run("rank", "show")

    assert (status, asked.count("1. ")) == (0, 7)
    assert "was undone" in told
    assert "Please answer" in told
    assert "2 votes." in told
    assert len(shown.splitlines()) == 3
    assert shown.startswith("  1  ")
    assert "2 comparisons by people" in by
    assert run("rank", "show", "--format", "csv")[1].startswith("rank,title,")
    assert json.loads(run("rank", "show", "--format", "json")[1])["comparisons"] == 2


def test_an_idea_is_evaluated_by_a_rubric_that_is_named(run: Run, url: str) -> None:
    idea = of(run, "ideas", "add", "Soup")
    rubrics = f"{url}/api/v1/boards/{idea['board_id']}/rubrics"
    rubric = {"name": "For the street", "criteria": [{"name": "cost"}]}
    httpx2.post(rubrics, json=rubric).raise_for_status()

    judged = of(run, "evaluate", idea["id"], "--rubric", "for the street")
    status, _, err = run("evaluate", idea["id"], "--rubric", "another")

    assert list(judged["scores"]) == ["cost"]
    assert (status, "rubrics are: 'For the street'" in err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [(*TOPIC, "--n", "1"), ("refine", "--title", "Soup"), ("evaluate", "--title", "Soup")],
    ids=lambda arguments: arguments[0],
)
def test_a_command_can_ask_for_a_language(run: Run, url: str, arguments: tuple[str, ...]) -> None:
    answer = of(run, *arguments, "--language", "sv")

    prompts = httpx2.get(f"{url}/api/v1/runs/{answer['run_id']}").text

    assert "Write all of it in Swedish." in prompts


def test_comparisons_of_the_model_are_printed_as_they_arrive(run: Run) -> None:
    run("ideas", "add", "Soup")
    run("ideas", "add", "Chalk", "--body", "A much longer text.")

    status, out, err = run("rank", "compare", "--pairs", "3")

    assert (status, out) == (0, "“Chalk” before “Soup”\n")
    assert "weak signal" in err
    assert run("rank", "show", "--by", "model")[1].startswith("  1  Chalk · ")
    assert run("rank", "compare")[0] == 1


def test_a_board_without_two_ideas_has_nothing_to_vote_on(run: Run) -> None:
    status, out, err = run("rank", "vote")

    assert (status, out) == (0, "")
    assert "0 votes." in err


def test_a_list_continues_over_pages_up_to_its_limit(run: Run, url: str) -> None:
    with httpx2.Client(base_url=url) as http:
        for number in range(103):
            http.post("/api/v1/ideas", json={"title": f"idea {number}"})

    whole = of(run, "ideas", "list", "--limit", "1000", "--sort", "old")
    _, out, err = run("ideas", "list", "--limit", "101")

    assert [idea["title"] for idea in whole] == [f"idea {number}" for number in range(103)]
    assert len(out.splitlines()) == 101
    assert "more than 101" in err


def test_an_export_is_imported_elsewhere_and_importing_twice_adds_nothing(
    run: Run, tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "ideas.json"
    run("ideas", "add", "Tool shelf")
    assert run("export", "-o", str(file))[:2] == (0, "")
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})

    with served(create_app(elsewhere, FakeBackend())) as url:
        first = of(run, "import", str(file), "--url", url)
        _, again, _ = run("import", str(file), "--url", url)

    assert first["added"]["ideas"] == 1
    assert again.startswith("Added: nothing\nUnchanged: ")


@pytest.mark.parametrize(("format", "begins"), [("markdown", "# "), ("csv", "id,board,")])
def test_an_export_to_read_is_printed(run: Run, format: str, begins: str) -> None:
    assert run("export", "--format", format)[1].startswith(begins)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["ideas", "show", "nobody"], 1, "The idea nobody does not exist or was deleted."),
        ([*TOPIC, "--n", "0"], 2, "/n: "),
        ([*TOPIC, "--idea", "x"], 2, "either a topic or --idea"),
        (["brainstorm"], 2, "either a topic or --idea"),
        ([*TOPIC, "--board", "nowhere"], 2, "no board 'nowhere'. The boards are: "),
        (["refine"], 2, "either an IDEA_ID or --title"),
        (["refine", "--title", "x", "--accept"], 2, "needs an IDEA_ID"),
        (["evaluate", "x", "--title", "y"], 2, "either an IDEA_ID or --title"),
        (["evaluate", "--title", "y", "--rubric", "z"], 2, "needs an IDEA_ID"),
        (["evaluate", "x", "--criteria", "y", "--rubric", "z"], 2, "either --criteria or --rubric"),
        (["ideas", "edit", "x"], 2, "what to change"),
        (["ideas", "list", "--limit", "0"], 2, "1 or more"),
        (["import", "/no/such/file"], 1, "cannot be read"),
        (["export", "-o", "/no/such/folder/x"], 1, "cannot be written"),
        (["boards", "--url", "nonsense"], 2, "IDEAPOOL_URL: "),
        (["boards", "--url", "http://127.0.0.1:9"], 1, "http://127.0.0.1:9 does not answer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_failure_says_why_and_its_status_says_whose_fault_it_is(
    run: Run, arguments: list[str], status: int, says: str
) -> None:
    found, out, err = run(*arguments)

    assert (found, out) == (status, "")
    assert err.startswith("ideapool: ")
    assert says in err


def test_an_unknown_option_exits_with_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ideas", "list", "--nonsense"])

    assert ended.value.code == 2


@pytest.mark.parametrize(
    "failure", [EngineCrashed("The model died."), Broken("Title: So", EngineCrashed("It died."))]
)
def test_a_failed_run_prints_the_error_of_the_server(
    run: Run, backend: FakeBackend, failure: Any
) -> None:
    backend.replies.append(failure)

    status, out, err = run("refine", "--title", "Tool shelf")

    assert (status, out) == (1, "")
    assert "died." in err


def test_a_missing_key_is_reported_and_the_option_gives_one(
    settings: Settings, alone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = settings.model_copy(update={"require_key": True})
    app = create_app(locked, FakeBackend())
    with served(app) as url:
        key = app.state.store.keys.create("test")
        refused = alone("boards", "--url", url)
        admitted = alone("boards", "--url", url, "--key", key)
        monkeypatch.setenv("IDEAPOOL_KEY", key)

        assert alone("boards", "--url", url)[0] == 0

    assert refused[0] == 1
    assert "IDEAPOOL_KEY" in refused[2]
    assert admitted[0] == 0


def test_without_a_server_the_commands_use_the_database_themselves(alone: Run) -> None:
    made = of(alone, "ideas", "add", "Tool shelf")
    _, out, err = alone("ideas", "list")

    assert out.startswith(made["id"])
    assert "No server answers at http://127.0.0.1:" in err


def test_a_command_on_the_database_itself_needs_no_key(
    alone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAPOOL_REQUIRE_KEY", "true")

    assert alone("boards")[0] == 0


def test_a_database_that_a_server_uses_elsewhere_is_left_alone(alone: Run, url: str) -> None:
    status, _, err = alone("ideas", "add", "Tool shelf")

    assert status == 1
    assert f"process {os.getpid()} (`" in err
    assert "--url" in err
    assert alone("ideas", "add", "Tool shelf", "--url", url)[0] == 0


@pytest.mark.usefixtures("url")
def test_a_second_server_on_one_database_does_not_start_and_names_the_first(alone: Run) -> None:
    status, out, err = alone("serve")

    assert (status, out) == (1, "")
    assert f"in use by process {os.getpid()} (`" in err
    assert "Stop it first" in err


def test_a_server_does_not_start_while_a_command_uses_the_database(
    alone: Run, settings: Settings
) -> None:
    async def story() -> tuple[int, str, str]:
        async with own_server(settings, needs_models=False):
            return alone("serve")

    assert asyncio.run(story())[0] == 1
    assert alone("boards")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "mine"),
        ("keys", "list"),
        ("keys", "revoke", "k1"),
        ("people", "list"),
        ("people", "remove", "p1"),
        ("invite",),
        ("copy-database", "sqlite:////tmp/never-made/new.db"),
        ("restore", __file__),
        ("serve",),
    ],
)
@pytest.mark.usefixtures("url")
def test_a_command_on_the_database_is_refused_while_a_server_has_it(
    alone: Run, arguments: tuple[str, ...]
) -> None:
    status, out, err = alone(*arguments)

    assert (status, out) == (1, "")
    assert f"in use by process {os.getpid()} (`" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("boards",),
        ("export",),
        ("keys", "create", "mine"),
        ("keys", "list"),
        ("people", "list"),
        ("invite",),
        ("copy-database", "sqlite:////tmp/never-made/new.db"),
        ("backup", "never-made.db"),
        ("doctor",),
    ],
)
def test_a_database_of_a_newer_version_is_refused_by_every_command_in_one_sentence(
    alone: Run, migrated: Settings, arguments: tuple[str, ...]
) -> None:
    path = migrated.data_dir / "ideapool.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()

    status, out, err = alone(*arguments)

    told = f"{out}{err}"
    assert status != 0
    assert told.count("ewer version") == 1, told
    assert "Traceback" not in told
    assert path.read_bytes() == before
    assert not Path("never-made.db").exists()


def test_a_server_that_cannot_start_says_why_without_a_trace(
    alone: Run, settings: Settings
) -> None:
    (settings.data_dir / "ideapool.db").mkdir()

    status, _, err = alone("serve")

    assert status == 1
    assert "Is the folder writable?" in err
    assert "Traceback" not in err


def test_a_list_is_imported_after_a_dry_run(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ideas.md"
    file.write_text("Minutes\n\n- Soup\n  - Minestrone\n")

    _, plan, hint = run("import", str(file), "--dry-run", "--nested", "ideas")
    before = of(run, "ideas", "list")
    _, told, left = run("import", str(file), "--nested", "ideas")

    assert plan.splitlines()[:2] == ["add     Soup · My ideas", "add     Minestrone · My ideas"]
    assert "Nothing was imported" in hint
    assert before == []
    assert told.startswith("Added: 2 ideas, 2 versions")
    assert "Left out, line 1: Minutes" in left
    assert len(of(run, "ideas", "list")) == 2


def test_the_format_option_overrides_the_file_name(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("Soup\nChalk\n")

    assert run("import", str(file))[0] == 2
    assert run("import", str(file), "--format", "lines")[0] == 0


def test_another_program_at_the_usual_port_is_left_alone(
    alone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def other(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b'{"status": "ok"}'})

    with served(other) as url:  # type: ignore[arg-type]
        monkeypatch.setenv("IDEAPOOL_PORT", url.rpartition(":")[2])

        assert alone("boards")[0] == 0


def test_a_server_at_the_usual_address_is_found(
    alone: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAPOOL_PORT", url.rpartition(":")[2])

    status, _, err = alone("boards")

    assert (status, err) == (0, "")


def test_a_backup_is_taken_from_a_server_and_restored_without_it(
    alone: Run, settings: Settings, tmp_path: Path
) -> None:
    file = str(tmp_path / "backup.db")
    with served(create_app(settings, FakeBackend())) as url:
        alone("ideas", "add", "before", "--url", url)
        taken = alone("backup", file)
        alone("ideas", "add", "after", "--url", url)
        refused = alone("restore", file)
    restored = alone("restore", file)

    assert taken[0] == 0
    assert (refused[0], "in use by process" in refused[2]) == (1, True)
    assert (restored[0], "is kept as" in restored[2]) == (0, True)
    assert [idea["title"] for idea in of(alone, "ideas", "list")] == ["before"]


def test_a_commands_own_server_streams_and_a_closed_stream_stops_its_run(
    settings: Settings, backend: FakeBackend
) -> None:
    backend.delay_s = 0.005
    app = create_app(settings, backend)

    async def scenario() -> str:
        async with app.router.lifespan_context(app), listening(app) as http:
            rest = Rest(http, "the app")
            async with aclosing(rest.events("/brainstorm", {"topic": "x", "n": 12})) as events:
                async for event in events:
                    if event.name == "suggestion":
                        break
            run = (await rest.get("/runs"))[0]
            async for event in app.state.runs.watch(run["run_id"]):
                last = event
            return str(last.data["status"])

    assert asyncio.run(asyncio.wait_for(scenario(), 30)) == "cancelled"
    assert not backend.running


def test_a_stream_that_breaks_off_is_an_error() -> None:
    async def cut_off(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM})
        await send({"type": "http.response.body", "body": b'event: queued\ndata: {"a": 1}\n\n'})

    async def scenario() -> None:
        async with listening(cut_off) as http:
            rest = Rest(http, "The server")
            async for _ in rest.result(rest.events("/brainstorm", {})):
                pass

    with pytest.raises(Exception, match="broke off"):
        asyncio.run(scenario())


@pytest.mark.parametrize("status", ["cancelled", "interrupted"])
def test_a_stopped_run_is_an_error(status: str) -> None:
    async def stopped(_scope: Any, _receive: Any, send: Any) -> None:
        body = f'event: done\ndata: {{"status": "{status}"}}\n\n'.encode()
        await send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM})
        await send({"type": "http.response.body", "body": body})

    async def scenario() -> None:
        async with listening(stopped) as http:
            rest = Rest(http, "The server")
            async for _ in rest.result(rest.events("/brainstorm", {})):
                pass

    with pytest.raises(ServerRefused, match=status):
        asyncio.run(scenario())


def test_the_trash_is_listed_restored_and_emptied(run: Run) -> None:
    first, second = (of(run, "ideas", "add", title)["id"] for title in ("Soup", "Chalk"))
    run("ideas", "delete", first, second)
    assert [idea["id"] for idea in of(run, "ideas", "list", "--deleted")] == [second, first]

    assert run("trash", "restore")[:2] == (0, f"{first}\n{second}\n")
    run("ideas", "delete", first, second)
    assert run("ideas", "delete", "--for-good", first)[0] == 0
    refused = run("trash", "empty")
    emptied = run("trash", "empty", "--yes")

    assert (refused[0], "--yes" in refused[2]) == (2, True)
    assert (emptied[0], emptied[2]) == (0, "Ideas deleted for good: 1\n")
    assert of(run, "ideas", "list", "--deleted") == []


def test_a_writing_round_is_started_written_in_and_ended(run: Run) -> None:
    begun = of(run, "rounds", "start", "More people at the party", "--minutes", "10")
    longer = of(run, "rounds", "extend", begun["id"], "--minutes", "5")
    run("ideas", "add", "Soup", "--round", begun["id"])
    run("ideas", "add", "Chalk")
    listed = run("rounds", "list")
    ended = of(run, "rounds", "end", begun["id"])
    named = of(run, "rounds", "names", begun["id"])
    late = run("ideas", "add", "Late", "--round", begun["id"])

    assert longer["ends_at"] > begun["ends_at"]
    assert "open until" in listed[1]
    assert "1 people wrote" not in listed[1]
    assert (ended["is_open"], ended["ideas"], named["names_hidden"]) == (False, 1, False)
    assert [one["title"] for one in of(run, "ideas", "list", "--round", begun["id"])] == ["Soup"]
    assert "was over" in late[2]


def test_an_import_says_what_is_in_the_trash_and_restores_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("Soup\n")
    run("import", str(file))
    run("ideas", "delete", of(run, "ideas", "list")[0]["id"])

    left = run("import", str(file))
    back = run("import", str(file), "--restore")

    assert "In the trash: 1 ideas; --restore brings them back." in left[2]
    assert "Restored: 1 ideas" in back[1]
    assert [idea["title"] for idea in of(run, "ideas", "list")] == ["Soup"]


def test_a_table_of_another_program_comes_in_with_its_columns_named(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "ideas.csv"
    file.write_text("What,Why\nSoup,It is warm.\n")

    assert run("import", str(file))[0] != 0
    told = of(run, "import", str(file), "--column", "title=What", "--column", "body=Why")

    assert told["added"]["ideas"] == 1
    assert [idea["body"] for idea in of(run, "ideas", "list")] == ["It is warm."]
    assert "FIELD is one of title" in run("import", str(file), "--column", "size=What")[2]


def test_links_are_made_listed_and_withdrawn(run: Run) -> None:
    made = of(run, "links", "add", "--days", "7")
    status, out, _ = run("links", "list")
    assert status == 0
    assert out.startswith(f"{made['id']}  open · made ")

    assert run("links", "withdraw", made["id"])[0] == 0
    assert of(run, "links", "list")[0]["is_open"] is False


def test_webhooks_are_made_tested_switched_off_and_deleted(run: Run) -> None:
    made = of(run, "webhooks", "add", "https://hook.invalid/", "--kind", "idea.created")
    assert made["secret"].startswith("whsec_")
    status, out, _ = run("webhooks", "change", made["id"], "--no-on", "--format", "slack")
    assert (status, out) == (0, f"{made['id']}  https://hook.invalid/ · off · idea.created\n")

    sent = of(run, "webhooks", "test", made["id"])
    assert of(run, "webhooks", "deliveries", made["id"])[0]["id"] == sent["id"]
    assert run("webhooks", "retry", made["id"], sent["id"])[0] == 0
    assert run("webhooks", "change", made["id"])[0] == 2
    assert run("webhooks", "delete", made["id"])[0] == 0
    assert of(run, "webhooks", "list") == []


def test_an_idea_is_printed_for_another_tool(run: Run) -> None:
    idea = of(run, "ideas", "add", "Lend tools", "--body", "Drills.")["id"]

    status, out, _ = run("ideas", "export", idea)
    assert (status, out.splitlines()[0]) == (0, "# Lend tools")
    status, out, _ = run("ideas", "export", idea, "--format", "json")
    assert json.loads(out)["idea"]["title"] == "Lend tools"


def test_people_are_invited_listed_and_removed(alone: Run, settings: Settings) -> None:
    status, link, _ = alone("invite", "--role", "commenter", "--days", "never")
    app = create_app(settings, FakeBackend())
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        joined = client.post(urlsplit(link.strip()).path, data={"name": "Ada"})
        (person,) = client.app.state.store.people.page().items  # type: ignore[attr-defined]
    assert (status, joined.status_code) == (0, 303)

    assert alone("people", "role", person.id, "editor")[0] == 0
    assert f"{person.id}  Ada  editor" in alone("people", "list")[1]
    assert alone("people", "remove", person.id)[0] == 0
    assert alone("people", "list")[1].endswith("removed\n")
    assert alone("people", "restore", person.id)[0] == 0
    assert not alone("people", "list")[1].endswith("removed\n")
    assert "There is no person" in alone("people", "remove", "nobody")[2]
