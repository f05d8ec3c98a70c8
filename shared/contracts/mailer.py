"""The mailer service's messages: a template and its recipients in, every recipient's fate out."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from shared.contracts.base import Blob, Command, Message, Result, UploadId
from shared.contracts.mailer_preview import Preflight, PreviewResult
from shared.contracts.registry import Contract
from shared.contracts.upkeep import MeasureQueues, Sweep

# One line, no control characters: a header can never be injected (RFC 5322, section 2.2).
OneLine = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=998)]
Email = Annotated[
    str, StringConstraints(pattern=r"^[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]+@[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\]+$", max_length=254)
]
OnUnknown = Literal["skip", "resend", "ask"]
"""For whom a mail was offered and the answer lost (a crash, a cut line): leave it, send it again, or fail the job for a human to say."""
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,76}$")]

# Headers the mailer writes itself; a user's copy would contradict them.
RESERVED_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "subject", "date", "message-id", "reply-to", "sender", "return-path", "received",
     "mime-version", "content-type", "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post",
     "dkim-signature"}
)  # fmt: skip


SuppressionReason = Literal["unsubscribed", "hard-bounce", "complaint", "manual"]
SUPPRESSIONS = "suppressions"
"""The register of those whom a tenant does not mail: folded address → `Suppression` as JSON."""


class Suppression(Message):
    """Why an address is not mailed, and since when (Unix ms); `mailing` is the job that it came from, `note` is for people."""

    reason: SuppressionReason
    at: int
    mailing: str = ""
    note: str = ""

    @property
    def over(self) -> str:
        """What an entry has in its JSON that this one takes the place of: unsubscribing stops newsletters only, all else all mail."""
        return "" if self.reason == "unsubscribed" else '"reason": "unsubscribed"'


class Address(Result):
    """A mailbox: the address, and the name that people see."""

    email: Email
    name: OneLine = ""


class Recipient(Result):
    """One recipient and the values of the template's variables for them."""

    email: Email
    name: OneLine = ""
    vars: dict[str, Any] = {}


Who = Literal["failed", "missed", "unknown"]
"""Of a mailing that is over: `failed`, who was refused; `missed`, everybody who has not got it for sure: also who was still to come when it
was cancelled, and all of a dry run; `unknown`, of whom nobody knows, so that they may get it twice."""


class RecipientsOf(Result):
    """The recipients of an earlier mailing, one that is done, of whom `who` is true; with the values that they had in it."""

    mailing: Annotated[str, StringConstraints(pattern=r"^mailer_[0-9A-HJKMNP-TV-Z]{26}$")]
    who: Who


class Attachment(Result):
    """A finished upload to attach to every mail, under `name`; with a `cid`, an image that the HTML shows by `<img src="cid:…">`."""

    upload: UploadId
    name: OneLine
    cid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None


class MailingResult(Result):
    """The counts; the artifact `recipients.csv` says for each recipient what happened and in the server's words."""

    recipients: int
    sent: int
    failed: int
    unknown: int = 0
    """Offered to the server, but the answer was lost: they may or may not have it, and are not mailed again."""
    resent: int = 0
    """Of the sent: sent again after an attempt whose answer was lost, so that they may have two."""
    suppressed: int = 0
    """On the tenant's suppression list: not mailed."""
    canceled: int = 0
    """Not mailed, because the mailing was cancelled before their turn came."""
    rendered: int = 0
    """In a dry run: rendered without an error, sent to nobody."""
    rejected_rows: int = 0
    batches: int
    dry_run: bool = False
    seconds: float
    per_second: float
    preflight: Preflight | None = None


class TestSend(Result):
    """The mailing is for these addresses only, each with the values of one recipient: `like`, else the first."""

    to: Annotated[list[Email], Field(min_length=1, max_length=20)]
    like: Email | None = None


