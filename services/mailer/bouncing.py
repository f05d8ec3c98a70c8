"""The look at the bounces, every minute: who is not there any more or has complained is suppressed, and their mailing tells of it.

A mail is forgotten only after what it says is in the ledger, and what is said twice counts once there: a look that dies is simply
taken up by the next one. A bounce is believed only by its signed return path, or by the sealed unsubscribe link in the mail that came back:
anybody may write to the bounce address.
"""

import re
import time
from collections import Counter

import structlog

from services.mailer import reports
from services.mailer.amending import SUPPRESSING, amend
from services.mailer.maildir import Maildir
from services.mailer.mime import message_key
from services.mailer.settings import MailerSettings
from services.mailer.verp import HALF_KEY, SECRET, Returned, ReturnPaths
from shared import unsubscribing
from shared.contracts.mailer import SUPPRESSIONS, BouncesResult, CollectBounces, Suppression
from shared.job import Caretaker, Job
from shared.ledger.ids import SYSTEM_TENANT
from shared.mailboxes import BadAddressError, folded, normalise
from shared.metrics import BOUNCE

log = structlog.get_logger()

AT_ONCE = 2_000
"""Mails that one look reads; the next one goes on."""
LOOK_FOR = 45.0
"""Seconds of reading, for the same reason."""
NOTED = "bounces"
"""The register of bounces that their mailing's files do not tell of yet: `<mailing>/<half key>` → what came back."""
LINK = re.compile(re.escape(unsubscribing.PATH) + r"([A-Za-z0-9_-]{20,600})")


def collect(command: CollectBounces, job: Job, settings: MailerSettings) -> BouncesResult:
    """Read what has come in, then write it into the mailings' files."""
    del command
    look = _Look(job, settings)
    if settings.bounce_maildir is not None:
        look.read(Maildir(settings.bounce_maildir))
    amended, waiting = amend(job, look.care, NOTED)
    if look.counts:
        log.info("bounces_collected", **look.counts, amended=amended, waiting=waiting)
    look.care.tally({f"{BOUNCE}{kind}": count for kind, count in look.counts.items()})
    return BouncesResult(read=sum(look.counts.values()), **look.counts, amended=amended, waiting=waiting)


class _Look:
    """One look."""

    def __init__(self, job: Job, settings: MailerSettings) -> None:
        self.care: Caretaker = job.caretaker()
        self.counts: Counter[str] = Counter()
        self._job = job
        self._paths = ReturnPaths(job.secret(SECRET), settings.bounce_address) if settings.bounce_address else None
        self._links = unsubscribing.Links(job.secret(unsubscribing.SECRET))
        self._tenants: dict[str, str] = {}

    def read(self, maildir: Maildir) -> None:
        """All that has come in, a mail at a time."""
        maildir.make()
        until = time.monotonic() + LOOK_FOR
        for mail in maildir.claim(AT_ONCE):
            self._job.checkpoint()
            kind = self._take(mail.read_bytes())
            self.counts[kind] += 1
            (maildir.keep if kind == "unparsed" else maildir.done)(mail)
            if time.monotonic() > until:
                break

    def _take(self, raw: bytes) -> reports.Kind:
        report = reports.read(raw)
        if report.kind in ("unparsed", "notice"):
            return report.kind
        returned, address = self._about(report, raw)
        tenant = self._tenant(returned.mailing) if returned else ""
        if returned is None or not tenant:
            log.warning("bounce_not_ours", said=report.kind)
            return "unparsed"
        now = int(time.time() * 1_000)
        if report.kind in SUPPRESSING and address:
            fact = Suppression(reason=SUPPRESSING[report.kind], at=now, mailing=returned.mailing, note=report.words[:200])
            self.care.register(SUPPRESSIONS, tenant=tenant).keep({folded(address): fact.model_dump(exclude_defaults=True)}, over=fact.over)
        noted = {"kind": report.kind, "words": report.words, "at": now, "known": bool(address)}
        self.care.register(NOTED, tenant=SYSTEM_TENANT).keep({f"{returned.mailing}/{returned.half_key}": noted})
        return report.kind

    def _about(self, report: reports.Report, raw: bytes) -> tuple[Returned | None, str]:
        """Which mail it is about, and whose; '' where the report does not name the address that the return path stands for."""
        returned = self._paths.found(report.places) if self._paths else None
        if returned is not None:
            return returned, _named(report.addresses, returned)
        for token in LINK.findall(raw.decode("ascii", errors="replace")):
            leaving = self._links.opened(token)
            if leaving is not None:
                key = message_key(leaving.mailing, leaving.address)
                return Returned(leaving.mailing, key[:HALF_KEY]), leaving.address
        return None, ""

    def _tenant(self, mailing: str) -> str:
        if mailing not in self._tenants:
            past = self.care.past(mailing)
            self._tenants[mailing] = past.tenant if past else ""
        return self._tenants[mailing]


def _named(addresses: tuple[str, ...], returned: Returned) -> str:
    """The one of these addresses that has the key: a report may name where a mail was forwarded to, or anybody."""
    for given in addresses:
        try:
            address = normalise(given)
        except BadAddressError:
            continue
        if message_key(returned.mailing, address).startswith(returned.half_key):
            return address
    return ""
