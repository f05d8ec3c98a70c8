"""One SMTP session: greet, encrypt, log in, then hand over mail after mail.

Where EHLO offers PIPELINING (RFC 2920), MAIL, RCPT and DATA go out in one write, together with the body of the mail before,
so that a mail costs one round trip; every reply of a group is read. Otherwise each command waits for its answer. Each outcome
says in which phase it fell, because what may be tried again depends on it.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from services.mailer.login import log_in
from services.mailer.settings import MailerSettings, Relay
from services.mailer.wire import DisconnectedError, Reply, Wire
from shared.errors import TransientError

Phase = Literal["mail", "rcpt", "data", "body"]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
QUIT_WAIT = 1.0
GO_AHEAD = 354
CLOSING = 421


NO_UTF8 = Reply(553, ("5.6.7 not offered: this mail server takes no address with letters beyond ASCII before the @ (no SMTPUTF8)",))


Envelope = tuple[str, str]
"""Sender and recipient, as `mailboxes.normalise` gives them."""


class UnknownOutcomeError(ConnectionError):
    """The body was offered and the answer lost: the server may or may not have the mail."""


class BusyError(TransientError):
    """The server refused a connection with 421: it has too many."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The server's last word on one mail, and to what it was said."""

    phase: Phase
    reply: Reply


