"""Leaves out of a page what whoever reads it may not send: forms, and buttons that send one elsewhere.

The rule is that of the table of routes, so that a page never offers what would be refused. Templates
only ask what to write around it.
"""

import re
from collections.abc import Callable

_FORM = re.compile(
    r"<form\b(?=[^>]*\bmethod=\"post\")[^>]*\baction=\"([^\"]*)\".*?</form>", re.DOTALL
)
_BUTTON = re.compile(r"<button\b[^>]*\bformaction=\"([^\"]*)\".*?</button>", re.DOTALL)


def without_forbidden(html: str, may_send: Callable[[str], bool]) -> str:
    """`may_send` tells whether a form may be sent to an address."""

    def kept(found: re.Match[str]) -> str:
        return found[0] if may_send(found[1].partition("?")[0]) else ""

    return _BUTTON.sub(kept, _FORM.sub(kept, html))
