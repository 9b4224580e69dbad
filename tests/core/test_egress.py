"""What people type as a host is looked up once, checked, and connected to as checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from channels.contract import EgressRefused
from core.config import load_settings
from core.egress import GuardedIO, allowed, refused_because

SPELLINGS = [
    "127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "::1", "::ffff:127.0.0.1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::",
    "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest_asyncio.fixture
async def server() -> AsyncIterator[int]:
    """The port of a server on 127.0.0.1 that says hello."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    running = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1]


async def greeting(sock: socket.socket) -> bytes:
    with sock:
        return await asyncio.get_running_loop().sock_recv(sock, 5)


async def test_a_development_installation_may_reach_its_own_machine(server: int) -> None:
    door = GuardedIO.from_settings(load_settings(allow_private_egress=True))
    sock = await door.connect("localhost", server, timeout=5)
    assert not sock.getblocking()
    assert await greeting(sock) == b"hello"


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_this_machine_is_let_through(host: str, server: int) -> None:
    with pytest.raises(EgressRefused, match="refused"):
        await GuardedIO(allow_private=False).connect(host, server, timeout=5)


async def test_a_name_that_leads_to_private_addresses_is_refused_after_one_lookup(server: int) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1", "10.0.0.1"]

    with pytest.raises(EgressRefused, match=r"127\.0\.0\.1 \(loopback\), 10\.0\.0\.1 \(private\)"):
        await GuardedIO(allow_private=False, resolve=resolve).connect("rebind.example", server, timeout=5)
    assert asked == ["rebind.example"]


def test_of_a_mixed_answer_only_the_public_addresses_are_tried() -> None:
    assert allowed("mixed.example", ["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"]) == [
        "8.8.8.8",
        "2606:4700::1111",
    ]


async def test_the_next_address_is_tried_when_the_first_refuses(server: int) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["::1", "127.0.0.1"]

    door = GuardedIO(allow_private=True, resolve=resolve)
    assert await greeting(await door.connect("two.example", server, timeout=5)) == b"hello"


async def test_a_name_without_addresses_is_told() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return []

    with pytest.raises(OSError, match="has no address"):
        await GuardedIO(allow_private=False, resolve=resolve).connect("empty.example", 25, timeout=5)


async def test_a_silent_lookup_ends_with_the_timeout() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(TimeoutError):
        await GuardedIO(allow_private=True, resolve=resolve).connect("slow.example", 25, timeout=0.05)


async def test_a_host_that_answers_no_connection_ends_with_the_timeout() -> None:
    # A listener with a full queue: the kernel lets further connections wait for ever.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with pytest.raises(TimeoutError):
            await GuardedIO(allow_private=True).connect("127.0.0.1", port, timeout=0.3)
        for one in waiting:
            one.close()


async def test_nobody_listening_is_told_as_it_is() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await GuardedIO(allow_private=True).connect("127.0.0.1", port, timeout=5)


async def test_an_unknown_host_is_told_as_it_is() -> None:
    with pytest.raises(OSError):
        await GuardedIO(allow_private=False).connect("nowhere.invalid", 25, timeout=5)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.100.100.200", "shared by a provider"),
        ("169.254.169.254", "link-local"),
        ("168.63.129.16", "a metadata service"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("0.0.0.0", "this network"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1%eth0", "link-local"),
        ("fd00:ec2::254", "private"),
        ("ff02::1", "multicast"),
        ("::ffff:10.0.0.1", "private"),
        ("::10.0.0.1", "private"),
        ("64:ff9b::169.254.169.254", "link-local"),
        ("64:ff9b:1::1", "private"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a9fe:a9fe::", "link-local"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"),
    ],
)
def test_addresses_that_are_not_for_everybody_are_refused(address: str, reason: str) -> None:
    assert refused_because(address) == reason


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    assert refused_because(address) is None


def test_the_time_is_the_installations() -> None:
    door = GuardedIO(allow_private=False, clock=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    assert door.now() == datetime(2030, 1, 1, tzinfo=UTC).timestamp()
