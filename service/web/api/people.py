"""Routes for people and invitations. Only owners may call them."""

from fastapi import APIRouter, Request, Response, status

from service.schemas.people import (
    InvitationCreate,
    InvitationMade,
    InvitationPublic,
    PersonDetail,
    PersonUpdate,
)
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, problems
from service.web.dependencies import SettingsDep, StoreDep
from service.web.links import join_link

router = APIRouter(tags=["people"])
people = APIRouter(prefix="/people", route_class=KeyedRoute)
# Its answers hold a secret, which must not be kept for repetitions.
invitations = APIRouter(prefix="/invitations")


@people.get(
    "",
    operation_id="listPeople",
    summary="List the people, removed ones too, first come first",
    responses=NEXT_PAGE,
)
def list_people(store: StoreDep, paging: PagingDep) -> list[PersonDetail]:
    return paging.items(store.people.page(paging.wanted))


@people.patch(
    "/{person_id}",
    operation_id="updatePerson",
    summary="Change a person's name or roles",
    description="A name that somebody else has gets a number, such as `Ada (2)`. Owners cannot take "
    "away their own role.",
    responses=problems(404, 409),
)
def update_person(person_id: Id, shape: PersonUpdate, store: StoreDep) -> PersonDetail:
    return store.people.update(person_id, shape)


@people.delete(
    "/{person_id}",
    operation_id="removePerson",
    summary="Remove a person",
    description="Their keys and sessions are invalid at once. What they wrote stays, with their name. "
    "Nobody can remove themselves.",
    responses=problems(404, 409),
)
def remove_person(person_id: Id, store: StoreDep) -> PersonDetail:
    return store.people.remove(person_id)


@people.post(
    "/{person_id}/restore",
    operation_id="restorePerson",
    summary="Let a removed person come back",
    description="Their roles are as before; their old keys and sessions stay revoked.",
    responses=problems(404),
)
def restore_person(person_id: Id, store: StoreDep) -> PersonDetail:
    return store.people.restore(person_id)


@people.delete(
    "/{person_id}/sessions",
    operation_id="endSessions",
    summary="Sign a person out in every browser",
    responses=problems(404),
)
def end_sessions(person_id: Id, store: StoreDep) -> PersonDetail:
    store.people.get(person_id)
    store.keys.revoke_all(person_id, "session")
    return store.people.get(person_id)


@people.delete(
    "/{person_id}/keys",
    operation_id="revokeKeysOf",
    summary="Revoke all keys of a person",
    responses=problems(404),
)
def revoke_keys_of(person_id: Id, store: StoreDep) -> PersonDetail:
    store.people.get(person_id)
    store.keys.revoke_all(person_id, "key")
    return store.people.get(person_id)


@invitations.get(
    "",
    operation_id="listInvitations",
    summary="List the invitations that can still be used, newest first",
    description="Their links cannot be read again.",
    responses=NEXT_PAGE,
)
def list_invitations(store: StoreDep, paging: PagingDep) -> list[InvitationPublic]:
    return paging.items(store.invitations.page(paging.wanted))


@invitations.post(
    "",
    operation_id="createInvitation",
    summary="Make an invitation link",
    description="Whoever opens the link gives a name and gets the role, on one board or on all. The "
    "link can be used by several people until it expires or is withdrawn.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404),
)
def create_invitation(
    request: Request,
    response: Response,
    shape: InvitationCreate,
    store: StoreDep,
    settings: SettingsDep,
) -> InvitationMade:
    invitation, token = store.invitations.create(shape)
    response.headers["Cache-Control"] = "no-store"
    return InvitationMade(
        **invitation.model_dump(), url=join_link(str(request.base_url), settings, token)
    )


@invitations.delete(
    "/{invitation_id}",
    operation_id="withdrawInvitation",
    summary="Withdraw an invitation",
    description="Whoever joined by it stays.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def withdraw_invitation(invitation_id: Id, store: StoreDep) -> None:
    store.invitations.withdraw(invitation_id)


for part in (people, invitations):
    router.include_router(part)
