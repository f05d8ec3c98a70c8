"""Does the relay take mail? Opens a session and ends it; sends nothing."""

import asyncio

from services.mailer.connection import Connection
from services.mailer.settings import settings


def check_relay() -> None:
    """Raise TransientError with a sentence on the relay, and SettingsError where MAILER_SMTP_URL cannot be read."""
    asyncio.run(_greet())


async def _greet() -> None:
    here = settings()
    connection = await Connection.connect(here.relay, here)
    await connection.close()
