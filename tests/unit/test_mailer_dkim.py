"""DKIM signatures, held to by dkimpy, which has no part in making them."""

import stat
from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.mailer.dkim import Key, Signer, keys_for
from services.mailer.dkim_keys import dkim_keys, main, make
from services.mailer.signing import AHEAD, ahead
from shared.errors import SettingsError

HEAD = (
    b"Date: Thu, 26 Nov 2026 05:41:08 +0000\r\nTo: =?utf-8?b?w4k=?=\r\n <ada@example.org>\r\nSubject: Hi  there\t, Ada\r\n"
    b"From: News <news@example.com>\r\nX-A: first\r\nx-a: second\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
)
MESSAGE = HEAD + b"Hello  Ada \r\n.dot\r\n\r\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[Key]:
    """An RSA and an Ed25519 key of one domain."""
    folder = tmp_path_factory.mktemp("keys")
    return [make("example.com", "r1", folder / "r1", ed25519=False), make("example.com", "e1", folder / "e1", ed25519=True)]


def good(message: bytes, keys: list[Key], index: int = 0) -> bool:
    """Does dkimpy find signature number `index` good?"""
    records = {f"{key.name}.".encode(): key.record.encode() for key in keys}
    try:
        return bool(dkim.DKIM(message).verify(index, dnsfunc=lambda name, timeout=5: records.get(name)))  # noqa: ARG005 - dkimpy's call
    except dkim.ValidationError:
        return False


@pytest.mark.parametrize("body", [b"Hello  Ada \r\n.dot\r\n\r\n\r\n", b"\r\n", b"one line\r\n"])
def test_both_signatures_hold(keys: list[Key], body: bytes) -> None:
    """RSA and Ed25519, whatever the body ends in; relays may fold headers anew and change the case of their names."""
    signed = Signer(keys).signed(HEAD + body)
    refolded = signed.replace(b"Subject: Hi  there\t, Ada", b"SUBJECT:  Hi there\r\n , Ada")

    assert [good(signed, keys, index) for index in (0, 1)] == [True, True]
    assert [good(refolded, keys, index) for index in (0, 1)] == [True, True]
    assert max(map(len, signed.split(b"\r\n"))) < 80


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello  Ada", b"Hello Ada"),
        (b"Subject: Hi", b"Subject: Ha"),
        (b"X-A: first\r\nx-a: second", b"X-A: second\r\nx-a: first"),
        (b"From: News", b"From: Bank <bank@example.net>\r\nFrom: News"),
        (b"To: =?", b"Reply-To: thief@example.net\r\nTo: =?"),
        (b"MIME-Version", b"Cc: a@example.net\r\nMIME-Version"),
        (b"MIME-Version", b"List-Unsubscribe: <https://thief.example/>\r\nMIME-Version"),
    ],
)
def test_a_change_or_a_second_header_breaks_them(keys: list[Key], old: bytes, new: bytes) -> None:
    """Also a header that was not there: From, Reply-To, Cc and the like are signed once more than they are there."""
    forged = Signer(keys).signed(MESSAGE).replace(old, new, 1)

    assert [good(forged, keys, index) for index in (0, 1)] == [False, False]


def test_the_key_nearest_to_the_from_domain_signs(keys: list[Key]) -> None:
    """Its own before its parent's; nobody's otherwise."""
    own = Key("news.example.com", "n1", keys[0].private)

    assert keys_for("news.example.com", [*keys, own]) == [own]
    assert keys_for("a.b.example.com", [*keys, own]) == keys
    assert keys_for("badexample.com", [*keys, own]) == []


def test_a_made_key_is_its_owners_alone_and_says_what_the_dns_must_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The record's strings have 255 bytes at most; a key in use is not replaced."""
    file = tmp_path / "key.pem"
    assert main(["new", "Bücher.example", "s1", str(file)]) == 0
    printed = capsys.readouterr()
    setting = printed.err.strip().removeprefix("MAILER_DKIM_KEYS=")
    strings = printed.out.split('"')[1::2]

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert printed.out.startswith("s1._domainkey.xn--bcher-kva.example. IN TXT ")
    assert "".join(strings) == dkim_keys(setting)[0].record
    assert max(map(len, strings)) <= 255
    assert main(["new", "example.com", "s1", str(file)]) == 1
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("example.com", "reads domain:selector"),
        ("example.com:s 1:/x", "reads domain:selector"),
        ("example.com:s1:/nowhere.pem", "No such file"),
        ("example.com:s1:{folder}/text", "cannot be used"),
        ("example.com:s1:{folder}/short", "needs 2048 bits"),
        ("example.com:r1:{folder}/good example.com:r1:{folder}/good", "twice"),
    ],
)
def test_a_key_that_cannot_be_used_refuses_to_start(tmp_path: Path, entry: str, words: str) -> None:
    """With the entry and the reason."""
    (tmp_path / "text").write_text("hello")
    make("example.com", "r1", tmp_path / "good", ed25519=True)
    short = generate_private_key(65_537, 1_024)  # noqa: S505 - that is the point
    (tmp_path / "short").write_bytes(short.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SettingsError, match=words):
        dkim_keys(entry.format(folder=tmp_path))


def test_mails_signed_ahead_come_in_order_and_no_further_ahead_than_asked() -> None:
    """The sender's memory is bounded, and an error comes in its mail's turn."""
    taken = list[int]()

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        if number == 50:
            raise ValueError("fifty")
        return number

    out = ahead(numbers(), work)
    assert [next(out) for _ in range(50)] == list(range(50))
    assert len(taken) <= 50 + AHEAD + 1
    with pytest.raises(ValueError, match="fifty"):
        next(out)
