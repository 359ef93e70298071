"""Sends one delivery: no redirect is followed, and no more of an answer is read than is kept."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx2

from service import __version__
from service.errors import InvalidInput
from service.messages import Text
from service.schemas.webhooks import RESPONSE_CEILING
from service.store.deliveries import Answer, Claimed
from service.text.cleaning import clean_text
from service.webhooks.destinations import Destinations
from service.webhooks.signatures import signed_headers

ANSWER_S = 10.0
# Enough for the characters that are kept, whatever they are.
_READ_BYTES = 4 * RESPONSE_CEILING
_MOST_ADDRESSES = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """What was answered; `retry_after_s` is what the receiver asked for."""

    answer: Answer
    retry_after_s: float | None = None

    @property
    def has_arrived(self) -> bool:
        return self.answer.status is not None and 200 <= self.answer.status < 300

    @property
    def is_gone(self) -> bool:
        return self.answer.status == 410


class Sender:
    def __init__(
        self,
        destinations: Destinations,
        *,
        clock: Callable[[], datetime],
        answer_s: float = ANSWER_S,
    ) -> None:
        self._destinations = destinations
        self._clock = clock
        self._answer_s = answer_s

    async def send(self, claimed: Claimed) -> Sent:
        try:
            async with asyncio.timeout(self._answer_s):
                addresses = await self._destinations.resolve(httpx2.URL(claimed.url))
        except InvalidInput as error:
            return _unsent(error.detail)
        except (OSError, UnicodeError):
            return _unsent(Text("The name of the host cannot be found."))
        except TimeoutError:
            return _unsent(_too_slow(self._answer_s))
        sent = _unsent(Text("The receiver cannot be reached."))
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._post(claimed, address)
            except httpx2.ConnectError:
                # The next address of the name may answer; nothing was sent to this one.
                continue
            except TimeoutError:
                return _unsent(_too_slow(self._answer_s))
            except httpx2.HTTPError:
                return _unsent(Text("The connection broke before there was an answer."))
        return sent

    async def _post(self, claimed: Claimed, address: str) -> Sent:
        url = httpx2.URL(claimed.url)
        # A message is sent again under the same id, by which receivers know it.
        headers = signed_headers(
            claimed.secret, f"msg_{claimed.id}", int(self._clock().timestamp()), claimed.payload
        )
        headers |= {
            "content-type": "application/json",
            "user-agent": f"Ideapool/{__version__}",
            "accept-encoding": "identity",
            "host": url.netloc.decode("ascii"),
        }
        # No proxy of the environment: it would resolve the name anew.
        client = httpx2.AsyncClient(trust_env=False, timeout=None, follow_redirects=False)
        deadline = asyncio.get_running_loop().time() + self._answer_s
        async with client:
            request = client.build_request(
                "POST",
                url.copy_with(host=address),
                content=claimed.payload.encode(),
                headers=headers,
                # The certificate must be that of the name, not of the address.
                extensions={"sni_hostname": url.host},
            )
            async with asyncio.timeout_at(deadline):
                response = await client.send(request, stream=True)
            text = await _beginning(response, deadline)
        return Sent(
            Answer(response.status_code, text, _problem_of(response.status_code)),
            _retry_after_s(response, self._clock()),
        )


async def _beginning(response: httpx2.Response, deadline: float) -> str:
    """The first characters of the body; fewer if it comes too slowly or breaks off."""
    read = b""
    # The status has come, which is what counts.
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout_at(deadline):
            async for part in response.aiter_raw():
                read += part
                if len(read) >= _READ_BYTES:
                    break
    with suppress(httpx2.HTTPError):
        await response.aclose()
    return clean_text(read[:_READ_BYTES].decode(errors="replace"))[:RESPONSE_CEILING]


def _problem_of(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return Text("It answered %(status)s: redirects are not followed.", status=status)
    return Text("It answered %(status)s.", status=status)


def _retry_after_s(response: httpx2.Response, moment: datetime) -> float | None:
    value = response.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - moment).total_seconds())
    except (ValueError, TypeError):
        return None


def _too_slow(limit_s: float) -> Text:
    limit = f"{limit_s:g}"
    return Text("There was no answer within %(limit)s seconds.", limit=limit)


def _unsent(problem: str) -> Sent:
    return Sent(Answer(problem=problem))
