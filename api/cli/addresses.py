"""Where things are: the address and port of the API as every command takes them, and URLs that can be read at all."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import parse_qs, urlsplit

from core.config import Settings
from core.errors import Invalid
from core.workers.broker import make_broker

_HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # as read, not as listened on


def reachable(host: str) -> str:
    """The host at which what listens on `host` answers on this machine: a wildcard is no address."""
    return _HERE.get(host, host)


def is_this_machine(host: str) -> bool:
    """Whether a host of a URL is the loopback."""
    try:
        return ipaddress.ip_address(reachable(host)).is_loopback
    except ValueError:
        return host == "localhost"


def with_address(settings: Settings) -> Settings:
    """With a free port where the settings leave the choice, and the base URL that follows unless they name one.

    For the command that starts the API.
    """
    if settings.listen_port == 0:
        settings = settings.model_copy(update={"listen_port": free_port(settings.listen_host)})
    return with_known_address(settings)


def with_known_address(settings: Settings) -> Settings:
    """With the base URL that follows from host and port unless the settings name one: for commands beside the API.

    Raises Invalid (NO_BASE_URL) where only the process that took a free port can know.
    """
    if "base_url" in settings.model_fields_set:
        return settings
    if settings.listen_port == 0:
        raise Invalid(
            "with CLARION_LISTEN_PORT=0 the address of the API is not known here",
            code="NO_BASE_URL",
            hint="Set CLARION_BASE_URL to the address that `clarion up` or `clarion api` shows.",
        )
    host = reachable(settings.listen_host)
    shown = f"[{host}]" if ":" in host else host
    return settings.model_copy(update={"base_url": f"http://{shown}:{settings.listen_port}"})


def check_database_url(url: str) -> None:
    """Raises Invalid (BAD_DATABASE_URL) for what the driver would meet with a ValueError; the rest it names itself."""
    try:
        parts = urlsplit(url)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        ports = [host.rpartition(":")[2] for host in hosts if ":" in host and not host.endswith("]")]
        ports += ",".join(parse_qs(parts.query).get("port", [])).split(",")
        for port in filter(None, ports):
            int(port)
    except ValueError as error:
        raise _unreadable("DATABASE", error) from error


def check_broker_url(url: str) -> None:
    """Raises Invalid (BAD_BROKER_URL)."""
    try:
        make_broker(url).close()
    except ValueError as error:
        raise _unreadable("BROKER", error) from error


def _unreadable(what: str, error: ValueError) -> Invalid:
    return Invalid(
        f"CLARION_{what}_URL cannot be read: {error}",
        code=f"BAD_{what}_URL",
        hint="`clarion settings` shows how it is written.",
    )


def free_port(host: str) -> int:
    """A port of this host nobody listens on now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
