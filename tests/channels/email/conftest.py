"""A certificate for servers of these tests, Postfix, and less patience with bad ones."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.channels.email.postfix import Postfix, running


@pytest.fixture(scope="session")
def self_signed() -> tuple[bytes, bytes]:
    """Key and certificate for 127.0.0.1, as PEM; nobody has signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example.org")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start.replace(year=2120))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    return (
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


@pytest.fixture(scope="module")
def postfix(self_signed: tuple[bytes, bytes]) -> Iterator[Postfix]:
    """A running Postfix."""
    with running(self_signed) as found:
        yield found


@pytest.fixture(autouse=True)
def quick_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many attempts as ever, in a shorter time."""
    monkeypatch.setattr("channels.email.pool.RECONNECT_DELAYS", (0.01, 0.03))
