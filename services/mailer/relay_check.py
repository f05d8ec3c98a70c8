"""Does one of the relays take mail? Opens a session and ends it; sends nothing."""

import asyncio

from services.mailer.connection import Connection
from services.mailer.settings import settings
from shared.errors import TransientError


def check_relay() -> None:
    """Raise TransientError with a sentence on the relay, and SettingsError where MAILER_SMTP_URL cannot be read."""
    asyncio.run(_greet())


async def _greet() -> None:
    here = settings()
    for number, relay in enumerate(here.relays, start=1):
        try:
            connection = await Connection.connect(relay, here)
        except TransientError:
            if number == len(here.relays):
                raise
        else:
            await connection.close()
            return
