"""AUTH: PLAIN (RFC 4616), LOGIN, and XOAUTH2, where a token that somebody else keeps fresh stands for the password."""

import base64
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from services.mailer.settings import Relay
from services.mailer.wire import Reply
from shared.errors import TransientError

GO_ON = 334
Say = Callable[[bytes], Awaitable[Reply]]
"""Says one line and gives the answer."""


async def log_in(say: Say, mechanisms: Collection[str], relay: Relay, token_file: Path | None) -> None:
    """Log in by the best way that both know. Raises `TransientError` with the server's words."""
    if token_file is not None:
        reply = await _with_token(say, mechanisms, relay.user, token_file)
    else:
        reply = await _with_password(say, mechanisms, relay.user.encode(), relay.password.encode())
    if not reply.ok:
        raise TransientError(f"the mail server refused the login: {reply}", type="smtp-login")


async def _with_password(say: Say, mechanisms: Collection[str], user: bytes, password: bytes) -> Reply:
    if "PLAIN" in mechanisms:
        return await say(b"AUTH PLAIN " + base64.b64encode(b"\0%s\0%s" % (user, password)))
    if "LOGIN" in mechanisms:
        await say(b"AUTH LOGIN")
        await say(base64.b64encode(user))
        return await say(base64.b64encode(password))
    raise TransientError("the mail server offers neither AUTH PLAIN nor LOGIN", type="smtp-login")


async def _with_token(say: Say, mechanisms: Collection[str], user: str, token_file: Path) -> Reply:
    """The file is read at each login, so that whoever renews the token need tell nobody."""
    if "XOAUTH2" not in mechanisms:
        raise TransientError("MAILER_SMTP_TOKEN_FILE is set, and the mail server does not offer AUTH XOAUTH2", type="smtp-login")
    token = _token(token_file)
    reply = await say(b"AUTH XOAUTH2 " + base64.b64encode(f"user={user}\x01auth=Bearer {token}\x01\x01".encode()))
    # A refusal comes as a challenge whose text says why; the empty answer to it brings the 5xx.
    return await say(b"") if reply.code == GO_ON else reply


def _token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TransientError(f"MAILER_SMTP_TOKEN_FILE cannot be read: {type(error).__name__}", type="smtp-login") from error
