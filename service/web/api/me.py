"""Routes for whoever sends the request: their name, roles, keys and sessions."""

from fastapi import APIRouter, Response, status

from service.actor import ACTOR
from service.schemas.people import (
    KeyCreate,
    KeyMade,
    KeyPublic,
    MePublic,
    MeUpdate,
    SessionPublic,
)
from service.store.cursors import listed
from service.store.tables import ApiKey
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, problems
from service.web.dependencies import StoreDep

# Not a KeyedRoute: a new key is a secret, which must not be kept for repetitions.
router = APIRouter(prefix="/me", tags=["people"])


@router.get(
    "",
    operation_id="getMe",
    summary="Get who you are and what you may do",
)
def get_me(store: StoreDep) -> MePublic:
    return store.people.me()


@router.patch(
    "",
    operation_id="updateMe",
    summary="Change your name",
    responses=problems(409),
)
def update_me(shape: MeUpdate, store: StoreDep) -> MePublic:
    return store.people.rename_me(shape.name)


@router.get(
    "/keys", operation_id="listMyKeys", summary="List your keys, by id", responses=NEXT_PAGE
)
def list_my_keys(store: StoreDep, paging: PagingDep) -> list[KeyPublic]:
    keys = sorted(store.keys.of(ACTOR.get().person_id), key=lambda key: key.id)
    page = listed("my-keys", keys, lambda key: key.id, paging.wanted)
    return [_public(key) for key in paging.items(page)]


@router.post(
    "/keys",
    operation_id="createMyKey",
    summary="Make a key that may do what you may do",
    description="The key is in the answer, and cannot be read again.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(409),
)
def create_my_key(shape: KeyCreate, store: StoreDep, response: Response) -> KeyMade:
    key, token = store.keys.make(
        shape.name,
        person_id=ACTOR.get().person_id,
        scope=shape.scope,
        expires_at=shape.expires_at,
    )
    response.headers["Cache-Control"] = "no-store"
    return KeyMade(**_public(key).model_dump(), key=token)


@router.delete(
    "/keys/{key_id}",
    operation_id="revokeMyKey",
    summary="Revoke one of your keys, and the sessions that were opened with it",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def revoke_my_key(key_id: Id, store: StoreDep) -> None:
    store.keys.revoke_own(ACTOR.get().person_id, key_id)


@router.get(
    "/sessions",
    operation_id="listMySessions",
    summary="List the browsers in which you are signed in, by id",
    responses=NEXT_PAGE,
)
def list_my_sessions(store: StoreDep, paging: PagingDep) -> list[SessionPublic]:
    sessions = sorted(store.keys.of(ACTOR.get().person_id, "session"), key=lambda one: one.id)
    page = listed("my-sessions", sessions, lambda one: one.id, paging.wanted)
    return [SessionPublic.model_validate(one, from_attributes=True) for one in paging.items(page)]


@router.delete(
    "/sessions",
    operation_id="endMySessions",
    summary="Sign out in every browser",
    status_code=status.HTTP_204_NO_CONTENT,
)
def end_my_sessions(store: StoreDep) -> None:
    store.keys.revoke_all(ACTOR.get().person_id, "session")


def _public(key: ApiKey) -> KeyPublic:
    return KeyPublic.model_validate(key, from_attributes=True)
