"""The embedded Redis: reachable by a short socket only, and gone with whoever started it."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from api.cli.embedded import EmbeddedRedis

Gone = Callable[[list[psutil.Process]], list[psutil.Process]]
Script = Callable[..., "subprocess.Popen[str]"]

OWNER = """
import sys
from pathlib import Path
from api.cli.embedded import EmbeddedRedis
server = EmbeddedRedis(Path(sys.argv[1]))
print(server.start(), flush=True)
print(server.pid, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def server(var: Path) -> Iterator[EmbeddedRedis]:
    embedded = EmbeddedRedis(var)
    yield embedded
    embedded.stop()


def set_and_get(url: str) -> object:
    with redis.Redis.from_url(url) as client:
        client.set("wake", "up")
        return client.get("wake")


def test_it_answers_on_a_socket_and_nowhere_else(server: EmbeddedRedis) -> None:
    assert set_and_get(server.start()) == b"up"
    assert server.pid is not None
    assert psutil.Process(server.pid).net_connections(kind="inet") == []


def test_it_starts_again_after_a_stop_and_leaves_no_socket(server: EmbeddedRedis) -> None:
    server.start()
    server.stop()
    assert not server.sockets.exists()

    assert set_and_get(server.start()) == b"up"


def test_it_dies_with_a_killed_owner(server: EmbeddedRedis, var: Path, script: Script, gone: Gone) -> None:
    owner = script(OWNER, var)
    assert owner.stdout
    owner.stdout.readline()
    orphan = psutil.Process(int(owner.stdout.readline()))

    owner.kill()

    assert gone([orphan]) == []
    assert set_and_get(server.start()) == b"up"


def test_a_server_that_lost_its_owner_is_ended_first(server: EmbeddedRedis) -> None:
    server.prepare(threading.Event())
    untied = subprocess.Popen(server.child().argv, stdout=subprocess.DEVNULL)
    with untied:
        while not server.ready():
            assert untied.poll() is None

        assert set_and_get(server.start()) == b"up"

        assert untied.wait(10) == 0


def test_another_process_shares_the_server_but_does_not_end_it(server: EmbeddedRedis, var: Path, script: Script) -> None:
    owner = script(OWNER, var)
    assert owner.stdout
    url = owner.stdout.readline().strip()

    assert server.start() == url
    server.stop()

    assert set_and_get(url) == b"up"
