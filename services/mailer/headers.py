"""Header fields as bytes: encoded words, folding, display names. The one place where a header line is written.

Every function here refuses line breaks and other control characters, so nothing that comes from a template, a CSV or a
request can begin a header of its own. Encoded words are RFC 2047 (base64, utf-8), folding RFC 5322 2.2.3, file names
RFC 2231.
"""

import binascii
import re
from urllib.parse import quote

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
MAX_LINE = 76
# 39 bytes make 52 characters of base64, 64 with =?utf-8?b?…?=: below the 75 an encoded word may have, and beside a name.
WORD_BYTES = 39
MAX_NAME = 60


class HeaderError(ValueError):
    """The value cannot be a header's; the message says why."""


def refuse_controls(value: str) -> str:
    """The value itself. Raises `HeaderError` where it holds a line break, another control character or half a surrogate."""
    found = CONTROL.search(value)
    if found:
        what = "a line break" if found.group() in "\r\n" else "a control character"
        raise HeaderError(f"it has {what} at position {found.start()}, and a header must be one line")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise HeaderError("it has half of a surrogate pair, which is no character") from error
    return value


def encoded_words(value: str) -> list[bytes]:
    """RFC 2047 words that each hold whole characters and at most 75 bytes."""
    raw, words, start = value.encode(), list[bytes](), 0
    while start < len(raw):
        end = min(start + WORD_BYTES, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:  # noqa: PLR2004 - a byte that goes on with a character (RFC 3629)
            end -= 1
        words.append(b"=?utf-8?b?%s?=" % binascii.b2a_base64(raw[start:end], newline=False))
        start = end
    return words or [b"=?utf-8?b??="]


def fold(parts: list[bytes], used: int) -> bytes:
    """The parts joined by spaces, with a line break before a space where the line would grow past 76 bytes."""
    first = parts[0] if used + len(parts[0]) <= MAX_LINE else b"\r\n " + parts[0]
    out, length = [first], used + len(parts[0])
    for part in parts[1:]:
        if length + 1 + len(part) > MAX_LINE:
            out.append(b"\r\n " + part)
            length = 1 + len(part)
        else:
            out.append(b" " + part)
            length += 1 + len(part)
    return b"".join(out)


def _is_plain(value: str) -> bool:
    return value.isascii() and "=?" not in value and value == value.strip() and "  " not in value


def text(value: str, name: str) -> bytes:
    """An unstructured header's value (Subject, a custom header) for the header `name`. Raises `HeaderError`."""
    refuse_controls(value)
    if not value:
        return b""
    plain = _is_plain(value)
    if plain and len(name) + 2 + len(value) <= MAX_LINE:
        return value.encode()
    words = value.encode().split(b" ") if plain else encoded_words(value)
    if max(map(len, words)) > MAX_LINE:
        words = encoded_words(value)
    return fold(words, len(name) + 2)


def mailbox(address: str, name: str, header: str) -> bytes:
    """`name <address>` for an address header; the address is one that `addresses.normalise` gave. Raises `HeaderError`."""
    refuse_controls(name)
    spec = refuse_controls(address).encode()  # beyond ASCII only in a mail to an address that is (RFC 6532)
    if not name:
        return spec
    plain = _is_plain(name) and len(name) <= MAX_LINE - 2
    if plain and len(header) + len(name) + len(spec) + len(":  <>") <= MAX_LINE and ATOMS.fullmatch(name):
        return b"%s <%s>" % (name.encode(), spec)
    if not plain:
        words = encoded_words(name)
    elif ATOMS.fullmatch(name):
        words = name.encode().split(b" ")
    else:
        words = [b'"%s"' % name.replace("\\", "\\\\").replace('"', '\\"').encode()]
    return fold([*words, b"<%s>" % spec], len(header) + 2)


def attachment_name(name: str) -> bytes:
    """The `filename` parameter of a Content-Disposition, RFC 2231 where it is not plain; a long name keeps its end."""
    refuse_controls(name)
    if len(name) <= MAX_NAME and re.fullmatch(r"[A-Za-z0-9 ._()+-]+", name):
        return b'filename="%s"' % name.encode()
    return b"filename*=utf-8''" + quote(name[-MAX_NAME:] or "attachment", safe="").encode()
