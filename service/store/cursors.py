"""The cursor that continues a list: the last row's place in the order, encoded for a URL."""

import base64
import binascii
import json
from typing import Any

from service.errors import InvalidInput
from service.messages import Text


def encode(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode(cursor: str) -> list[Any]:
    """Decodes a cursor.

    Raises:
        InvalidInput: it is not a cursor.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, binascii.Error) as error:
        raise invalid_cursor() from error
    if not isinstance(place, list):
        raise invalid_cursor()
    return place


def invalid_cursor() -> InvalidInput:
    return InvalidInput(
        Text("The cursor does not belong to this list. Start again without it."), pointer="/cursor"
    )
