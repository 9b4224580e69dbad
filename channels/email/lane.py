"""Messages over one connection, pipelined (RFC 2920).

The end of a message and the commands of the next leave in one write; the next body leaves when the server has
answered both. So a message costs one round trip (two where an archive gets copies), and no more than one is ever handed
over without an answer:

    us      MAIL RCPT DATA      body₁ · hand over₁ · "." MAIL RCPT DATA      body₂ · hand over₂ · …
    server                 354                                          250₁ … 354

The body is sent before the hand-over is recorded: without its end the server throws it away.
"""

from __future__ import annotations

from typing import Protocol

from channels.contract import FailureReason, Outcome, OutcomeKind
from channels.email.archive import Archive
from channels.email.dial import Session
from channels.email.envelope import DATA, commands
from channels.email.replies import Stage, accepted, classify
from channels.email.run import Parcel, Run
from render_ext import dot_stuffed

_END = b".\r\n"
_RSET = b"RSET\r\n"
_MOST_TRIES = 3


class Source(Protocol):
    """Where a lane gets its messages: the pool."""

    def take(self) -> Parcel | None:
        """The next message, if any waits."""
        ...

    def put_back(self, parcel: Parcel) -> None:
        """The connection ended before the server said anything about this one."""
        ...

    async def more(self) -> bool:
        """Wait for messages; False: the connection is not needed any longer."""
        ...

    def answered(self) -> None:
        """The server has answered a message: it works."""
        ...


