"""What the fuzzer does to each of its calls."""

import uuid
from typing import Any

import schemathesis

from service.schemas.fields import TAG_CEILING
from service.text.cleaning import clean_text
from service.web.api.idempotency import HEADER, bare_key


@schemathesis.hook
def before_call(_context: Any, case: Any, _keywords: Any) -> None:
    """Makes each key new: a key that was used for another request is refused, as it should be.

    A text is measured after it was cleaned, which no schema can say: so none is too long only before.
    """
    if isinstance(case.body, dict | list):
        case.body = _as_long_after_cleaning(case.body)
    key = (case.headers or {}).get(HEADER)
    try:
        is_valid = key is not None and bool(bare_key(key))
    except ValueError:
        return
    if is_valid:
        case.headers[HEADER] = str(uuid.uuid4())


def _as_long_after_cleaning(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_long_after_cleaning(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_long_after_cleaning(one) for one in value]
    is_long = isinstance(value, str) and len(value) > TAG_CEILING
    return "x" * len(value) if is_long and len(clean_text(value)) < len(value) else value
