"""A mailing's HTML, made ready once: MJML compiled, CSS inlined, `cid:` links pointed at the images that come along."""

import re
from collections.abc import Mapping

from services.mailer.marks import MarkupError
from services.mailer.workbench import done_apart
from shared.contracts.mailer import SendMailing
from shared.errors import PermanentError

CID = re.compile(r"(?<=[\"'(=\s])cid:([A-Za-z0-9._-]+)(?![A-Za-z0-9._@-])")


def html_of(command: SendMailing, domain: str) -> str | None:
    """The HTML template as it is mailed; None: the mail has none. Raises `PermanentError` with a pointer to what is wrong."""
    html = command.html if command.mjml is None else _made("mjml", command.mjml, "/mjml", "bad-mjml")
    if html is not None and command.inline_css:
        html = _made("css", html, "/inline_css", "css-not-inlined")
    return _with_images(html, command, domain)


def _made(step: str, source: str, pointer: str, kind: str) -> str:
    try:
        return done_apart(step, source)
    except MarkupError as error:
        raise PermanentError(str(error), type=kind, pointer=pointer) from error


def content_id(cid: str, domain: str) -> str:
    """A Content-ID for an inline image, without brackets (RFC 2392)."""
    return f"{cid}@{domain}"


def _with_images(html: str | None, command: SendMailing, domain: str) -> str | None:
    """The HTML with whole Content-IDs; each image must be shown, and each that is shown be there."""
    known = {attached.cid: f"/attachments/{index}/cid" for index, attached in enumerate(command.attachments) if attached.cid}
    shown = set(CID.findall(html or ""))
    for cid, pointer in known.items():
        if cid not in shown:
            raise PermanentError(
                f"nothing in the HTML shows cid:{cid}; leave the cid out to attach the file", type="bad-cid", pointer=pointer
            )
    _refuse_missing(shown, known, "/html" if command.mjml is None else "/mjml")
    return html and CID.sub(lambda link: f"cid:{content_id(link[1], domain)}", html)


def _refuse_missing(shown: set[str], known: Mapping[str, str], pointer: str) -> None:
    if missing := sorted(shown - set(known)):
        raise PermanentError(f"the HTML shows cid:{missing[0]}, and no attachment has that cid", type="bad-cid", pointer=pointer)
