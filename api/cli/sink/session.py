"""One SMTP session of the sink: RFC 5321 with PIPELINING, SIZE, 8BITMIME, SMTPUTF8, STARTTLS, AUTH PLAIN."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from api.cli.sink.behaviour import Behaviour, Stage
from api.cli.sink.data import DataReader
from api.cli.sink.segments import Received

if TYPE_CHECKING:
    from api.cli.sink.server import Sink

_MAIL = re.compile(rb"(?i)MAIL FROM:\s*<([^>]*)>(.*)", re.DOTALL)
_RCPT = re.compile(rb"(?i)RCPT TO:\s*<([^>]*)>")
_SIZE = re.compile(rb"(?i)\sSIZE=(\d+)")
_LONGEST_LINE = 64 * 1024


class Session(asyncio.Protocol):
    """Speaks with one client."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._behaviour: Behaviour = sink.behaviour
        self._transport: asyncio.Transport
        self._rest = b""  # bytes that came and were not worked on yet
        self._out: list[bytes] = []
        self._silent = False  # hanging on purpose, leaving, or gone
        self._leaving = False  # the connection ends once what was said is written
        self._waiting = False  # for a final answer or a TLS handshake: later bytes queue in `_rest`
        self._secure = self._behaviour.implicit_tls
        self._challenged = False
        self._served = 0
        self._data: DataReader | None = None  # of the message being received
        self._reset()

    def _reset(self) -> None:
        self._mail_from: bytes | None = None
        self._recipients: list[bytes] = []
        self._delay = 0.0

    # connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sink.sessions.add(self)
        limit = self._behaviour.max_connections
        if limit is not None and len(self._sink.sessions) > limit:
            self._out.append(b"421 4.7.0 Too many connections\r\n")
            self._leave()
        elif (reply := self._stage(Stage.GREETING, b"220 sink.invalid ESMTP Clarion sink\r\n")) is not None:
            self._out.append(reply)
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:
        self._silent = True
        self._sink.sessions.discard(self)

    def abort(self) -> None:
        """Drop the connection now."""
        self._silent = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._silent:
            return
        self._rest = self._rest + data if self._rest else data
        if not self._waiting:
            self._work()

    def answer_final(self) -> None:
        """The message is kept: say so, and go on with what came meanwhile."""
        if not self._silent:
            self._waiting = False
            self._out.append(b"250 2.0.0 Ok: kept as %d\r\n" % self._sink.accepted)
            self._served += 1
            if self._served == self._behaviour.goodbye_after:
                self._out.append(b"421 4.3.2 Enough messages on this connection\r\n")
                self._leave()
            self._work()

    # work

    def _work(self) -> None:
        while self._rest and not self._silent and not self._waiting:
            if self._data is not None:
                self._receive(self._data)
            elif not self._command():
                break
        self._write()

    def _write(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()
        if self._leaving:
            self._transport.close()

    def _leave(self) -> None:
        self._silent = self._leaving = True

    def _command(self) -> bool:
        line, newline, rest = self._rest.partition(b"\n")
        if not newline:
            if len(line) > _LONGEST_LINE:
                self._out.append(b"500 5.5.6 Line too long\r\n")
                self._leave()
            return False
        self._rest = rest
        if rest and not self._behaviour.pipelining:
            self._out.append(b"554 5.5.0 Improper use of pipelining\r\n")
            self._leave()
            return False
        line = line.rstrip(b"\r")
        if self._challenged:
            reply: bytes | None = self._authenticate(line)
        else:
            handler = _COMMANDS.get(line[:4].upper())
            reply = handler(self, line) if handler else b"500 5.5.2 Unknown command\r\n"
        if reply is not None:
            self._out.append(reply)
        return True

    def _stage(self, stage: Stage, good: bytes) -> bytes | None:
        """The answer at this stage, the good one unless the behaviour says otherwise; None: silence."""
        behaviour = self._behaviour
        if self._sink.accepted < behaviour.well_for:
            return good
        if stage is behaviour.close_at:
            self._leave()
            return None
        if stage is behaviour.hang_at:
            self._silent = True
            return None
        reply = behaviour.replies.get(stage, good)
        if reply.startswith(b"421"):
            self._leave()
        return reply

    # commands

    def _ehlo(self, line: bytes) -> bytes | None:
        self._reset()
        behaviour = self._behaviour
        offers = [b"sink.invalid"]
        if behaviour.pipelining:
            offers.append(b"PIPELINING")
        if behaviour.size is not None:
            offers.append(b"SIZE %d" % behaviour.size)
        if behaviour.eight_bit:
            offers.append(b"8BITMIME")
        if behaviour.smtp_utf8:
            offers.append(b"SMTPUTF8")
        if behaviour.tls is not None and not self._secure:
            offers.append(b"STARTTLS")
        if behaviour.users:
            offers.append(b"AUTH PLAIN")
        offers.append(b"ENHANCEDSTATUSCODES")
        lines = b"".join(b"250-%b\r\n" % offer for offer in offers[:-1])
        return self._stage(Stage.EHLO, lines + b"250 %b\r\n" % offers[-1])

    def _helo(self, line: bytes) -> bytes | None:
        self._reset()
        return self._stage(Stage.EHLO, b"250 sink.invalid\r\n")

    def _mail(self, line: bytes) -> bytes | None:
        if self._mail_from is not None:
            return b"503 5.5.1 Nested MAIL command\r\n"
        found = _MAIL.match(line)
        if found is None:
            return b"501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
        size = _SIZE.search(found[2])
        if size and self._behaviour.size is not None and int(size[1]) > self._behaviour.size:
            return b"552 5.3.4 Message too big for this system\r\n"
        reply = self._stage(Stage.MAIL, b"250 2.1.0 Ok\r\n")
        if reply is not None and reply.startswith(b"2"):
            self._mail_from = found[1]
        return reply

    def _rcpt(self, line: bytes) -> bytes | None:
        if self._mail_from is None:
            return b"503 5.5.1 Need MAIL command\r\n"
        found = _RCPT.match(line)
        if found is None:
            return b"501 5.5.4 Syntax: RCPT TO:<address>\r\n"
        recipient = found[1]
        for rule in self._behaviour.rules:
            if recipient.startswith(rule.prefix):
                if rule.reply is not None:
                    return rule.reply
                self._delay = max(self._delay, rule.delay)
        reply = self._stage(Stage.RCPT, b"250 2.1.5 Ok\r\n")
        if reply is not None and reply.startswith(b"2"):
            self._recipients.append(recipient)
        return reply

    def _data_command(self, line: bytes) -> bytes | None:
        if self._mail_from is None:
            return b"503 5.5.1 Need MAIL command\r\n"
        if not self._recipients and not self._behaviour.empty_data:
            return b"554 5.5.1 No valid recipients\r\n"
        reply = self._stage(Stage.DATA, b"354 End data with <CR><LF>.<CR><LF>\r\n")
        if reply is not None and reply.startswith(b"354"):
            self._data = DataReader()
        return reply

    def _rset(self, line: bytes) -> bytes:
        self._reset()
        return b"250 2.0.0 Ok\r\n"

    def _noop(self, line: bytes) -> bytes:
        return b"250 2.0.0 Ok\r\n"

    def _quit(self, line: bytes) -> bytes:
        self._leave()
        return b"221 2.0.0 Bye\r\n"

    def _auth(self, line: bytes) -> bytes:
        mechanism, _, initial = line[5:].partition(b" ")
        if mechanism.upper() != b"PLAIN" or not self._behaviour.users:
            return b"504 5.5.4 Unknown mechanism\r\n"
        if not initial:
            self._challenged = True
            return b"334 \r\n"
        return self._authenticate(initial)

    def _authenticate(self, response: bytes) -> bytes:
        self._challenged = False
        try:
            _, user, password = base64.b64decode(response, validate=True).decode().split("\0")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return b"501 5.5.2 Cannot decode the response\r\n"
        if self._behaviour.users.get(user) != password:
            return b"535 5.7.8 Authentication credentials invalid\r\n"
        return b"235 2.7.0 Authentication successful\r\n"

    def _starttls(self, line: bytes) -> bytes | None:
        if self._behaviour.tls is None or self._secure:
            return b"502 5.5.1 Not here\r\n"
        self._transport.write(b"220 2.0.0 Ready to start TLS\r\n")
        self._rest = b""  # what came in the clear after the command is not trusted (RFC 3207)
        self._waiting = self._secure = True
        self._sink.spawn(self._upgrade())
        return None

    async def _upgrade(self) -> None:
        assert self._behaviour.tls is not None
        loop = asyncio.get_running_loop()
        try:
            upgraded = await loop.start_tls(self._transport, self, self._behaviour.tls, server_side=True)
        except OSError:
            upgraded = None
        if upgraded is None:
            self.abort()
            return
        self._transport = upgraded
        self._waiting = False
        self._reset()
        self._work()

    # message data

    def _receive(self, reader: DataReader) -> None:
        data, self._rest = self._rest, b""
        if reader.fresh and self._stage(Stage.BODY, b"") is None:
            return
        if reader.feed(data):
            self._rest = reader.rest
            self._complete(reader.body)

    def _complete(self, body: bytes) -> None:
        assert self._mail_from is not None
        message = Received(self._mail_from, tuple(self._recipients), body)
        delay = self._delay
        self._data = None
        self._reset()
        reply = self._stage(Stage.FINAL, b"" if message.recipients else b"250 2.0.0 Ok: sent to nobody\r\n")
        if reply:
            self._out.append(reply)
        elif self._silent:  # kept, and the answer is lost
            self._sink.keep(message, None, 0.0)
        else:
            self._waiting = True
            self._sink.keep(message, self, delay)


_Handler = Callable[[Session, bytes], bytes | None]
_COMMANDS: dict[bytes, _Handler] = {
    b"EHLO": Session._ehlo,
    b"HELO": Session._helo,
    b"MAIL": Session._mail,
    b"RCPT": Session._rcpt,
    b"DATA": Session._data_command,
    b"RSET": Session._rset,
    b"NOOP": Session._noop,
    b"QUIT": Session._quit,
    b"AUTH": Session._auth,
    b"STAR": Session._starttls,
}
