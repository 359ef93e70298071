"""The address of a client as a value."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def client_ip(address: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address in the form of IPv6 is the IPv4 address; None for what is no address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip
