"""One mail of a mailing, for its author's eyes; and the recipients of a test."""

from collections.abc import Iterator
from email import message_from_bytes, policy

from services.mailer.again import listed
from services.mailer.content import from_command, values_of, writer_of
from services.mailer.preflight import examine
from services.mailer.rows import Rejected, Row, from_list
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import PreviewMailing, Recipient, SendMailing, TestSend
from shared.contracts.mailer_preview import PreviewProblem, PreviewResult
from shared.errors import PermanentError
from shared.job import Job
from shared.mailboxes import BadAddressError, folded, normalise


def chosen(command: SendMailing, like: str | None, job: Job) -> Recipient:
    """The recipient whose values are to be shown: `like`, else the first one that can be mailed. Raises `PermanentError`."""
    try:
        wanted = folded(normalise(like)) if like else None
    except BadAddressError as error:
        raise PermanentError(str(error), type="bad-address", pointer="/like") from error
    for row in listed(command.recipients, job):
        if isinstance(row, Row) and wanted in {None, folded(row.address)}:
            return row.recipient
    missing = f"{like} is not among the recipients" if like else "there is no recipient that can be mailed"
    raise PermanentError(missing, type="unknown-recipient", pointer="/like" if like else "/recipients")


def test_rows(test: TestSend, command: SendMailing, job: Job) -> Iterator[Row | Rejected]:
    """The addresses of a test, as if they were that recipient."""
    values = dict(values_of(chosen(command, test.like, job)))
    yield from from_list(Recipient(email=email, vars=values) for email in test.to)


def preview(command: PreviewMailing, job: Job, settings: MailerSettings) -> PreviewResult:
    """The mail as it would go out, and what the preflight says of it. What is wrong with the request is an answer, not a failure."""
    try:
        content = from_command(command, job, settings)
        recipient = chosen(command, command.like, job)
        writer = writer_of(content, job.id, job)
        raw = writer.write(recipient, *writer.key(recipient))
        report = examine(command, content, job, settings, recipient, 1) if command.preflight != "off" else None
    except PermanentError as error:
        return PreviewResult(problem=PreviewProblem(detail=error.detail, pointer=error.pointer or ""))
    except ValueError as error:  # RenderError, HeaderError: their words begin with the part
        part = str(error).partition(":")[0]
        return PreviewResult(problem=PreviewProblem(detail=str(error), pointer=f"/{part}" if part.isidentifier() else ""))
    message = message_from_bytes(raw, policy=policy.default)
    html, text = (message.get_body((kind,)) for kind in ("html", "plain"))
    return PreviewResult(
        email=recipient.email,
        subject=str(message["Subject"] or ""),
        html=html and _lines(html.get_content()),
        text=text and _lines(text.get_content()),
        headers=[(name, str(value)) for name, value in message.items()],
        bytes=len(raw),
        preflight=report,
    )


def _lines(content: object) -> str:
    """A part's text with line ends as programs have them, not as mail has."""
    return str(content).replace("\r\n", "\n")
