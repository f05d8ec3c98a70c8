"""What all recipients of a mailing share: planned and checked once, stashed as JSON, opened by every batch."""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.mailer import headers, mime, unsubscribe
from services.mailer.markup import content_id, html_of
from services.mailer.plaintext import from_html, tidied
from services.mailer.settings import MailerSettings
from services.mailer.templates import MailTemplate, TemplateInvalidError, renderer
from shared.contracts.base import Blob, Message
from shared.contracts.mailer import Address, Recipient, SendMailing
from shared.errors import PermanentError
from shared.job import Job
from shared.mailboxes import BadAddressError, normalise


class AttachedFile(Message):
    """An attachment by reference."""

    name: str
    blob: Blob
    cid: str = ""
    """The Content-ID of an image that the HTML shows; empty: a file attached."""


class Content(Message):
    """Templates and headers; addresses are normalised, `text` is there even where it had to be derived."""

    sender: Address
    reply_to: Address | None
    subject: str
    html: str | None
    text: str | None
    text_is_derived: bool
    headers: dict[str, str]
    list_unsubscribe: str | None
    attachments: list[AttachedFile]
    one_click_at: str = ""
    """Where the recipients' own unsubscribe links lead to; empty: they get none of ours."""


def from_command(command: SendMailing, job: Job, settings: MailerSettings) -> Content:
    """Check the request as a whole. Raises `PermanentError` with a pointer to what is wrong."""
    one_click = command.list_unsubscribe == unsubscribe.ONE_CLICK
    unsubscribe.refuse_contradictions(command.list_unsubscribe, transactional=command.transactional, public_url=settings.public_url)
    sender = _address(command.sender, "/from/email")
    domain = sender.email.rpartition("@")[2]
    html = html_of(command, domain)
    content = Content(
        sender=sender,
        reply_to=command.reply_to and _address(command.reply_to, "/reply_to/email"),
        subject=command.subject if command.test is None else f"[Test] {command.subject}",
        html=html,
        text=command.text if command.text is not None or html is None else from_html(html),
        text_is_derived=command.text is None,
        headers=command.headers if command.test is None else {**command.headers, "X-Counterfoil-Test": "true"},
        list_unsubscribe=unsubscribe.TEMPLATE if one_click else command.list_unsubscribe,
        one_click_at=settings.public_url if one_click else "",
        attachments=[
            AttachedFile(name=each.name, blob=job.input(each.upload), cid=content_id(each.cid, domain) if each.cid else "")
            for each in command.attachments
        ],
    )
    _check_templates(content, mjml=command.mjml is not None)
    _check_headers(content)
    size = sum(attached.blob.bytes for attached in content.attachments)
    most = settings.max_attachment_bytes
    if size > most:
        raise PermanentError(f"the attachments have {size:,} bytes together; {most:,} is the limit", pointer="/attachments")
    return content


def _address(address: Address, pointer: str) -> Address:
    try:
        email = normalise(address.email)
    except BadAddressError as error:
        raise PermanentError(str(error), type="bad-address", pointer=pointer) from error
    if not email.isascii():  # every recipient's server would have to offer SMTPUTF8
        raise PermanentError("a sender's part before the @ must be ASCII", type="bad-address", pointer=pointer)
    return Address(email=email, name=address.name)


def _check_templates(content: Content, *, mjml: bool) -> None:
    parts = {"subject": content.subject, "html": content.html, "text": content.text, "list_unsubscribe": content.list_unsubscribe}
    for name, source in parts.items():
        try:
            renderer(source or "", escape=name == "html")
        except TemplateInvalidError as error:
            where = " (it was derived from html; give a text of your own)" if content.text_is_derived and name == "text" else ""
            raise PermanentError(
                f"{error}{where}", type="bad-template", pointer="/mjml" if mjml and name == "html" else f"/{name}"
            ) from error


def _check_headers(content: Content) -> None:
    for name, value in content.headers.items():
        try:
            headers.text(value, name)
        except headers.HeaderError as error:
            raise PermanentError(str(error), type="bad-header", pointer=f"/headers/{name}") from error
    listed = content.list_unsubscribe
    if listed and "{" not in listed:
        try:
            mime.unsubscribe(listed)
        except headers.HeaderError as error:
            raise PermanentError(str(error), type="bad-header", pointer="/list_unsubscribe") from error


def values_of(recipient: Recipient) -> Mapping[str, Any]:
    """A recipient's template variables: `email`, `name` where one was given, and over both their own `vars`."""
    named = {"name": recipient.name} if "name" in recipient.model_fields_set else {}
    return {"email": recipient.email, **named, **recipient.vars}


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one mail of a mailing: template and skeleton, ready."""

    mailing: str
    template: MailTemplate
    skeleton: mime.Skeleton
    link: unsubscribe.Link | None = None

    def key(self, recipient: Recipient) -> tuple[str, str]:
        """The recipient's key in this mailing and their address on the wire. Raises `BadAddressError`."""
        address = normalise(recipient.email)
        return mime.message_key(self.mailing, address), address

    def write(self, recipient: Recipient, key: str, address: str) -> bytes:
        """The message. Raises `RenderError` and `HeaderError` (both `ValueError`) where it cannot be written for them."""
        values = values_of(recipient)
        mail = self.template.fill(values if self.link is None else {**values, unsubscribe.VARIABLE: self.link(address)})
        return self.skeleton.build(address=address, name=recipient.name, key=key, mail=mail)


def template_of(content: Content) -> MailTemplate:
    """The templates, compiled."""
    return MailTemplate(
        subject=content.subject,
        html=content.html,
        text=content.text,
        list_unsubscribe=content.list_unsubscribe,
        finish_text=tidied if content.text_is_derived else None,
    )


def _media_type(attached: AttachedFile) -> str:
    """What the upload said, else what the name says: an image of no type is not shown."""
    said = attached.blob.media_type
    return said if said != "application/octet-stream" else mimetypes.guess_type(attached.name)[0] or said


_opened: dict[tuple[str, str], tuple[Content, Writer]] = {}
"""What this process opened last: the batches of a mailing follow one another."""


def open_content(blob: Blob, mailing: str, job: Job) -> tuple[Content, Writer]:
    """Read the stashed content, load its attachments and compile its templates, unless the batch before this one had the same."""
    opened = _opened.get((mailing, blob.sha256 or ""))
    if opened is None:
        with job.open(blob) as path:
            content = Content.model_validate_json(path.read_bytes())
        opened = content, writer_of(content, mailing, job)
        _opened.clear()
        if blob.sha256:
            _opened[mailing, blob.sha256] = opened
    return opened


def writer_of(content: Content, mailing: str, job: Job) -> Writer:
    """Load the attachments and compile the templates."""
    files = []
    for attached in content.attachments:
        with job.open(attached.blob) as path:
            files.append(mime.File(attached.name, _media_type(attached), path.read_bytes(), attached.cid))
    skeleton = mime.Skeleton(
        sender=(content.sender.email, content.sender.name),
        reply_to=(content.reply_to.email, content.reply_to.name) if content.reply_to else None,
        extra=list(content.headers.items()),
        attachments=files,
    )
    link = unsubscribe.links(job, mailing, content.one_click_at) if content.one_click_at else None
    return Writer(mailing, template_of(content), skeleton, link)
