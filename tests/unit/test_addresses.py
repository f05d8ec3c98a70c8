"""Which addresses a user's URL may lead to."""

import pytest

from shared.addresses import is_public


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public_addresses_pass(address: str) -> None:
    """IPv4, IPv6, and IPv6 around a public IPv4."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it here
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_ipv4_inside_is_refused(address: str) -> None:
    """Loopback, private, shared (RFC 6598), link-local, documentation, benchmarking, multicast, reserved, broadcast."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::808:808",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
        "2001:0:808:808:0:0:f5ff:fffe",
    ],
)
def test_ipv6_inside_is_refused(address: str) -> None:
    """Also where a private IPv4 address hides in it: mapped, compatible, NAT64, 6to4, Teredo (server or client)."""
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "0x7f.1", "2130706433", "1.2.3", "127.1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Other spellings of addresses must have gone through the resolver."""
    assert not is_public(text)
