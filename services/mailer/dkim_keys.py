"""DKIM keys: read from the files that `MAILER_DKIM_KEYS` names, and made by `python -m services.mailer.dkim_keys new`.

    python -m services.mailer.dkim_keys new example.com s2026 /etc/counterfoil/s2026.pem
    python -m services.mailer.dkim_keys records

Both print what the DNS must have.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.mailer.dkim import Key, PrivateKey, Signer, keys_for
from services.mailer.settings import MailerSettings, settings
from shared.errors import SettingsError
from shared.mailboxes import BadAddressError, to_ascii

SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE)
RSA_BITS = 2_048
"""RFC 8301 demands 1,024 and advises 2,048; longer keys do not fit one TXT answer over UDP."""


@lru_cache(maxsize=8)
def dkim_keys(setting: str) -> tuple[Key, ...]:
    """The keys of `domain:selector:/file …`, parted by blanks. Raises `SettingsError` with the entry that cannot be used, and why."""
    keys = tuple(map(_read, setting.split()))
    names = [key.name for key in keys]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"MAILER_DKIM_KEYS names {twice[0]} twice; two keys of a domain need two selectors.")
    return keys


def _read(entry: str) -> Key:
    domain, _, rest = entry.partition(":")
    selector, _, file = rest.partition(":")
    if not domain or not file or not SELECTOR.fullmatch(selector):
        raise SettingsError(f"MAILER_DKIM_KEYS has {entry!r}; an entry reads domain:selector:/path/to/key.pem.")
    try:
        private = load_pem_private_key(Path(file).read_bytes(), password=None)
        return Key(to_ascii(domain), selector, _usable(private))
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm, BadAddressError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
        raise SettingsError(f"MAILER_DKIM_KEYS: the key of {selector}._domainkey.{domain} in {file} cannot be used: {reason}.") from error


def _usable(private: object) -> PrivateKey:
    if isinstance(private, RSAPrivateKey) and private.key_size < RSA_BITS:
        raise ValueError(f"an RSA key needs {RSA_BITS} bits, it has {private.key_size}")
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        raise TypeError("it is neither an RSA nor an Ed25519 key")
    return private


def signer_of(sender: str, settings: MailerSettings) -> Signer | None:
    """Who signs for this sender; None: nobody."""
    keys = keys_for(sender.rpartition("@")[2], dkim_keys(settings.dkim_keys))
    return Signer(keys) if keys else None


def refuse_unusable() -> None:
    """For a worker's start: raise `SettingsError` where a key cannot be used."""
    dkim_keys(settings().dkim_keys)


def make(domain: str, selector: str, file: Path, *, ed25519: bool) -> Key:
    """A new key in a new file that only its owner reads. Raises `FileExistsError`: a key in use is never replaced."""
    if not SELECTOR.fullmatch(selector):
        raise SettingsError("a selector has letters, digits, hyphens and dots")
    private: PrivateKey = Ed25519PrivateKey.generate() if ed25519 else generate_private_key(65_537, RSA_BITS)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(pem)
    return Key(to_ascii(domain), selector, private)


def main(argv: Sequence[str] | None = None) -> int:
    """Make a key, or show the records of those in use."""
    parser = argparse.ArgumentParser(prog="python -m services.mailer.dkim_keys", description="DKIM keys and their DNS records.")
    actions = parser.add_subparsers(required=True, dest="action")
    new = actions.add_parser("new", help="make a key")
    new.add_argument("domain", help="that of the From address, or one above it")
    new.add_argument("selector", help="a name of your choice, a new one for each key")
    new.add_argument("file", type=Path)
    new.add_argument("--ed25519", action="store_true", help="short and fast, but few receivers know it: have an RSA key beside it")
    actions.add_parser("records", help="the DNS records of the keys in MAILER_DKIM_KEYS")
    given = parser.parse_args(argv)
    try:
        if given.action == "new":
            keys: Sequence[Key] = [make(given.domain, given.selector, given.file, ed25519=given.ed25519)]
            sys.stderr.write(f"MAILER_DKIM_KEYS={keys[0].domain}:{given.selector}:{given.file.absolute()}\n")
        else:
            keys = dkim_keys(settings().dkim_keys)
    except (SettingsError, OSError, BadAddressError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{key.zone_line()}\n" for key in keys)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