class Connection:
    """A session with the relay. Make it with `connect`; after any `ConnectionError` it is dead."""

    def __init__(self, relay: Relay, settings: MailerSettings) -> None:
        """Not connected yet."""
        self.relay = relay
        self._settings = settings
        self._timeout = settings.reply_timeout
        self._wire = Wire()
        self._offers: dict[str, str] = {}
        self._encrypted = relay.implicit_tls
        self._open_transaction = False
        self._ahead: Envelope | None = None
        self.carried = 0
        self.reused = False
        """It lay idle since the last batch: that it broke says nothing about the server."""

    @classmethod
    async def connect(cls, relay: Relay, settings: MailerSettings) -> "Connection":
        """Open a session. Raises `TransientError` with a sentence that says what is wrong with the relay."""
        self = cls(relay, settings)
        where = f"the mail server {relay.host}:{relay.port}"
        try:
            await self._open()
        except ssl.SSLError as error:
            self._wire.close()
            raise TransientError(f"{where} has no trustworthy certificate: {error}", type="smtp-tls") from error
        except (OSError, TimeoutError) as error:
            self._wire.close()
            raise TransientError(f"{where} cannot be reached: {str(error) or 'no answer in time'}", type="smtp-unreachable") from error
        except BaseException:
            self._wire.close()
            raise
        return self

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._settings.connect_timeout):
            tls = self._tls_context() if self.relay.implicit_tls else None
            await loop.create_connection(lambda: self._wire, self.relay.host, self.relay.port, ssl=tls)
        self._expect(await self._wire.reply(self._timeout), "greeted with")
        await self._greet()
        if not self._encrypted and "STARTTLS" in self._offers:
            self._expect(await self._command(b"STARTTLS"), "refused STARTTLS with")
            await self._wire.start_tls(self._tls_context(), self.relay.host, self._settings.connect_timeout)
            self._encrypted = True
            await self._greet()
        if self.relay.user:
            await self._log_in()

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self._settings.smtp_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    async def _greet(self) -> None:
        helo = (self._settings.smtp_helo or self._own_name()).encode("ascii")
        reply = await self._command(b"EHLO " + helo)
        if reply.ok:
            words = [line.upper().partition(" ") for line in reply.lines[1:]]
            self._offers = {name: rest for name, _, rest in words}
        else:
            self._offers = {}
            self._expect(await self._command(b"HELO " + helo), "refused the greeting with")

    def _own_name(self) -> str:
        """This host's full name, or the address literal that RFC 5321 (4.1.1.1) wants where there is none."""
        name = socket.gethostname()
        if "." in name and name.isascii():
            return name
        address = self._wire.local_address()
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    async def _log_in(self) -> None:
        """A password or a token crosses a network encrypted or not at all."""
        if not self._encrypted and self.relay.host not in LOOPBACK:
            raise TransientError("the mail server offers no STARTTLS, and the password is not sent in clear", type="smtp-tls")
        await log_in(self._command, self._offers.get("AUTH", "").split(), self.relay, self._settings.smtp_token_file)

    def _expect(self, reply: Reply, what: str) -> None:
        if not reply.ok:
            error = BusyError if reply.code == CLOSING else TransientError
            raise error(f"the mail server {self.relay.host}:{self.relay.port} {what}: {reply}", type="smtp-refused")

    async def _command(self, line: bytes) -> Reply:
        await self._wire.send(line + b"\r\n", self._timeout)
        return await self._wire.reply(self._timeout)

    @property
    def alive(self) -> bool:
        """Nothing is under way, and the server has not hung up, as far as is known."""
        return not self._ahead and not self._open_transaction and not self._wire.lost

    @property
    def pipelines(self) -> bool:
        """May the next envelope travel with this body?"""
        return "PIPELINING" in self._offers

    async def send(
        self, envelope: Envelope, stuffed: bytes, before_body: Callable[[], Awaitable[None]], ahead: Envelope | None = None
    ) -> Outcome:
        """Hand over one mail; `stuffed` ends in the lone dot. `before_body` is awaited when the body is about to go out.

        `ahead` is the envelope of the next call, which travels with this body; only where the server `pipelines`.
        A recipient that the server could not even be told of (SMTPUTF8) is refused here, in its stead.
        Raises `DisconnectedError` where the connection broke before the body (the mail is untouched) and `UnknownOutcomeError`
        where it broke after.
        """
        if not self._can_carry(envelope):
            return Outcome("rcpt", NO_UTF8)
        if ahead is not None and not self._can_carry(ahead):
            ahead = None
        refused = await self._envelope(envelope)
        if refused is not None:
            self._die_if_closing(refused.reply)
            return refused
        await before_body()
        try:
            await self._wire.send(stuffed + _group(ahead) if ahead else stuffed, self._settings.accept_timeout)
            self._ahead = ahead
            reply = await self._wire.reply(self._settings.accept_timeout)
        except ConnectionError as error:
            raise UnknownOutcomeError(str(error)) from error
        self._open_transaction = bool(ahead)
        self.carried += 1
        self._die_if_closing(reply)
        return Outcome("body", reply)

    def _can_carry(self, envelope: Envelope) -> bool:
        return envelope[1].isascii() or "SMTPUTF8" in self._offers

    async def _envelope(self, envelope: Envelope) -> Outcome | None:
        """Sender and recipient, up to the 354; None: the body may go."""
        if self._ahead != envelope:
            if self._ahead:
                raise DisconnectedError("another mail than announced is to be sent")
            if self._open_transaction:
                await self._command(b"RSET")
            self._open_transaction = True
            if not self.pipelines:
                return await self._envelope_in_steps(envelope)
            await self._wire.send(_group(envelope), self._timeout)
        self._ahead = None
        return await self._answers()

    async def _answers(self) -> Outcome | None:
        """To a group of MAIL, RCPT and DATA, each of them read."""
        # After a 421 the server hangs up, so there may be no other answer.
        from_ = await self._wire.reply(self._timeout)
        if from_.code == CLOSING:
            return Outcome("mail", from_)
        to = await self._wire.reply(self._timeout)
        if to.code == CLOSING:
            return Outcome("rcpt", to)
        data = await self._wire.reply(self._timeout)
        if data.code == GO_AHEAD and to.ok and not from_.ok:
            # Out of step: whatever came now might be delivered. Nothing is safe but to hang up.
            self._wire.close()
        elif data.code == GO_AHEAD and not to.ok:
            # The server wants a body for nobody (RFC 2920, 3.1): an empty one, to be refused.
            await self._command(b".")
        if not from_.ok:
            return Outcome("mail", from_)
        if not to.ok:
            return Outcome("rcpt", to)
        return None if data.code == GO_AHEAD else Outcome("data", data)

    async def _envelope_in_steps(self, envelope: Envelope) -> Outcome | None:
        from_, to = _commands(envelope)
        steps: tuple[tuple[Phase, bytes], ...] = (("mail", from_), ("rcpt", to))
        for phase, line in steps:
            reply = await self._command(line)
            if not reply.ok:
                return Outcome(phase, reply)
        reply = await self._command(b"DATA")
        return None if reply.code == GO_AHEAD else Outcome("data", reply)

    def _die_if_closing(self, reply: Reply) -> None:
        if reply.code == CLOSING:
            self._wire.close()

    def drop(self) -> None:
        """Hang up."""
        self._wire.close()

    async def close(self, *, politely: bool = True) -> None:
        """Drop the session; politely: say goodbye, briefly."""
        try:
            if politely:
                await self._wire.send(b"QUIT\r\n", QUIT_WAIT)
                await self._wire.reply(QUIT_WAIT)
        except DisconnectedError:
            return
        finally:
            self._wire.close()


def _group(envelope: Envelope) -> bytes:
    """MAIL, RCPT and DATA, for one write."""
    return b"%s\r\n%s\r\nDATA\r\n" % _commands(envelope)


def _commands(envelope: Envelope) -> tuple[bytes, bytes]:
    """MAIL and RCPT; a recipient beyond ASCII asks for SMTPUTF8 (RFC 6531, 3.4)."""
    sender, recipient = envelope
    extension = b"" if recipient.isascii() else b" SMTPUTF8"
    return b"MAIL FROM:<%s>%s" % (sender.encode("ascii"), extension), b"RCPT TO:<%s>" % recipient.encode()
