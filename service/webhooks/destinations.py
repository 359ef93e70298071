"""Decides which addresses may be reached, so that a webhook cannot be aimed at the network behind it.

A name is resolved once and the connection goes to the address that was checked: a name that
points elsewhere a moment later changes nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import httpx2

from service.errors import InvalidInput
from service.messages import Text

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Addresses of IPv4 in those of IPv6 that are no longer used; nothing honest answers there.
_OBSOLETE = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("2001::/32"))
DEFAULT_PORTS = {"http": 80, "https": 443}


class Destinations:
    """`allowed` has names of hosts and networks (or single addresses) that may be private."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._names: set[str] = set()
        self._networks: list[IPNetwork] = []
        for one in allowed:
            try:
                self._networks.append(ipaddress.ip_network(one, strict=False))
            except ValueError:
                self._names.add(one.lower().rstrip("."))

    def check(self, address: str) -> None:
        """Refuses an address that is plainly private; names are resolved only to send.

        Raises:
            InvalidInput: it may not be reached.
        """
        host = httpx2.URL(address).host
        literal = literal_address(host)
        is_local = host.lower().rstrip(".").endswith("localhost")
        if (literal is not None and not self._may_reach(host, literal)) or (
            is_local and not self._is_named(host)
        ):
            raise _private(host, "/url")

    async def resolve(self, url: httpx2.URL) -> list[str]:
        """The addresses of the URL's host, of which all may be reached.

        Raises:
            InvalidInput: one of them may not.
            OSError: the name cannot be resolved.
        """
        port = url.port or DEFAULT_PORTS[url.scheme]
        found = await asyncio.get_running_loop().getaddrinfo(
            url.host, port, type=socket.SOCK_STREAM
        )
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for one in addresses:
            if not self._may_reach(url.host, ipaddress.ip_address(one)):
                raise _private(url.host)
        return addresses

    def _may_reach(self, host: str, address: IPAddress) -> bool:
        if self._is_named(host) or is_public(address):
            return True
        inner = _embedded(address)
        return any(
            one.version == network.version and one in network
            for one in (address, inner)
            if one is not None
            for network in self._networks
        )

    def _is_named(self, host: str) -> bool:
        return host.lower().rstrip(".") in self._names


def is_public(address: IPAddress) -> bool:
    """Whether it is an address of one machine on the internet."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, ipaddress.IPv6Address) and any(address in net for net in _OBSOLETE):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def literal_address(host: str) -> IPAddress | None:
    """The address that a host is, or None for a name.

    Resolvers read more forms than `ipaddress` does: 127.1, 0x7f000001 and 2130706433 are 127.0.0.1.
    """
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _embedded(address: IPAddress) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that an address of IPv6 leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _private(host: str, pointer: str | None = None) -> InvalidInput:
    return InvalidInput(
        Text(
            "%(host)s is inside a private network. Whoever runs this server can allow it in "
            "IDEAPOOL_WEBHOOK_HOSTS.",
            host=host,
        ),
        pointer=pointer,
    )
