"""STARTTLS, implicit TLS and AUTH against aiosmtpd, a server that was not written here."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.mailer.concluding import conclude
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import MailingResult
from tests.unit.mailer_job import FakeJob, mailing, plan, run_children

# aiosmtpd warns where AUTH is offered without TLS, which one test wants.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "peer.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


class Inbox:
    """aiosmtpd's handler: who got mail, and was it over TLS."""

    def __init__(self) -> None:
        """Empty."""
        self.got: list[tuple[str, bool]] = []

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Note one mail."""
        self.got.append((envelope.rcpt_tos[0], session.ssl is not None))
        return "250 noted"


@contextmanager
def serving(inbox: Inbox, *, implicit: ssl.SSLContext | None = None, **options: Any) -> Iterator[int]:
    """Aiosmtpd in a thread with an event loop of its own; its port."""
    loop = asyncio.new_event_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(inbox, loop=loop, **options))
        return sessions[-1]

    server = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0, ssl=implicit))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_wind_up(server, sessions), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _wind_up(server: asyncio.Server, sessions: list[SMTP]) -> None:
    """The mailer keeps its connections for a next batch: end them from here."""
    server.close()
    for session in sessions:
        if session.transport is not None:
            cast(asyncio.Transport, session.transport).abort()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def server_context(certificate: Path) -> ssl.SSLContext:
    """For the server's side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def logs_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    """The right password only."""
    right = isinstance(given, LoginPassword) and (given.login, given.password) == (b"us er", b"p@ss/w")
    return AuthResult(success=right, handled=False)


def send(tmp_path: Path, url: str, **more: Any) -> tuple[MailingResult, str]:
    """Mail one person; the result and recipients.csv."""
    settings = MailerSettings(home=tmp_path, smtp_url=url, connections=1, **more)
    command = mailing()
    children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
    job = FakeJob(tmp_path, ended=children)
    return conclude(command, job, children), job.artifact("recipients.csv")


@pytest.mark.parametrize("exclude", [[], ["PLAIN"]])
def test_starttls_and_login(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch, exclude: list[str]) -> None:
    """The certificate is checked, then the password crosses the encrypted line, by PLAIN or LOGIN."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    inbox = Inbox()
    options: dict[str, Any] = {"tls_context": server_context(certificate), "require_starttls": True, "auth_required": True}
    with serving(inbox, **options, authenticator=logs_in, auth_exclude_mechanism=exclude) as port:
        result, _ = send(tmp_path, f"smtp://us%20er:p%40ss%2Fw@127.0.0.1:{port}")

    assert result.sent == 1
    assert inbox.got == [("ada@example.com", True)]


def test_a_wrong_password_is_said_in_the_servers_words(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is mailed, and the reason is in recipients.csv; the password is not."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    inbox = Inbox()
    with serving(inbox, tls_context=server_context(certificate), authenticator=logs_in, auth_required=True) as port:
        result, table = send(tmp_path, f"smtp://user:wrong-secret@127.0.0.1:{port}")

    assert result.failed == 1
    assert "refused the login: 535" in table
    assert "wrong-secret" not in table


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path, certificate: Path, scheme: str) -> None:
    """With a sentence that says so; `smtp_verify=False` accepts it."""
    inbox = Inbox()
    options = {"implicit": server_context(certificate)} if scheme == "smtps" else {"tls_context": server_context(certificate)}
    with serving(inbox, **options) as port:
        refused, table = send(tmp_path / "a", f"{scheme}://127.0.0.1:{port}")
        accepted, _ = send(tmp_path / "b", f"{scheme}://127.0.0.1:{port}", smtp_verify=False)

    assert (refused.failed, accepted.sent) == (1, 1)
    assert "has no trustworthy certificate" in table
    assert [recipient for recipient, _ in inbox.got] == ["ada@example.com"]


def test_the_password_is_not_in_the_settings_words() -> None:
    """A log line or a traceback with the settings gives nothing away."""
    settings = MailerSettings(smtp_url="smtp://user:secret@mail.example.com")

    assert "secret" not in repr(settings)
    assert "secret" not in repr(settings.relay)
