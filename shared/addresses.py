"""Which network addresses a user's URL may lead to: public ones, whatever they are dressed up as. Pure.

The attack is server-side request forgery: a URL that names, redirects to, or resolves to something inside our own network
(a cloud's metadata service at 169.254.169.254, a database on localhost). OWASP, "Server-Side Request Forgery Prevention".
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address that a gateway would connect to."""
LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
"""RFC 8215: the same for a network's own translation; what it leads to is anybody's guess."""


def is_public(text: str) -> bool:
    """True for an address of the public internet. An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) must be public too."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    return _is_public_v6(address)


Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(text: str) -> Networks:
    """Networks in CIDR notation, comma-separated. Raises ValueError, whose message names the one that is none."""
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def within(text: str, allowed: Networks) -> bool:
    """Whether an address lies in one of these networks, be it written as IPv4 in IPv6."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    plain = (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
    return any(plain in network for network in allowed)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_public_v6(address: IPv6Address) -> bool:
    inner = _inner(address)
    if inner:
        return all(_is_public_v4(each) for each in inner)
    return address.is_global and not address.is_multicast and not address.is_site_local and address not in LOCAL_NAT64


def _inner(address: IPv6Address) -> list[IPv4Address]:
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if address in NAT64 or int(address) >> 32 == 0:  # the second: "IPv4-compatible", long deprecated, still parsed
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    return []
