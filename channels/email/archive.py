"""Hidden copies to an archive (feature map 4.37): a second recipient of the same message, known to its envelope alone.

So the copy is the same bytes, and what the server does not take is not copied. The archive never keeps a message from its
recipient: where the server refuses the address, the message goes without a copy, which is counted and logged.
"""

from __future__ import annotations

from channels.contract import ChannelIO, ConfigProblem
from channels.email.dial import Session
from channels.email.envelope import is_mailbox
from channels.email.replies import Stage, classify
from render_ext.email import DOMAIN

REFUSED = "archive_refused"  # what /metrics calls a message without a copy
REST = 300.0  # seconds without copies after a connection ended at the address
LOG_EVERY = 60.0  # seconds
_ONE_ADDRESS = "Write the address of one mailbox; which recipient a copy is of is told by its To."


class BadArchiveAddress(ValueError):
    """The account's setting is no address."""


def check_archive_address(address: str | None) -> None:
    """Raises BadArchiveAddress for what cannot be asked for on every server."""
    if address is not None and not (address.isascii() and is_mailbox(address)):
        raise BadArchiveAddress("archive_address is not an email address in ASCII")


def archive_setting_problem(address: str | None) -> ConfigProblem | None:
    """Why an account should not get this address, None where nothing is against it.

    Accounts that have one go on sending: their server says what it thinks of it.
    """
    name = "archive_address"
    try:
        check_archive_address(address)
    except BadArchiveAddress:
        return ConfigProblem(field=name, message="not an email address in ASCII")
    if address is None:
        return None
    if "{{" in address or "{%" in address:
        return ConfigProblem(field=name, message="holds Liquid, and is one address for all messages", hint=_ONE_ADDRESS)
    domain = address.rpartition("@")[2]
    if not domain.startswith("[") and DOMAIN.fullmatch(domain) is None:
        return ConfigProblem(field=name, message=f"has {domain[:80]!r} after the @, which is no domain")
    return None


class Archive:
    """The archive of one account in one process, asked for over all its connections."""

    __slots__ = ("_address", "_io", "_next_log", "_rests_until")

    def __init__(self, address: str, io: ChannelIO) -> None:
        self._address = address
        self._io = io
        self._next_log = 0.0
        self._rests_until = 0.0

    def wants(self, recipient: str) -> bool:
        """Whether to ask for a copy of this recipient's message. The archive's own mail is there already."""
        if recipient.lower() == self._address.lower():
            return False
        if self._io.now() < self._rests_until:
            self._io.count(REFUSED)
            return False
        return True

    def command(self, session: Session) -> bytes:
        """What asks for it on this connection.

        A bounce would come to the envelope sender, which names the recipient, who would be blamed for it: where the server
        can be told (RFC 3461), none is sent.
        """
        notify = " NOTIFY=NEVER" if session.dsn else ""
        return f"RCPT TO:<{self._address}>{notify}\r\n".encode()

    def asked(self, reply: bytes | None) -> None:
        """What the server said to the command, None: nothing. One that hangs up on us for it is not asked for a while."""
        if reply is not None and reply.startswith(b"2"):
            return
        now = self._io.now()
        self._io.count(REFUSED)
        if reply is None or reply.startswith(b"421"):
            self._rests_until = now + REST
        if now >= self._next_log:
            self._next_log = now + LOG_EVERY
            code = "no answer" if reply is None else classify(reply, Stage.RCPT).code
            self._io.log("the server refuses the archive address", code=code)


async def archive_refusal(session: Session, sender: str, seconds: float) -> str | None:
    """What the server says against the archive's address, None where it has nothing against it. Sends nothing."""
    if session.archive is None:
        return None
    for command, stage in ((f"MAIL FROM:<{sender}>\r\n".encode(), Stage.MAIL), (session.archive.command(session), Stage.RCPT)):
        session.stream.write(command, 1)
        replies = await session.stream.answers(seconds)
        if not replies:
            return "the connection ended"
        if not replies[0].startswith(b"2"):
            outcome = classify(replies[0], stage)
            return f"{outcome.code} {outcome.text}"
    return None