class Lane:
    """One connection at work."""

    __slots__ = (
        "_current",
        "_final_timeout",
        "_handed",
        "_reply_timeout",
        "_source",
        "served",
        "session",
        "stream",
        "useful",
    )

    def __init__(self, session: Session, source: Source, *, reply_timeout: float, final_timeout: float) -> None:
        self.session = session
        self.stream = session.stream
        self.served = 0  # messages the server has answered here
        self.useful = False  # it answered one, or it was us who left
        self._source = source
        self._reply_timeout = reply_timeout
        self._final_timeout = final_timeout
        self._current: Parcel | None = None  # being offered
        self._handed: Parcel | None = None  # sent to its end, not answered

    def carries(self, run: Run) -> bool:
        """A message of this batch is on its way here."""
        return any(parcel is not None and parcel.run is run for parcel in (self._current, self._handed))

    async def work(self) -> None:
        """Send until the connection ends or is not needed any longer."""
        prefix = b""  # what must precede the next command: the end of a message, or RSET
        try:
            while not self.stream.ended:
                parcel = self._source.take()
                self._current = parcel
                if parcel is not None:
                    prefix = await self._offer(prefix, parcel)
                elif prefix:
                    await self._exchange(prefix)
                    prefix = b""
                elif not await self._source.more():
                    break
        finally:
            self._lose()
            if self._current is not None:
                self._current.give_up()  # only when cut short: otherwise it is settled already

    def _lose(self) -> None:
        if self._handed is not None:
            parcel, self._handed = self._handed, None
            text = "no answer to the message in time" if self.stream.timed_out else "connection lost"
            parcel.settle(Outcome(kind=OutcomeKind.UNKNOWN, reason=FailureReason.NOT_CONNECTED, text=text))

    # one message

    async def _offer(self, prefix: bytes, parcel: Parcel) -> bytes:
        """Bring a message as far as its end, or settle it; returns what must precede the next command."""
        envelope = self._signed_envelope(parcel)
        if isinstance(envelope, Outcome):
            parcel.settle(envelope)
            return prefix
        if parcel.run.wary:
            if prefix:
                await self._exchange(prefix)
                prefix = b""
            if not await self._hand_over(parcel):
                parcel.give_up()
                return b""
        mail, rcpt = envelope
        if self.session.archive is not None and self.session.archive.wants(parcel.message.address):
            replies = await self._with_copy(self.session.archive, prefix, mail, rcpt)
        elif self.session.pipelining:
            replies = await self._exchange(prefix, mail + rcpt + DATA, due=3)
        else:
            replies = await self._in_steps(prefix, mail, rcpt)
        if len(replies) == 3 and replies[2].startswith(b"3"):
            if replies[1].startswith(b"2") and replies[0].startswith(b"2"):
                return await self._deliver(parcel)
            self._refuse(parcel, replies)
            return _END  # the server waits for a message to nobody: an empty one
        self._refuse(parcel, replies)
        return _RSET

    def _signed_envelope(self, parcel: Parcel) -> tuple[bytes, bytes] | Outcome:
        """Sign the message, where the account does; its commands, or why it cannot be sent."""
        signer = self.session.signer
        if signer is not None:
            try:
                parcel.sign(signer)
            except Exception as error:  # harms this message alone
                text = f"not signed with DKIM: {error}"
                return Outcome(kind=OutcomeKind.CONTENT_REJECTED, reason=FailureReason.RENDERING_FAILED, text=text)
        return commands(self.session, parcel.message)

    async def _in_steps(self, prefix: bytes, mail: bytes, rcpt: bytes, last: bytes = DATA) -> list[bytes]:
        """Like the pipelined exchange, for a server that takes one command at a time."""
        if prefix:
            await self._exchange(prefix)
        replies: list[bytes] = []
        for command in (mail, rcpt, last):
            answer = await self._exchange(b"", command, due=1)
            replies += answer
            if not answer or answer[0][:1] not in b"23":
                break
        return replies

    async def _with_copy(self, archive: Archive, prefix: bytes, mail: bytes, rcpt: bytes) -> list[bytes]:
        """Ask for the archive as a second recipient, and for DATA only once the first was taken: the archive alone gets none.

        Returns the replies as the others do, without that of the archive, which keeps nothing from its recipient.
        """
        command = archive.command(self.session)
        if self.session.pipelining:
            replies = await self._exchange(prefix, mail + rcpt + command, due=3)
        else:
            replies = await self._in_steps(prefix, mail, rcpt, command)
        if len(replies) < 2 or not all(reply.startswith(b"2") for reply in replies[:2]):
            return replies[:2]
        archive.asked(replies[2] if len(replies) == 3 else None)
        return replies[:2] + await self._exchange(b"", DATA, due=1)

    async def _exchange(self, prefix: bytes, rest: bytes = b"", due: int = 0) -> list[bytes]:
        """Send and wait for the `due` replies to `rest`; the one to `prefix` is dealt with as it comes."""
        stream = self.stream
        if stream.ended:
            return []
        seconds = self._reply_timeout
        if prefix:
            stream.first = self._settle_handed
            due += 1
            if self._handed is not None:
                seconds = self._final_timeout
        stream.write(prefix + rest, due)
        return await stream.answers(seconds)

    def _settle_handed(self, reply: bytes) -> None:
        parcel, self._handed = self._handed, None
        if parcel is None:  # the answer to RSET or to an empty message to nobody
            return
        self._answered(reply)
        parcel.settle(accepted(reply) if reply.startswith(b"2") else classify(reply, Stage.FINAL))

    def _answered(self, reply: bytes) -> None:
        if not reply.startswith(b"421"):  # that says nothing about the message: the server wants to be left alone
            self.served += 1
            self.useful = True
            self._source.answered()

    async def _deliver(self, parcel: Parcel) -> bytes:
        """The server wants the message. Send it, hand it over; its end goes out with the next write."""
        stream = self.stream
        message = parcel.message
        stream.write(message.body if message.wire_ready else _wire_ready(message.body), 0)
        await stream.written(self._final_timeout)
        if not stream.ended and stream.unasked is None and not await self._hand_over(parcel):
            self.useful = True
            stream.abort()
            parcel.give_up()
            return b""
        if stream.ended or stream.unasked is not None:
            self._refuse_body(parcel)
            return b""
        self._handed = parcel
        return _END

    async def _hand_over(self, parcel: Parcel) -> bool:
        """Ask the gate, once for each message."""
        run = parcel.run
        if parcel.handed_over or run.stopped:
            return parcel.handed_over
        try:
            parcel.handed_over = await run.gate.hand_over(parcel.index)
        except Exception as error:  # the platform cannot record anything: `send` raises it
            run.stop(error)
        run.wary = run.wary or not parcel.handed_over
        return parcel.handed_over

    # when it does not go well

    def _refuse(self, parcel: Parcel, replies: list[bytes]) -> None:
        """Settle by the first reply that is not good; without one, the connection has ended."""
        for reply, stage in zip(replies, (Stage.MAIL, Stage.RCPT, Stage.DATA), strict=False):
            if reply[:1] in b"23":
                continue
            if reply.startswith(b"421") and stage is Stage.MAIL and self._is_stale(parcel):
                return
            self._answered(reply)
            parcel.settle(classify(reply, stage))
            return
        if replies or not self._is_stale(parcel):
            self._lament(parcel)

    def _is_stale(self, parcel: Parcel) -> bool:
        """A connection that worked has ended between messages: send this one over another."""
        parcel.tries += 1
        if self.served == 0 or parcel.handed_over or parcel.tries >= _MOST_TRIES:
            return False
        self._current = None
        self._source.put_back(parcel)
        return True

    def _refuse_body(self, parcel: Parcel) -> None:
        """The server spoke or left in the middle of the message: it has not taken it."""
        reply = self.stream.unasked
        self.stream.abort()
        if reply is not None and reply[:1] in b"45":
            parcel.settle(classify(reply, Stage.FINAL))
        else:
            self._lament(parcel)

    def _lament(self, parcel: Parcel) -> None:
        """The connection ended, and certainly without the message; if it was us, it costs no attempt."""
        if parcel.run.stopped and not parcel.handed_over:
            parcel.give_up()
            return
        text = "no answer in time" if self.stream.timed_out else "connection lost before the end was sent"
        parcel.settle(Outcome(kind=OutcomeKind.TRANSIENT, reason=FailureReason.NOT_CONNECTED, text=text))


def _wire_ready(body: bytes) -> bytes:
    """The body, its dots stuffed (RFC 5321 §4.5.2), ended by CRLF."""
    body = dot_stuffed(body)
    return body if body.endswith(b"\r\n") else body + b"\r\n"
