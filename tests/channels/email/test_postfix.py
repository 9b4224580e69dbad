"""Against Debian's Postfix: what it takes, refuses and delivers, in the clear and through STARTTLS."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from channels.contract import FailureReason, MessageAttachment, MessageContent, OutcomeKind, RecipientRow
from channels.contract.conformance import WAIT, DirectIO, RecordingGate
from render_ext import Identity, TokenKey, TokenSigner

POSTFIX = "/usr/sbin/postfix"
MAIN = """
compatibility_level = 3.6
maillog_file_prefixes = {root}
maillog_file = {root}/log
queue_directory = {root}/queue
data_directory = {root}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_unauth_destination
message_size_limit = 200000
virtual_mailbox_domains = example.org
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = regexp:{root}/boxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {root}/certificate.pem
smtpd_tls_key_file = {root}/key.pem
"""
MASTER = """
127.0.0.1:{port} inet n - n - 20 smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
smtp unix - - n - - smtp
"""


@dataclass(frozen=True)
class Postfix:
    """A running Postfix."""

    port: int
    mail: Path

    def delivered(self) -> list[bytes]:
        """The messages in the mailbox."""
        return [path.read_bytes() for path in sorted((self.mail / "box" / "new").glob("*"))]


@pytest.fixture(scope="module")
def postfix(self_signed: tuple[bytes, bytes]) -> Iterator[Postfix]:
    """Postfix with a configuration and a queue of its own."""
    _check_installed()
    root = Path(tempfile.mkdtemp(prefix="clarion-postfix-"))
    try:
        found = _set_up(root, self_signed)
        _postfix(root, "start")
        try:
            yield found
        finally:
            _postfix(root, "stop")
    finally:
        shutil.rmtree(root)


def _check_installed() -> None:
    if not Path(POSTFIX).exists():
        missing = "needs Postfix: apt-get install --no-install-recommends postfix"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    if os.geteuid() != 0:
        pytest.skip("Postfix can only be started by root")


def _set_up(root: Path, self_signed: tuple[bytes, bytes]) -> Postfix:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
    root.chmod(0o755)
    for name, user in (("queue", None), ("data", owner), ("mail", nobody)):
        (root / name).mkdir()
        if user is not None:
            os.chown(root / name, user.pw_uid, user.pw_gid)
    (root / "main.cf").write_text(MAIN.format(root=root, uid=nobody.pw_uid, gid=nobody.pw_gid))
    (root / "master.cf").write_text(MASTER.format(port=port))
    (root / "boxes").write_text("/^person[0-9]+@example\\.org$/ box/\n")
    (root / "key.pem").write_bytes(self_signed[0])
    (root / "certificate.pem").write_bytes(self_signed[1])
    return Postfix(port, root / "mail")


def _postfix(root: Path, command: str) -> None:
    done = subprocess.run([POSTFIX, "-c", str(root), command], text=True, capture_output=True, check=False, timeout=60)
    log = (root / "log").read_text() if (root / "log").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + log


async def send(channel: Any, messages: Any, connections: int = 5) -> RecordingGate:
    """Send one batch."""
    gate = RecordingGate()
    sender = channel.open(DirectIO(), connections=connections)
    await asyncio.wait_for(sender.send(messages, gate), WAIT)
    await sender.close()
    assert gate.mistakes == []
    return gate


@pytest.mark.parametrize("security", ["none", "starttls"])
async def test_every_message_is_delivered_once(postfix: Postfix, email: Any, batch: Any, security: str) -> None:
    before = len(postfix.delivered())
    channel = email(postfix.port, security=security, verify_certificates=False)
    body = b"Subject: %s\r\n\r\n.dots\r\n..\r\n.\r\nend\r\n" % security.encode()
    gate = await send(channel, batch(60, body=body))
    assert gate.accepted() == set(range(60))
    assert all(outcome.provider_id for outcome in gate.settled.values())
    async with asyncio.timeout(WAIT):
        while len(postfix.delivered()) < before + 60:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    ours = [message for message in postfix.delivered() if b"Subject: " + security.encode() in message]
    assert len(ours) == 60
    assert all(message.endswith(b"\n\n.dots\n..\n.\nend\n") for message in ours)


async def test_refusals_are_understood(postfix: Postfix, email: Any, batch: Any) -> None:
    messages = [
        *batch(2),
        *batch(1, to="nobody{}@example.org"),
        *batch(1, to="someone{}@elsewhere.example.net"),
        *batch(1, body=b"Subject: x\r\n\r\n" + b"x" * 200_000 + b"\r\n"),
        *batch(2),
    ]
    gate = await send(email(postfix.port), messages, connections=1)
    unknown, relay, large = gate.settled[2], gate.settled[3], gate.settled[4]
    assert gate.accepted() == {0, 1, 5, 6}
    assert (unknown.kind, unknown.reason) == (OutcomeKind.INVALID_ADDRESS, FailureReason.USER_UNKNOWN)
    assert unknown.code == "550 5.1.1"
    assert relay.kind is OutcomeKind.ACCOUNT_ERROR
    assert large.kind is OutcomeKind.TOO_LARGE


async def test_it_can_be_checked(postfix: Postfix, email: Any) -> None:
    result = await email(postfix.port, security="starttls", verify_certificates=False).check(DirectIO())
    assert result.ok
    assert "with pipelining" in result.message


async def test_a_message_with_files_is_read_back_unchanged_and_archived(postfix: Postfix, email: Any) -> None:
    # Given a message with a picture, an attachment and fields with values
    logo, table = b"\x89PNG\r\n\x1a\n" + bytes(5000), "ä;ö\r\n.\r\n".encode() * 300
    channel = email(postfix.port, archive_address="person999@example.org")
    program = channel.compile(
        MessageContent(
            parts={
                "subject": "Files",
                "html": '<p>Dear {{ name }},</p>\n.<img alt="" src="cid:logo">\n',
                "text": "Dear {{ name }}\n.\n",
                "from_address": "shop@example.org",
                "headers": "X-Customer: {{ name }}",
                "to_name": "{{ name }}",
            },
            tracked=False,
            date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            seed="postfix",
            signer=TokenSigner("https://t.example.com", TokenKey(1, bytes(32))),
            attachments=(
                _file("Übersicht 請求書.csv", "text/csv; charset=utf-8", table),
                _file("logo.png", "image/png", logo, "logo"),
            ),
        )
    )
    row = RecipientRow(address="person7@example.org", identity=Identity(77, 1, 7), values={"name": "Zoë\r\nBcc: x"})
    (message,) = program.render([row])
    before = set(postfix.delivered())

    # When it is sent
    gate = await send(channel, [message])
    assert gate.accepted() == {0}
    async with asyncio.timeout(WAIT):
        while len(set(postfix.delivered()) - before) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    # Then both mailboxes hold it, byte for byte after what Postfix writes before it
    sent = message.body.replace(b"\r\n", b"\n")
    arrived = sorted(set(postfix.delivered()) - before)
    assert all(one.endswith(b"\n" + sent) for one in arrived)
    assert sorted(re.findall(rb"^Delivered-To: (.*)$", b"".join(arrived), re.MULTILINE)) == [
        b"person7@example.org", b"person999@example.org",
    ]  # fmt: skip
    read = BytesParser(policy=policy.default).parsebytes(arrived[0])
    assert {part.get_filename(): part.get_payload(decode=True) for part in read.walk() if part.get_filename()} == {
        "Übersicht 請求書.csv": table, "logo.png": logo,
    }  # fmt: skip
    assert read["x-customer"] == "Zoë  Bcc: x"


def _file(name: str, media_type: str, content: bytes, content_id: str | None = None) -> MessageAttachment:
    digest = hashlib.sha256(content).hexdigest()
    return MessageAttachment(
        name=name, media_type=media_type, size=len(content), sha256=digest, content=content, content_id=content_id
    )  # fmt: skip
