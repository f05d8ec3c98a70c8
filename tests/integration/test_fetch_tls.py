"""Fetching over real TLS: certificates are checked against the name, though the connection goes to an address."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.addresses import networks
from shared.errors import PermanentError, TransientError
from shared.fetch import FetchRules, fetch
from shared.webhooks.posting import Reach, post

BODY = bytes(range(256)) * 4_096
RULES = FetchRules(max_bytes=len(BODY), resolve=lambda _host, _port: ["127.0.0.1"], allowed=lambda _address: True)
"""Every name is this machine, and that is allowed."""


def _silent() -> None:
    """Nobody cancels."""


def _untold(_done: int, _total: int | None) -> None:
    """Nobody watches."""


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS with a certificate for films.example alone, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "films.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("films.example")]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "pem").write_bytes(pem + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "pem")
    return server, ssl.create_default_context(cadata=pem.decode())


@pytest.fixture
def secure_port(certified: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[int]:
    """A TLS server that answers one request with a film, as often as it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), raw, certified[0].wrap_socket(raw, server_side=True) as connection:
                    connection.recv(10_000)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_film_arrives_whole_over_tls(secure_port: int, certified: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path) -> None:
    """The name in the URL is checked against the certificate, though the connection went to an address."""
    trusting = replace(RULES, tls=certified[1])
    fetched = fetch(f"https://films.example:{secure_port}/", tmp_path / "film", trusting, checkpoint=_silent, progress=_untold)

    assert fetched.bytes == len(BODY)
    assert (tmp_path / "film").read_bytes() == BODY


@pytest.mark.parametrize(
    ("host", "trusting"), [("films.example", False), ("other.example", True)], ids=["unknown-authority", "another-name"]
)
def test_a_wrong_certificate_is_refused(
    secure_port: int, certified: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path, host: str, trusting: bool
) -> None:
    """For good: it will be as wrong the next time."""
    strict = replace(RULES, tls=certified[1] if trusting else None)

    with pytest.raises(PermanentError, match="no valid certificate"):
        fetch(f"https://{host}:{secure_port}/", tmp_path / "film", strict, checkpoint=_silent, progress=_untold)


@pytest.mark.parametrize(("host", "trusting"), [("films.example", True), ("films.example", False), ("other.example", True)])
def test_a_webhook_is_as_strict(secure_port: int, certified: tuple[ssl.SSLContext, ssl.SSLContext], host: str, trusting: bool) -> None:
    """The same connection code: the receiver's name is checked against its certificate."""
    tls = certified[1] if trusting else ssl.create_default_context()
    reach = Reach(networks("127.0.0.0/8"), resolve=lambda _host, _port: ["127.0.0.1"], tls=lambda: tls)
    reply = post(f"https://{host}:{secure_port}/", {}, b"{}", reach)

    assert reply.ok == (trusting and host == "films.example")
    assert reply.ok or "no valid certificate" in reply.reason


def test_a_server_without_tls_is_sent_nothing(tmp_path: Path) -> None:
    """It is no https server, and the request does not go out in the clear."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as connection:
                heard.append(connection.recv(10_000))
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(TransientError, match="could not be read"):
            fetch(f"https://films.example:{listener.getsockname()[1]}/", tmp_path / "film", RULES, checkpoint=_silent, progress=_untold)
        thread.join()

    assert b"GET" not in heard[0]
