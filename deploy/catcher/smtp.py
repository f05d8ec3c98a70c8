"""The catcher's SMTP side: takes every mail from everybody and hands it to `keep`.

An own protocol rather than a library, because a body is found here by one search for its end instead of line by line: about
ten times as many mails per second. Speaks RFC 5321 with PIPELINING (RFC 2920), SIZE, 8BITMIME and SMTPUTF8. No TLS, no
login: it is for loopback and for container networks.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import structlog

log = structlog.get_logger()

MAX_MESSAGE = 50_000_000
MAX_COMMAND = 4_096
MAX_RECIPIENTS = 1_000
MAX_NONSENSE = 20
IDLE = 300.0
END = b"\r\n.\r\n"
# No blank and no control character can be in a path, so it can stand in a header line as it is.
SENDER = re.compile(r"FROM:\s*<([^<>\x00-\x20\x7f]*)>(?:\s.*)?", re.IGNORECASE)
RECIPIENT = re.compile(r"TO:\s*<([^<>\x00-\x20\x7f]+)>(?:\s.*)?", re.IGNORECASE)
GREETING = "220 catcher.localhost ESMTP; mail ends here\r\n"
OFFERS = f"250-catcher.localhost\r\n250-PIPELINING\r\n250-SIZE {MAX_MESSAGE}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
PLAIN_ANSWERS = {
    "NOOP": "250 2.0.0 fine\r\n",
    "VRFY": "252 2.0.0 everybody is welcome\r\n",
    "QUIT": "221 2.0.0 goodbye\r\n",
}


@dataclass(slots=True)
class Envelope:
    """Who handed over a mail, from whom and for whom: the SMTP addresses, not the headers."""

    peer: str
    helo: str = ""
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)


Keep = Callable[[Envelope, bytes], int]
"""Stores a mail durably enough to say 250, and returns its number. May raise `OSError`."""


class Session(asyncio.Protocol):
    """One connection. Commands are answered in order, however many arrive in one packet."""

    def __init__(self, keep: Keep) -> None:
        """Nothing is said yet."""
        self._keep = keep
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._envelope = Envelope("")
        self._in_body = False
        self._searched = 0
        self._too_large = False
        self._nonsense = 0
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's call: greet."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._envelope.peer = str(peer[0]) if peer else "local"
        self._transport.write(GREETING.encode())
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's call: what was not answered was not taken."""
        del exc
        self._transport = None
        if self._idle is not None:
            self._idle.cancel()

    def _wait(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE, self._bored)

    def _bored(self) -> None:
        if self._transport is not None:
            self._transport.write(b"421 4.4.2 nothing was said for too long\r\n")
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Asyncio's call: answer everything that is complete, in one write."""
        self._buffer += data
        answers: list[str] = []
        while self._transport is not None and not self._transport.is_closing():
            answer = self._body() if self._in_body else self._line()
            if answer is None:
                break
            answers.append(answer)
            if answer.startswith(("221", "421")):
                self._finish(answers)
                return
        if answers and self._transport is not None:
            self._transport.write("".join(answers).encode())
        self._wait()

    def _finish(self, answers: list[str]) -> None:
        if self._transport is not None:
            self._transport.write("".join(answers).encode())
            self._transport.close()

    def _line(self) -> str | None:
        """The answer to the next command; None: its line is not complete."""
        end = self._buffer.find(b"\n")
        if end < 0 and len(self._buffer) <= MAX_COMMAND:
            return None
        if end < 0 or end > MAX_COMMAND:
            return "421 4.5.2 the line is too long\r\n"
        line = bytes(self._buffer[:end]).rstrip(b"\r").decode("utf-8", errors="replace")
        del self._buffer[: end + 1]
        verb, _, rest = line.partition(" ")
        answer = self._command(verb.upper(), rest.strip())
        self._nonsense += answer.startswith("5")
        return "421 4.7.0 too many errors\r\n" if self._nonsense > MAX_NONSENSE else answer

    def _command(self, verb: str, rest: str) -> str:
        """The answer to one command."""
        if verb in PLAIN_ANSWERS:
            return PLAIN_ANSWERS[verb]
        if verb in {"EHLO", "HELO"}:
            self._reset()
            self._envelope.helo = re.sub(r"[^A-Za-z0-9.:\[\]-]", "", rest)[:255]
            return OFFERS if verb == "EHLO" else "250 catcher.localhost\r\n"
        if verb == "RSET":
            self._reset()
            return "250 2.0.0 forgotten\r\n"
        steps: dict[str, Callable[[str], str]] = {"MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data}
        step = steps.get(verb)
        return step(rest) if step else "500 5.5.1 this command is not known here\r\n"

    def _mail(self, rest: str) -> str:
        found = SENDER.fullmatch(rest)
        if self._envelope.sender is not None:
            return "503 5.5.1 a mail has begun already\r\n"
        if found is None:
            return "501 5.5.4 it reads MAIL FROM:<address>\r\n"
        size = re.search(r"\bSIZE=(\d{1,20})", rest, re.IGNORECASE)
        if size and int(size[1]) > MAX_MESSAGE:
            return "552 5.3.4 the mail is too large\r\n"
        self._envelope.sender = found[1]
        return "250 2.1.0 ok\r\n"

    def _rcpt(self, rest: str) -> str:
        found = RECIPIENT.fullmatch(rest)
        if self._envelope.sender is None:
            return "503 5.5.1 MAIL comes first\r\n"
        if found is None:
            return "501 5.5.4 it reads RCPT TO:<address>\r\n"
        if len(self._envelope.recipients) >= MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients for one mail\r\n"
        self._envelope.recipients.append(found[1])
        return "250 2.1.5 ok\r\n"

    def _data(self, _rest: str) -> str:
        if not self._envelope.recipients:
            return "503 5.5.1 RCPT comes first\r\n"
        self._in_body = True
        # The body's end is CRLF . CRLF, and the CRLF before an empty body's dot is the one that ended DATA.
        self._buffer[:0] = b"\r\n"
        self._searched = 0
        self._too_large = False
        return "354 end with a dot on a line of its own\r\n"

    def _body(self) -> str | None:
        """The answer to a whole body; None: its end is not here."""
        end = self._buffer.find(END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(END) + 1)
            if len(self._buffer) > MAX_MESSAGE:
                self._too_large = True
                del self._buffer[: self._searched]
                self._searched = 0
            return None
        body = bytes(self._buffer[2 : end + 2]).replace(b"\r\n.", b"\r\n")
        body = body[1:] if body.startswith(b".") else body
        del self._buffer[: end + len(END)]
        envelope, self._in_body = self._envelope, False
        self._reset()
        if self._too_large:
            return "552 5.3.4 the mail is too large\r\n"
        try:
            return f"250 2.0.0 kept as {self._keep(envelope, body)}\r\n"
        except OSError as error:
            log.exception("mail_not_kept", reason=str(error))
            return "452 4.3.1 the mail could not be stored\r\n"

    def _reset(self) -> None:
        self._envelope = Envelope(self._envelope.peer, self._envelope.helo)
