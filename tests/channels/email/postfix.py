"""Debian's Postfix, started for the tests that want a real mail server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

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
relay_domains = next.example.net
transport_maps = inline:{{ {{ next.example.net = smtp:[127.0.0.1]:{next_hop} }} }}
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
    """A running Postfix. It keeps the mail of example.org, and hands that for next.example.net to a server at `next_hop`."""

    port: int
    next_hop: int
    mail: Path

    def delivered(self) -> list[bytes]:
        """The messages in the mailbox."""
        return [path.read_bytes() for path in sorted((self.mail / "box" / "new").glob("*"))]


@contextmanager
def running(self_signed: tuple[bytes, bytes]) -> Iterator[Postfix]:
    """Postfix with a configuration and a queue of its own. Skips the test where it cannot be."""
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
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, next_hop = one.getsockname()[1], other.getsockname()[1]
    owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
    root.chmod(0o755)
    for name, user in (("queue", None), ("data", owner), ("mail", nobody)):
        (root / name).mkdir()
        if user is not None:
            os.chown(root / name, user.pw_uid, user.pw_gid)
    (root / "main.cf").write_text(MAIN.format(root=root, uid=nobody.pw_uid, gid=nobody.pw_gid, next_hop=next_hop))
    (root / "master.cf").write_text(MASTER.format(port=port))
    (root / "boxes").write_text("/^person[0-9]+@example\\.org$/ box/\n")
    (root / "key.pem").write_bytes(self_signed[0])
    (root / "certificate.pem").write_bytes(self_signed[1])
    return Postfix(port, next_hop, root / "mail")


def _postfix(root: Path, command: str) -> None:
    done = subprocess.run([POSTFIX, "-c", str(root), command], text=True, capture_output=True, check=False, timeout=60)
    log = (root / "log").read_text() if (root / "log").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + log
