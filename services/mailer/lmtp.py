"""The door for bounces: `python -m services.mailer.lmtp` takes mail by LMTP (RFC 2033) and puts it into `MAILER_BOUNCE_MAILDIR`.

For a mail server that delivers to a socket (Postfix: `bounce.example.com lmtp:[127.0.0.1]:2424` in `transport_maps`); one that writes into
a Maildir itself needs no such door. A mail is on disk before it is acknowledged. With a bounce address set, only mail to it is taken.
"""

import asyncio
import logging
import signal
from functools import partial
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP

from services.mailer.maildir import Maildir
from services.mailer.settings import MailerSettings, settings
from shared.errors import SettingsError
from shared.logging import configure
from shared.settings import PlatformSettings

log = structlog.get_logger()

LARGEST = 10_000_000
"""Bytes of a mail."""


class Door:
    """aiosmtpd's hooks: whom a mail may be for, and what becomes of it."""

    def __init__(self, maildir: Maildir, bounce_address: str) -> None:
        """`bounce_address` '': any mail is taken."""
        self._maildir = maildir
        self._name, _, self._domain = bounce_address.lower().partition("@")

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Bounces only."""
        name, _, domain = address.lower().partition("@")
        if self._name and (name.partition("+")[0], domain) != (self._name, self._domain):
            return "550 5.1.1 only bounces are taken here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """On disk, then 250; with LMTP one answer for each recipient."""
        content: bytes = envelope.content
        for address in envelope.rcpt_tos:
            head = f"Delivered-To: {address}\r\n".encode("utf-8", "replace")
            await asyncio.to_thread(self._maildir.add, head + content)
        log.info("bounce_taken", bytes=len(content), recipients=len(envelope.rcpt_tos))
        return "\r\n".join(["250 2.0.0 taken"] * len(envelope.rcpt_tos))


async def serve(here: MailerSettings, *, until: asyncio.Event, listening: asyncio.Future[int] | None = None) -> None:
    """Listen until told to stop. Raises `SettingsError` where there is no Maildir to put mail into."""
    if here.bounce_maildir is None:
        raise SettingsError("MAILER_BOUNCE_MAILDIR is not set: the LMTP door has nowhere to put bounces.")
    maildir = Maildir(here.bounce_maildir)
    maildir.make()
    door = Door(maildir, here.bounce_address)
    make = partial(LMTP, door, hostname="bounces", data_size_limit=LARGEST, enable_SMTPUTF8=True)
    server = await asyncio.get_running_loop().create_server(make, here.lmtp_host, here.lmtp_port)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        log.info("lmtp_door_opened", host=here.lmtp_host, port=port)
        if listening is not None:
            listening.set_result(port)
        await until.wait()


async def _main() -> None:
    until, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, until.set)
    await serve(settings(), until=until)


if __name__ == "__main__":
    configure("mailer", PlatformSettings().log_level)
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's, a line for each command
    asyncio.run(_main())