class SendMailing(Command):
    """Mail everybody in `recipients`: inline, or an upload (CSV with a header row, or JSON lines)."""

    kind: ClassVar[str] = "mailer.mailing.v1"
    route: ClassVar[str | None] = "mailings"
    result: ClassVar[type[Result]] = MailingResult
    examples: ClassVar = (
        {
            "from": {"email": "news@example.com", "name": "News"},
            "subject": "Hi {{ name }}",
            "html": "<p>Hello {{ name }}</p>",
            "text": "Hello {{ name }}",
            "recipients": [{"email": "ada@example.com", "vars": {"name": "Ada"}}],
        },
    )

    sender: Address = Field(alias="from")
    subject: OneLine
    html: Annotated[str, StringConstraints(max_length=2_000_000)] | None = None
    mjml: Annotated[str, StringConstraints(max_length=2_000_000)] | None = None
    """Instead of `html`: MJML, compiled once."""
    inline_css: bool = False
    """Write the HTML's CSS into `style` attributes, once; refused where that would change anything else."""
    text: Annotated[str, StringConstraints(max_length=2_000_000)] | None = None
    recipients: Annotated[list[Recipient], Field(min_length=1, max_length=100_000)] | UploadId | RecipientsOf
    reply_to: Address | None = None
    headers: Annotated[dict[HeaderName, OneLine], Field(max_length=32)] = {}
    attachments: Annotated[list[Attachment], Field(max_length=10)] = []
    list_unsubscribe: OneLine | None = None
    """`one-click`: each recipient gets a link of their own to this installation's gateway (`{{ unsubscribe_url }}` in the templates), and
    both headers of RFC 8058. Otherwise an https:// or mailto: address, which may be a template."""
    rate_per_second: Annotated[float, Field(gt=0, le=10_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=5_000)] = 250
    dry_run: bool = False
    test: TestSend | None = None
    """Send it to yourself first: marked in the subject ([Test]) and by the header X-Counterfoil-Test, to nobody of `recipients`."""
    preflight: Literal["report", "strict", "off"] = "report"
    """What is looked at before the first mail (size, parts, unsubscribing, SPF, DKIM, DMARC, the big mailbox providers' rules): told in the
    result; with `strict` an error among it ends the mailing before anybody is mailed."""
    on_unknown: OnUnknown | None = None
    """None: resend where the job's priority is high, else skip."""
    transactional: bool = False
    """What its recipient asked for (a password reset): goes to those who unsubscribed, too, but to nobody who bounced or complained."""

    @model_validator(mode="after")
    def _has_a_body(self) -> "SendMailing":
        if self.html is None and self.text is None and self.mjml is None:
            msg = "give html (or mjml), text or both: a mail needs a body"
            raise ValueError(msg)
        if self.html is not None and self.mjml is not None:
            msg = "give html or mjml, not both: mjml becomes the html"
            raise ValueError(msg)
        cids = [attached.cid for attached in self.attachments if attached.cid]
        if len(set(cids)) < len(cids):
            msg = "two attachments have the same cid"
            raise ValueError(msg)
        return self

    @field_validator("headers")
    @classmethod
    def _no_reserved_header(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if name.lower() in RESERVED_HEADERS:
                msg = f"{name} is written by the mailer; leave it out"
                raise ValueError(msg)
        return headers


class PreviewMailing(SendMailing):
    """Internal: write the mail of one recipient (`like`, else the first), and send nothing."""

    kind: ClassVar[str] = "mailer.preview.v1"
    route: ClassVar[str | None] = None
    result: ClassVar[type[Result]] = PreviewResult

    like: Email | None = None


class BatchResult(Result):
    """What became of one batch. `planned_at` (Unix seconds) and the rejected rows repeat what the plan said of the mailing."""

    sent: int
    failed: int
    unknown: int = 0
    resent: int = 0
    suppressed: int = 0
    canceled: int = 0
    rendered: int = 0
    planned_at: float = 0.0
    rejected_rows: int = 0
    rejected: Blob | None = None


class SendBatch(Command):
    """Internal: mail one batch of a mailing.

    `mailing` is the parent's job id, `content` a blob of JSON (templates, headers), `recipients` one of JSON lines with
    `count` recipients. `rate_per_second` is the mailing's, shared by its batches; `not_before` (Unix seconds) is when that rate
    lets this one begin. `planned_at`, `rejected_rows` and `rejected` (the file of those rows) travel to the result, where the
    mailing reads them again.
    """

    kind: ClassVar[str] = "mailer.batch.v1"
    result: ClassVar[type[Result]] = BatchResult

    mailing: str
    number: Annotated[int, Field(ge=0)]
    content: Blob
    recipients: Blob
    count: Annotated[int, Field(ge=0)] = 0
    dry_run: bool = False
    rate_per_second: float | None = None
    not_before: float = 0.0
    planned_at: float = 0.0
    rejected_rows: int = 0
    rejected: Blob | None = None
    on_unknown: OnUnknown = "skip"
    transactional: bool = False


class BouncesResult(Result):
    """What one look at the bounces found: mails read, by what they said; `amended`: mailings whose recipients.csv tells of them now."""

    read: int = 0
    hard: int = 0
    """The mailbox is not there: suppressed from now on."""
    soft: int = 0
    """Refused for another reason (a full mailbox, a policy): told in recipients.csv, no more."""
    complaint: int = 0
    """Somebody pressed "this is spam": suppressed from now on."""
    notice: int = 0
    """A delay, a delivery, an automatic reply: nothing to do."""
    unparsed: int = 0
    """Not understood, or not about a mail of ours: kept in the folder `.unparsed`."""
    amended: int = 0
    waiting: int = 0
    """Bounces that wait for their mailing's end, or for the next time that its recipients.csv is written."""


class CollectBounces(Command):
    """Internal: read the bounces that have come in, and act on them."""

    kind: ClassVar[str] = "mailer.bounces.v1"
    result: ClassVar[type[Result]] = BouncesResult


class SweepMailer(Sweep):
    """The mailer service's sweep."""

    kind: ClassVar[str] = "mailer.sweep.v1"


class MeasureMailer(MeasureQueues):
    """The mailer service's look at its queues."""

    kind: ClassVar[str] = "mailer.measure.v1"


CONTRACT = Contract(
    "mailer", "Personal mail to many recipients", (SendMailing, PreviewMailing, SendBatch, CollectBounces, SweepMailer, MeasureMailer)
)
