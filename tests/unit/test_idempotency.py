"""Which keys of requests are accepted, and which requests count as the same."""

import pytest

from service.store.keyed_answers import RequestKey
from service.web.api.idempotency import MOST_CHARACTERS, bare_key


@pytest.mark.parametrize(
    "key", ["8e03978e-40d5-43dd-bc93-6894a57f9324", "a", "order:17/retry=2", "x" * MOST_CHARACTERS]
)
def test_a_key_is_the_same_with_and_without_quotation_marks(key: str) -> None:
    assert bare_key(key) == bare_key(f'"{key}"') == key


@pytest.mark.parametrize(
    "key", ["", '""', '"', "two words", "tab\t", "smörgås", 'in"side', "back\\slash", "x" * 256]
)
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="a UUID is a good key"):
        bare_key(key)


def test_a_key_belongs_to_its_caller() -> None:
    request = [b"POST", b"/boards"]

    mine, theirs = (RequestKey.of(caller, "key", request) for caller in ("me", "them"))

    assert mine.id != theirs.id
    assert mine.fingerprint == theirs.fingerprint


def test_parts_of_a_request_do_not_run_into_each_other() -> None:
    one, other = (RequestKey.of("", "key", parts) for parts in ([b"ab", b"c"], [b"a", b"bc"]))

    assert one.id == other.id
    assert one.fingerprint != other.fingerprint
