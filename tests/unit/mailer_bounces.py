"""Bounces as servers write them, for the tests of what the mailer makes of them, and a caretaker without a ledger."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.contracts.base import Artifact
from shared.job import PastJob
from tests.unit.job_effects import FakeRegister
from tests.unit.mailer_job import register_of

POSTFIX = """\
Return-Path: <>
Delivered-To: {back}
Date: Thu, 26 Nov 2026 05:00:00 +0000 (UTC)
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {back}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.
--B
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Thu, 26 Nov 2026 05:00:00 +0000 (UTC)

Final-Recipient: rfc822; {address}
Original-Recipient: rfc822;{address}
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; {said}

--B
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

From: News <news@example.com>
To: {address}
Subject: Hi

--B--
"""
COMPLAINT = """\
From: <abusedesk@example.net>
Subject: FW: Hi
To: fbl@example.com
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.
--B
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{back}>

--B
Content-Type: message/rfc822
Content-Disposition: inline

From: <news@example.com>
List-Unsubscribe: <https://mail.example.com{path}>
Subject: Hi

Hello
--B--
"""
QMAIL = """\
Return-Path: <>
Delivered-To: {back}
Date: 26 Nov 2026 05:00:00 -0000
From: MAILER-DAEMON@mx.example.net
To: {back}
Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{address}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{back}>
Subject: Hi

Hello
"""


def dsn(back: str, address: str, *, action: str = "failed", status: str = "5.1.1", said: str = "550 5.1.1 no such user") -> bytes:
    """A delivery report as Postfix writes it."""
    text = POSTFIX.format(back=back, address=address, action=action, status=status, said=said)
    return text.replace("\n", "\r\n").encode()


@dataclass
class FakeCaretaker:
    """Implements `shared.job.Caretaker` on dicts."""

    root: Path
    jobs: dict[str, PastJob] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def past(self, job_id: str) -> PastJob | None:
        """What the test put there."""
        return self.jobs.get(job_id)

    def register(self, name: str, *, tenant: str) -> FakeRegister:
        """That which the tenant's jobs have."""
        return register_of(self.root, tenant, name)

    @contextmanager
    def open(self, artifact: Artifact) -> Iterator[Path]:
        """The file itself."""
        yield Path(artifact.key)

    def replace(self, past: PastJob, sources: Mapping[str, Path]) -> bool:
        """Write over the files."""
        for artifact in past.artifacts:
            if artifact.name in sources:
                Path(artifact.key).write_bytes(sources[artifact.name].read_bytes())
        return True

    def tally(self, counts: Mapping[str, int]) -> None:
        """Add them up."""
        self.counts.update(counts)
