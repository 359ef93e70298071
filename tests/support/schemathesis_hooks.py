"""What the fuzzer does to each of its calls."""

import uuid
from typing import Any

import schemathesis

from service.web.api.idempotency import HEADER, bare_key


@schemathesis.hook
def before_call(_context: Any, case: Any, _keywords: Any) -> None:
    """Makes each key new: a key that was used for another request is refused, as it should be."""
    key = (case.headers or {}).get(HEADER)
    try:
        is_valid = key is not None and bool(bare_key(key))
    except ValueError:
        return
    if is_valid:
        case.headers[HEADER] = str(uuid.uuid4())
