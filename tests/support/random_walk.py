"""Random steps over REST, each beside a plain model of what it must do; at the end both are compared."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import httpx2

from tests.support.board_model import Board, BoardModel, Change, Idea

API = "/api/v1"
# No word begins another one, because a search finds words by their beginnings.
WORDS = "apple birch cedar dahlia elm fern grape hazel iris jasmine kale lemon".split()
TAGS = ("cheap", "food", "garden", "hall", "outside", "quiet")
STATUSES = ("draft", "kept", "in-progress", "done", "archived")
SHARES = {
    "create": 20, "patch": 24, "comment": 6, "delete": 8, "restore": 5, "restore_version": 6,
    "bulk": 20, "undo": 8, "create_board": 2, "change_board": 3, "delete_board": 2,
    "restore_board": 2, "refused": 4,
}  # fmt: skip


class RandomWalk:
    """`taken` counts the steps by kind, and `faults` says which were answered in another way than the
    model expects, or differ from it at the end.
    """

    def __init__(self, http: httpx2.Client, seed: int) -> None:
        self.taken: Counter[str] = Counter()
        self.faults: list[str] = []
        self._http = http
        self._chance = random.Random(seed)
        self._model = BoardModel()
        for board in http.get(f"{API}/boards").json():
            self._add_board(board)

    def walk(self, steps: int) -> None:
        names, shares = list(SHARES), list(SHARES.values())
        for _ in range(steps):
            name = self._chance.choices(names, shares)[0] if self._model.ideas else "create"
            step: Callable[[], None] = getattr(self, f"_{name}")
            step()
            self.taken[name] += 1

    def walk_and_compare(self, steps: int, part: int) -> Iterator[int]:
        """Compares after each part; yields the number of steps so far."""
        while (left := steps - self.taken.total()) > 0:
            self.walk(min(part, left))
            self.compare()
            yield self.taken.total()

    def compare(self) -> None:
        """Reads everything over REST; the differences become faults."""
        model = self._model
        boards = {one["id"]: (one["name"], one["goal"]) for one in self._all("/boards")}
        self._same(
            "the boards",
            boards,
            {key: (model.boards[key].name, model.boards[key].goal) for key in model.live_boards()},
        )
        ideas = self._all("/ideas?sort=old&limit=100")
        self._same("the ideas", [one["id"] for one in ideas], model.live_ideas())
        for one in ideas:
            expected = _shown(model.ideas[one["id"]]) if one["id"] in model.ideas else None
            self._same(
                f"the idea {one['id']}", {key: one[key] for key in expected or one}, expected
            )
        for key in model.live_ideas():
            self._compare_parts(key, model.ideas[key])
        for key in model.live_boards():
            trash = self._all(f"/ideas?board={key}&deleted=true&limit=100")
            self._same(f"the trash of {key}", {one["id"] for one in trash}, set(model.trash(key)))
        for word in (*WORDS, *TAGS):
            found = {one["id"] for one in self._all(f"/ideas?q={word}&exact=true&limit=100")}
            self._same(f"the search for {word}", found, model.with_word(word))

    def _compare_parts(self, key: str, idea: Idea) -> None:
        versions = self._all(f"/ideas/{key}/versions")
        texts = [(one["title"], one["body"]) for one in reversed(versions)]
        self._same(f"the versions of {key}", texts, idea.texts)
        comments = [one["body"] for one in self._all(f"/ideas/{key}/comments")]
        self._same(f"the comments on {key}", comments, idea.comments)

    def _create(self) -> None:
        fields: dict[str, Any] = {
            "board_id": self._chance.choice(self._model.live_boards()),
            "title": self._text(2),
            "body": self._text(5),
            "status": self._chance.choice(STATUSES),
            "star": self._chance.random() < 0.3,
            "tags": self._tags(),
        }
        key = {"idempotency-key": str(uuid4())}
        made = self._ask("POST", "/ideas", 201, fields, key)
        if made.status_code == 201:
            self._model.add(made.json()["id"], fields)
        if self._chance.random() < 0.2:
            again = self._ask("POST", "/ideas", 201, fields, key)
            self._same("the answer to a repeated request", again.json(), made.json())

    def _patch(self) -> None:
        idea_id = self._some_idea()
        possible: dict[str, Any] = {
            "title": self._text(2),
            "body": self._text(5),
            "status": self._chance.choice(STATUSES),
            "star": self._chance.random() < 0.5,
            "tags": self._tags(),
            "board_id": self._chance.choice(list(self._model.boards)),
        }
        names = self._chance.sample(list(possible), self._chance.randint(1, 3))
        changes = {name: possible[name] for name in names}
        revision, headers = self._condition(idea_id)
        status = self._model.patch(idea_id, changes, revision)
        self._ask("PATCH", f"/ideas/{idea_id}", status, changes, headers)

    def _comment(self) -> None:
        idea_id, text = self._some_idea(), self._text(4)
        status = self._model.comment(idea_id, text)
        self._ask("POST", f"/ideas/{idea_id}/comments", status, {"body": text})

    def _delete(self) -> None:
        idea_id = self._some_idea()
        revision, headers = self._condition(idea_id)
        status = self._model.delete(idea_id, revision)
        self._ask("DELETE", f"/ideas/{idea_id}", status, headers=headers)

    def _restore(self) -> None:
        idea_id = self._some_idea()
        self._ask("POST", f"/ideas/{idea_id}/restore", self._model.restore(idea_id))

    def _restore_version(self) -> None:
        idea_id = self._some_idea()
        number = self._chance.randint(1, len(self._model.ideas[idea_id].texts) + 1)
        status = self._model.restore_version(idea_id, number)
        self._ask("POST", f"/ideas/{idea_id}/versions/{number}/restore", status)

    def _bulk(self) -> None:
        field, value = self._chance.choice(
            [
                ("tags", self._chance.sample(TAGS, 3)),
                ("tags", self._chance.sample(TAGS, 3)),
                ("status", self._chance.choice(STATUSES)),
                ("star", self._chance.random() < 0.5),
                ("board_id", self._chance.choice(list(self._model.boards))),
                ("", None),
            ]
        )
        operation = self._chance.choice(_OPERATIONS[field])
        ids = self._some_ideas(operation)
        task = {"operation": operation, "ids": ids} | ({field: value} if field else {})
        change = self._model.bulk(operation, value, ids)
        answer = self._ask("POST", "/ideas/bulk", 404 if change is None else 200, task)
        if change is not None and answer.status_code == 200:
            made = answer.json()
            self._model.changes[made["id"]] = change
            self._same(f"what {operation} changed", set(made["changed"]), set(change.before))

    def _undo(self) -> None:
        changes = list(self._model.changes.items())[-5:]
        if changes:
            change_id, change = self._chance.choice(changes)
            self._undo_one(change_id, change)

    def _undo_one(self, change_id: str, change: Change) -> None:
        self._ask("POST", f"/changes/{change_id}/undo", self._model.undo(change))

    def _create_board(self) -> None:
        answer = self._ask("POST", "/boards", 201, {"name": self._text(2), "goal": self._text(3)})
        if answer.status_code == 201:
            self._add_board(answer.json())

    def _change_board(self) -> None:
        board, changes = self._chance.choice(list(self._model.boards)), {"goal": self._text(3)}
        status = self._model.change_board(board, **changes)
        self._ask("PATCH", f"/boards/{board}", status, changes)

    def _delete_board(self) -> None:
        board = self._chance.choice(list(self._model.boards))
        self._ask("DELETE", f"/boards/{board}", self._model.delete_board(board))

    def _restore_board(self) -> None:
        board = self._chance.choice(list(self._model.boards))
        self._ask("POST", f"/boards/{board}/restore", self._model.restore_board(board))

    def _refused(self) -> None:
        """What is wrong in itself changes nothing."""
        method, path, status, body = self._chance.choice(_WRONG)
        self._ask(method, path, status, body)

    def _ask(
        self,
        method: str,
        path: str,
        expected: int,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        answer = self._http.request(method, f"{API}{path}", json=body, headers=headers)
        if answer.status_code != expected:
            asked = f"{method} {path} {body or ''}"
            self.faults.append(
                f"{asked}: {answer.status_code}, not {expected}: {answer.text[:200]}"
            )
        return answer

    def _all(self, path: str) -> list[Any]:
        return list(pages(self._http, f"{API}{path}"))

    def _same(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            self.faults.append(f"{what}: {found}, not {expected}")

    def _add_board(self, board: dict[str, Any]) -> None:
        self._model.boards[board["id"]] = Board(board["name"], board["goal"])

    def _condition(self, idea_id: str) -> tuple[int | None, dict[str, str]]:
        """Nothing, or the revision as it is, or an old one; as `If-Match`."""
        now = self._model.ideas[idea_id].revision
        revision = self._chance.choice((None, now, now, max(1, now - 1)))
        return revision, {} if revision is None else {"if-match": f'"{revision}"'}

    def _some_idea(self) -> str:
        """Mostly one that is there, sometimes one of the trash or of a deleted board."""
        live = self._model.live_ideas()
        anywhere = list(self._model.ideas)
        return self._chance.choice(live if live and self._chance.random() < 0.8 else anywhere)

    def _some_ideas(self, operation: str) -> list[str]:
        live = self._model.live_ideas()
        is_wide = operation == "restore" or not live or self._chance.random() < 0.1
        pool: Sequence[str] = list(self._model.ideas) if is_wide else live
        return self._chance.sample(pool, min(len(pool), self._chance.randint(1, 6)))

    def _text(self, count: int) -> str:
        return " ".join(self._chance.choice(WORDS) for _ in range(count))

    def _tags(self) -> list[str]:
        return self._chance.sample(TAGS, self._chance.randint(0, 3))


_WRONG: list[tuple[str, str, int, dict[str, Any]]] = [
    ("POST", "/ideas", 422, {"title": "  "}),
    ("POST", "/ideas", 422, {"title": "a" * 201}),
    ("POST", "/ideas", 422, {"title": "a", "body": "b" * 8193}),
    ("POST", "/ideas", 422, {"title": "a", "unknown": 1}),
    ("POST", "/ideas", 404, {"title": "a", "board_id": "nowhere"}),
    ("PATCH", "/ideas/nothing", 404, {"title": "a"}),
    ("POST", "/ideas/bulk", 422, {"operation": "paint", "ids": ["a"]}),
]
_OPERATIONS = {
    "tags": ("add_tags", "remove_tags"),
    "status": ("set_status",),
    "star": ("set_star",),
    "board_id": ("move",),
    "": ("delete", "restore"),
}


def _shown(idea: Idea) -> dict[str, Any]:
    title, body = idea.texts[-1]
    return {
        "board_id": idea.board,
        "title": title,
        "body": body,
        "status": idea.status,
        "star": idea.star,
        "tags": sorted(idea.tags),
        "version": len(idea.texts),
        "revision": idea.revision,
        "comments": len(idea.comments),
    }


def pages(http: httpx2.Client, address: str) -> Iterator[Any]:
    """All items of a list, page by page."""
    following: str | None = address
    while following:
        answer = http.get(following)
        answer.raise_for_status()
        yield from answer.json()
        link = answer.links.get("next")
        following = str(link["url"]) if link else None
