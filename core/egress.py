"""The way out: addresses that people can set are resolved, checked, and then connected to as checked.

A name is looked up once and the socket goes to the very address that passed, so that a name which answers
differently the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from channels.contract import EgressRefused
from core.clock import Clock, system_clock
from core.config import Settings

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# IANA special-purpose registries (RFC 6890 and its updates); what is not for everybody is not for us.
REFUSED: tuple[tuple[IPv4Network | IPv6Network, str], ...] = tuple(
    (ip_network(block), kind)
    for block, kind in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a provider"),  # also Alibaba's metadata service, 100.100.100.200
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a metadata service"),  # Azure's, although it looks public
        ("169.254.0.0/16", "link-local"),  # metadata services of most clouds
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "private"),  # local-use NAT64 (RFC 8215)
        ("100::/64", "discarded"),
        ("2001::/23", "reserved"),  # Teredo, ORCHID, benchmarks, …
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
        ("5f00::/16", "reserved"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")
_6TO4 = ip_network("2002::/16")


def refused_because(text: str) -> str | None:
    """Why an IP address is out of bounds, or None. Sees through the IPv6 forms that carry an IPv4 address."""
    address = ip_address(text)
    for network, kind in REFUSED:
        if address.version == network.version and address in network:
            return kind
    inner = _carried(address)
    return refused_because(str(inner)) if inner is not None else None


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, compatible, NAT64 (RFC 6052) or 6to4 (RFC 3056)."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour if address in _6TO4 else None


def allowed(host: str, addresses: Sequence[str]) -> Sequence[str]:
    """Those of a host's addresses that may be connected to. Raises EgressRefused when there is none."""
    reasons = {address: refused_because(address) for address in addresses}
    passed = [address for address, reason in reasons.items() if reason is None]
    if not passed:
        told = ", ".join(f"{address} ({reason})" for address, reason in reasons.items())
        raise EgressRefused(f"{host} leads to {told}, which is refused. In development set CLARION_ALLOW_PRIVATE_EGRESS.")
    return passed


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host in the order of the system's preference. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class GuardedIO:
    """Connects where it may. One per process; holds nothing open. Plugins get it as `core.channel_io.AccountIO`."""

    def __init__(self, *, allow_private: bool, clock: Clock = system_clock, resolve: Resolve = resolve):
        self._allow_private = allow_private
        self._clock = clock
        self._resolve = resolve

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock = system_clock) -> GuardedIO:
        """The door as the installation's settings want it."""
        return cls(allow_private=settings.allow_private_egress, clock=clock)

    def now(self) -> float:
        """Seconds since the epoch, from the installation's clock."""
        return self._clock().timestamp()

    async def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """A connected non-blocking TCP socket within `timeout` seconds, name lookup included.

        Raises EgressRefused when no address of the host is allowed, TimeoutError, or the last OSError.
        """
        async with asyncio.timeout(timeout) as bound:
            addresses = await self._resolve(host, port)
            if not addresses:
                raise OSError(f"{host} has no address")
            addresses = addresses if self._allow_private else allowed(host, addresses)
            for position, address in enumerate(addresses):
                left = (bound.when() or 0.0) - asyncio.get_running_loop().time()
                # An equal share each: a silent first address must leave time for the others.
                share = left / (len(addresses) - position)
                try:
                    async with asyncio.timeout(share):
                        return await _connect(address, port)
                except OSError:  # TimeoutError is one
                    if position == len(addresses) - 1:
                        raise
        raise AssertionError("unreachable: the last address returns or raises")


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock
