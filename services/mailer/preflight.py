"""Before the first mail: does the template ask for a variable that no recipient has, and what would the mailbox providers say?"""

from email import message_from_bytes, policy

import structlog

from services.mailer import authority, rules
from services.mailer.content import Content, template_of, values_of, writer_of
from services.mailer.dkim import keys_for
from services.mailer.dkim_keys import dkim_keys, signer_of
from services.mailer.rules import Specimen
from services.mailer.settings import MailerSettings
from services.mailer.templates import RenderError, asked_for
from services.mailer.unsubscribe import VARIABLE
from shared.contracts.mailer import Recipient, SendMailing
from shared.contracts.mailer_preview import Finding, Preflight
from shared.errors import PermanentError
from shared.job import Job

log = structlog.get_logger()
REPORT = "preflight.json"


class Fields:
    """Looks at every row as it is planned; costs nothing once each variable was seen."""

    def __init__(self, content: Content) -> None:
        """What the parts ask for and nobody has been seen to have."""
        parts = (content.subject, content.html, content.text, content.list_unsubscribe)
        self._content = content
        self._ours = {VARIABLE: ""} if content.one_click_at else {}
        self._unseen = {name for part in parts if part for name in asked_for(part)} - set(self._ours)
        self.first: Recipient | None = None
        """The first of all recipients."""

    def look(self, recipient: Recipient) -> None:
        """One good row."""
        self.first = self.first or recipient
        if self._unseen:
            self._unseen.difference_update(values_of(recipient))

    def refuse(self) -> None:
        """Raise `PermanentError` where a variable that nobody has makes a mail fail (one with a default does not)."""
        if not self._unseen or self.first is None:
            return
        try:
            template_of(self._content).render({**values_of(self.first), **self._ours})
        except RenderError as error:
            part = str(error).partition(":")[0]
            names = ", ".join(sorted(self._unseen))
            raise PermanentError(
                f"no recipient has a value for {names}, which the template asks for ({error}): nobody was mailed",
                type="missing-variable",
                pointer=f"/{part}",
            ) from error


def examine(command: SendMailing, content: Content, job: Job, settings: MailerSettings, first: Recipient, recipients: int) -> Preflight:
    """What can be found without sending anything. Raises `PermanentError` where it is to be strict and there is an error."""
    signer = signer_of(content.sender.email, settings)
    found: list[Finding] = []
    size, bulk = None, not command.transactional
    try:
        writer = writer_of(content, job.id, job)
        raw = writer.write(first, *writer.key(first))
        message = message_from_bytes(raw, policy=policy.default)
        size = len(raw)
        specimen = Specimen(message, size, content.sender.email, bulk, content.text_is_derived, signer is not None)
        found += rules.findings(specimen)
    except ValueError as error:  # they lack a value; others have it
        found.append(Finding(level="warning", rule="first-recipient", detail=f"the mail of the first recipient cannot be written: {error}"))
    dns = _ask(content.sender.email, found, settings, bulk=bulk)
    rates = [rate for rate in (command.rate_per_second, settings.tenant_rate, settings.server_rate) if rate]
    seconds = round(recipients / min(rates), 1) if rates else None
    report = Preflight(findings=found, dns=dns, recipients=recipients, bytes=size, seconds=seconds)
    log.info("mailing_examined", errors=len(rules.worst(found)), findings=len(found), dns=dns)
    return report


def publish(report: Preflight, command: SendMailing, job: Job) -> None:
    """Keep it with the job. Raises `PermanentError` where it is to be strict and has an error: then nobody is mailed."""
    job.publish(REPORT, report.model_dump_json(indent=1).encode(), "application/json", at_once=command.preflight == "strict")
    errors = rules.worst(report.findings)
    if command.preflight == "strict" and errors:
        raise PermanentError(
            f"nobody was mailed, for the preflight found {len(errors)} error{'s' if len(errors) > 1 else ''}: "
            + "; ".join(each.detail for each in errors),
            type="preflight-failed",
            pointer="/preflight",
        )


def _ask(sender: str, found: list[Finding], settings: MailerSettings, *, bulk: bool) -> str:
    """Add what the DNS says; how that went."""
    domain = rules.domain_of(sender)
    envelope = rules.domain_of(settings.bounce_address or sender)
    if not settings.preflight_dns:
        return "not asked: MAILER_PREFLIGHT_DNS is off"
    if authority.is_reserved(domain):
        return f"not asked: {domain} is a reserved name that no DNS knows"
    try:
        keys = keys_for(domain, dkim_keys(settings.dkim_keys))
        for each in authority.findings(domain, envelope, tuple(keys), authority.system_dns(), bulk=bulk):
            found.append(each)  # noqa: PERF402 - what was found before the DNS fell silent stays
    except authority.SilentError as error:
        return f"no answer: {error}"
    return "answered"
