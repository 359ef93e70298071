"""Names people and lets tests act as them, below the guard that decides who a request comes from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.actor import ACTOR, Actor, Role
from service.schemas.archive import Archive
from service.schemas.identity import new_id, now
from service.store import Store


def store_of(client: TestClient) -> Store:
    return cast(Store, cast(FastAPI, client.app).state.store)


def add_person(store: Store, name: str) -> str:
    """Returns the id of a new person, who has no rights."""
    person_id = new_id()
    sections = ("boards", "ideas", "versions", "runs", "suggestions", "evaluations")
    more = ("comparisons", "rubrics", "likes", "comments")
    person = {"id": person_id, "name": name, "created_at": now()}
    store.archive.add(
        Archive.model_validate(
            {"format": "ideapool", "version": 4, "exported_at": now(), "people": [person]}
            | {section: [] for section in (*sections, *more)}
        )
    )
    return person_id


@contextmanager
def acting_as(person_id: str | None, role: Role = Role.EDITOR) -> Iterator[None]:
    token = ACTOR.set(Actor(person_id=person_id, role=role))
    try:
        yield
    finally:
        ACTOR.reset(token)
