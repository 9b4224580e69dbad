"""One address for all commands, and URLs that nobody can read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from api.cli import up
from api.cli.addresses import check_broker_url, check_database_url, is_this_machine, with_address, with_known_address
from api.cli.child import Child
from api.cli.installation import plan
from api.cli.transfer import open_client
from core.config import Settings, load_settings
from core.errors import Invalid


def listening(host: str, port: int) -> Settings:
    """Settings that name no base URL, whatever the tests run under."""
    return Settings.model_construct(_fields_set={"listen_host", "listen_port"}, listen_host=host, listen_port=port)


@pytest.mark.parametrize(
    ("host", "port", "wanted"),
    [
        ("127.0.0.1", 9000, "http://127.0.0.1:9000"),
        ("0.0.0.0", 9000, "http://127.0.0.1:9000"),
        ("::1", 9000, "http://[::1]:9000"),
        ("::", 9000, "http://[::1]:9000"),
        ("clarion.example", 80, "http://clarion.example:80"),
    ],
)
def test_the_base_url_follows_from_where_the_api_listens(host: str, port: int, wanted: str) -> None:
    """For the command that starts it and for those beside it."""
    settings = listening(host, port)
    assert with_address(settings).base_url == with_known_address(settings).base_url == wanted


def test_a_named_base_url_stays() -> None:
    """It is the public one."""
    settings = load_settings(base_url="https://mail.example", listen_port=9000)
    assert with_address(settings).base_url == "https://mail.example"


def test_a_free_port_is_known_to_the_api_alone() -> None:
    """Another command would guess another one."""
    started = with_address(listening("127.0.0.1", 0))
    assert started.listen_port > 0
    assert started.base_url == f"http://127.0.0.1:{started.listen_port}"
    with pytest.raises(Invalid, match="CLARION_LISTEN_PORT=0"):
        with_known_address(listening("127.0.0.1", 0))


@pytest.mark.usefixtures("bare")
def test_import_asks_where_up_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but a port in the settings."""
    monkeypatch.setenv("CLARION_LISTEN_PORT", "9000")
    assert open_client(None, "token").url == plan(load_settings()).settings.base_url == "http://127.0.0.1:9000"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("command", "port"), [(up.api, 0), (up.api, 9000), (up.worker, 9000)])
def test_api_and_worker_know_the_address(monkeypatch: pytest.MonkeyPatch, command: Callable[[], None], port: int) -> None:
    """Started apart, as in production; port 0 is a port before anybody waits for it."""
    started: list[Child] = []

    class Starter:
        def __init__(self, children: list[Child], **_: object):
            started.extend(children)

        def run(self) -> None:
            pass

    monkeypatch.setattr(up, "Supervisor", Starter)
    for name, value in {"DATABASE_URL": "postgresql://db/x", "BROKER_URL": "redis://b", "LISTEN_PORT": str(port)}.items():
        monkeypatch.setenv(f"CLARION_{name}", value)
    command()
    environment = dict(started[0].env or {})
    assert environment["CLARION_LISTEN_PORT"] != "0"
    assert environment["CLARION_BASE_URL"] == f"http://127.0.0.1:{environment['CLARION_LISTEN_PORT']}"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", True), ("10.0.0.1", False),
        ("x.example", False),
    ],
)  # fmt: skip
def test_this_machine(host: str, here: bool) -> None:
    """Whatever its name."""
    assert is_this_machine(host) is here


@pytest.mark.parametrize(
    "url", ["postgresql://h:abc/x", "postgresql://[::1/x", "postgresql://a:5432,b:x/y", "postgresql:///x?port=abc"]
)
def test_a_database_url_that_cannot_be_read(url: str) -> None:
    """The driver would say ValueError."""
    with pytest.raises(Invalid, match="CLARION_DATABASE_URL cannot be read"):
        check_database_url(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:p@db:5432,b:5433,c/prod?sslmode=require", "postgresql://clarion@/x?host=/tmp/x&port=5432,5433"],
)
def test_a_database_url_that_can(url: str) -> None:
    """All spellings that the driver takes."""
    check_database_url(url)


@pytest.mark.parametrize("url", ["redis://h:abc", "amqp://h:abc/", "redis://[x"])
def test_a_broker_url_that_cannot_be_read(url: str) -> None:
    """Their clients say ValueError, too."""
    with pytest.raises(Invalid, match="CLARION_BROKER_URL cannot be read"):
        check_broker_url(url)
