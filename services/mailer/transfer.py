"""Transfer encodings of a body (RFC 2045): as it is, quoted-printable, or base64 where that is shorter.

Every line that comes out is ASCII, has at most 900 bytes, and **does not begin with a dot**, so that a message needs no second look before
it goes over the wire (RFC 5321, 4.5.2): in quoted-printable a dot at a line's start is written `=2E`, base64 has none, and a body that
has one is not sent as it is.
"""

import base64
import binascii
import re
from functools import lru_cache

from services.mailer.headers import HeaderError

MARK = "\ufdd0"
"""Stands in rendered HTML at both ends of what came from a variable. A noncharacter: no text may have it (Unicode, 23.7)."""
CRLF = b"\r\n"
SOFT_BREAK = b"=\r\n"
MAX_PLAIN_LINE = 900
MAX_QUOTED = 75
PIECES = 4_096
"""Pieces of bodies kept encoded: some 2 MB."""
# binascii encodes a blank at a line's end after it has counted the line, which so may reach 78 bytes; 76 are allowed.
LATE_BLANK = re.compile(rb"^(.{74,75})(=20|=09)$", re.MULTILINE)
FIRST_DOT = re.compile(rb"^\.(.?)", re.MULTILINE)


def encode_body(body: str) -> tuple[bytes, bytes]:
    """The transfer encoding's name and the encoded body, its lines parted by CRLF. Raises `HeaderError` for half a surrogate.

    `MARK`s say where a template's own words end and a recipient's begin; they do not get into the body.
    """
    marked = body.replace("\r\n", "\n").replace("\r", "\n") if "\r" in body else body
    normal = marked.replace(MARK, "")
    if normal.isascii() and _is_plain(normal):
        return b"7bit", normal.replace("\n", "\r\n").encode()
    try:
        raw = normal.encode()
    except UnicodeEncodeError as error:
        raise HeaderError("the body has half of a surrogate pair, which is no character") from error
    if base64_is_shorter(len(raw) - len(normal), len(raw)):
        return b"base64", base64.encodebytes(raw.replace(b"\n", CRLF)).replace(b"\n", CRLF)
    return b"quoted-printable", SOFT_BREAK.join([quoted(piece) for piece in marked.split(MARK) if piece])


def base64_is_shorter(more: int, size: int) -> bool:
    """Than quoted-printable, for a text of `size` bytes that is `more` bytes longer in UTF-8 than in characters.

    A non-ASCII byte costs 3 in quoted-printable, any byte 4/3 in base64: beyond one in six base64 is shorter. The bytes that
    UTF-8 added (half to two thirds of the non-ASCII ones) tell that well enough without looking at each.
    """
    return more * 10 > size


@lru_cache(maxsize=PIECES)
def quoted(piece: str) -> bytes:
    """A piece of a body (lines parted by LF), with room for a soft line break after it.

    Kept, for the template's own words are the same in all mails: encoding them anew took half of the time that a mail was made in.
    """
    encoded = binascii.b2a_qp(piece.encode(), istext=True)
    if b"=20\n" in encoded or b"=09\n" in encoded:
        encoded = LATE_BLANK.sub(rb"\1=\n\2", encoded)
    if len(encoded) - encoded.rfind(b"\n") > MAX_QUOTED:
        cut = -3 if encoded[-3:-2] == b"=" else -1
        encoded = encoded[:cut] + b"=\n" + encoded[cut:]
    # Last, so that it holds whatever came before. A line may be full: what follows its dot goes to the next, which may begin with one, too.
    while encoded.startswith(b".") or b"\n." in encoded:
        encoded = FIRST_DOT.sub(lambda dot: b"=2E=\n" + dot[1] if dot[1] else b"=2E", encoded)
    return encoded.replace(b"\n", CRLF)


def _is_plain(body: str) -> bool:
    """May it go as it is? Not with a line too long for SMTP (RFC 5321, 4.5.3.1.6), a dot first, what a mailbox file changes, a boundary."""
    if "\0" in body or "=_" in body or "\nFrom " in body or "\n." in body or body.startswith(("From ", ".")):
        return False
    return len(body) <= MAX_PLAIN_LINE or max(map(len, body.split("\n"))) <= MAX_PLAIN_LINE
