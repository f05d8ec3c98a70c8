"""The preflight: what it finds in a mail and in the DNS, and when it stops a mailing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.mailer import authority, rules
from services.mailer.concluding import conclude
from services.mailer.dkim import Key
from services.mailer.planning import plan_mailing
from services.mailer.rules import Specimen
from services.mailer.settings import MailerSettings
from shared.errors import PermanentError
from tests.unit.mailer_job import FakeJob, mailing, plan, run_children

HEADERS = {"Subject": "News", "List-Unsubscribe": "<https://n.example/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def found(
    body: str = "Hi", html: str = "", sender: str = "news@shop.example", *, bulk: bool = True, signed: bool = True, **more: str
) -> set[str]:
    """What the rules find in such a mail, as level and rule."""
    message = EmailMessage()
    for name, value in {**HEADERS, **{name.replace("_", "-"): value for name, value in more.items()}}.items():
        if value:
            message[name] = value
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    raw = message.as_bytes(policy=policy.SMTP)
    read = message_from_bytes(raw, policy=policy.default)
    specimen = Specimen(read, len(raw), sender, bulk, text_is_derived=bool(html), signed=signed)
    return {f"{each.level} {each.rule}" for each in rules.findings(specimen)}


def test_what_the_providers_ask_of_a_mail() -> None:
    """Each rule alone; a mail that is as it should be has no finding."""
    assert set() == found()
    assert {"warning unsubscribe"} == found(List_Unsubscribe="")
    assert {"warning one-click"} == found(List_Unsubscribe_Post="")
    assert {"warning dkim"} == found(signed=False)
    assert set() == found(bulk=False, signed=False, List_Unsubscribe="")
    assert {"warning subject"} == found(Subject="") == found(Subject="Re: your order")
    assert {"error from-free-mailbox"} == found(sender="me@Gmail.com")
    assert {"note text-derived"} == found(html="<p>Hi</p>")
    assert {"note text-derived", "warning clipped"} == found(html="<p>" + "x" * 103_000)
    assert {"warning size"} == found(("x" * 75 + "\n") * 136_000)


@dataclass
class Zone:
    """A DNS of a test's own; `silent_after` answers it falls silent."""

    records: Mapping[str, list[str]] = field(default_factory=dict)
    mail: Mapping[str, bool] = field(default_factory=lambda: {"shop.example": True, "n.shop.example": True})
    silent_after: int = 10**6

    def _count(self) -> None:
        self.silent_after -= 1
        if self.silent_after < 0:
            raise authority.SilentError("nobody answers")

    def txt(self, name: str) -> list[str]:
        """The records of a name."""
        self._count()
        return self.records.get(name, [])

    def takes_mail(self, name: str) -> bool | None:
        """As the zone says."""
        self._count()
        return self.mail.get(name)


KEY = Key("shop.example", "s1", Ed25519PrivateKey.generate())
GOOD = {"shop.example": ["v=spf1 mx -all"], "_dmarc.shop.example": ["v=DMARC1; p=reject"], KEY.name: [KEY.record[:40], KEY.record]}


def asked(zone: Zone, domain: str = "shop.example", envelope: str = "", keys: tuple[Key, ...] = (KEY,), *, bulk: bool = True) -> set[str]:
    """What is found in such a zone."""
    return {f"{each.level} {each.rule}" for each in authority.findings(domain, envelope or domain, keys, zone, bulk=bulk)}


def test_what_the_dns_says_of_a_sender() -> None:
    """SPF, DKIM, DMARC and alignment, each missing or wrong alone."""
    assert set() == asked(Zone(GOOD))
    assert {"error from-domain"} == asked(Zone(GOOD), "gone.example")
    assert {"warning from-domain"} == asked(Zone(GOOD, {"shop.example": False}))
    assert {"warning spf"} == asked(Zone({**GOOD, "shop.example": []})) == asked(Zone({**GOOD, "shop.example": ["v=spf1 +all"]}))
    assert {"error spf"} == asked(Zone({**GOOD, "shop.example": ["v=spf1 -all", "v=spf1 mx -all"]}))
    assert {"error dkim"} == asked(Zone({**GOOD, KEY.name: []})) == asked(Zone({**GOOD, KEY.name: ["v=DKIM1; p=AAAA"]}))
    assert {"warning dmarc"} == asked(Zone({**GOOD, "_dmarc.shop.example": []}))
    assert set() == asked(Zone({**GOOD, "_dmarc.shop.example": []}), bulk=False)


def test_alignment_is_by_organization() -> None:
    """A sub-domain's policy is its organization's; bounces elsewhere without a signature of ours do not align."""
    zone = Zone({**GOOD, "n.shop.example": ["v=spf1 mx -all"], "bounce.other.example": ["v=spf1 mx -all"]})

    assert set() == asked(zone, "n.shop.example", "shop.example", ())
    assert {"error alignment"} == asked(zone, "n.shop.example", "bounce.other.example", ())
    assert set() == asked(zone, "n.shop.example", "bounce.other.example")
    assert "shop.example" == authority.organization("a.b.shop.example", zone)
    assert "b.shop.example" == authority.organization("a.b.shop.example", Zone({**GOOD, "_dmarc.b.shop.example": ["v=DMARC1; psd=n"]}))


@pytest.mark.parametrize("after", range(6))
def test_a_dns_that_falls_silent_takes_nothing_back(after: int) -> None:
    """What was found until then is there, and the silence is an exception that says so."""
    zone = Zone({"shop.example": []}, silent_after=after)
    so_far: list[str] = []
    with pytest.raises(authority.SilentError):
        so_far.extend(each.rule for each in authority.findings("shop.example", "shop.example", (KEY,), zone, bulk=True))
    assert so_far == ["spf", "dkim"][: max(0, after - 1)]


@pytest.mark.parametrize("how", ["report", "strict", "off"])
def test_a_mailing_is_told_or_stopped(tmp_path: Path, how: str) -> None:
    """The report is in the result; strict with an error mails nobody, and the report is there all the same; off looks at nothing."""
    settings = MailerSettings(home=tmp_path, preflight_dns=False, tenant_rate=4)
    command = mailing(**{"from": {"email": "me@gmail.com"}}, preflight=how, dry_run=True)
    job = FakeJob(tmp_path)
    if how == "strict":
        with pytest.raises(PermanentError, match="lets only its own servers"):
            plan_mailing(command, job, settings)
        assert "from-free-mailbox" in job.artifact("preflight.json")
        return
    children = run_children(plan(command, job, settings), tmp_path, settings)
    result = conclude(command, FakeJob(tmp_path, ended=children, artifacts=job.artifacts), children)

    if how == "off":
        assert result.preflight is None
        return
    assert result.preflight is not None
    assert {"from-free-mailbox", "unsubscribe", "dkim", "text-derived"} == {each.rule for each in result.preflight.findings}
    assert (1, 0.2, True) == (result.preflight.recipients, result.preflight.seconds, result.preflight.dns.startswith("not asked"))


def test_names_that_no_dns_knows_are_not_asked_about() -> None:
    """RFC 2606's, and what lies under them."""
    assert [True, True, True, False] == [authority.is_reserved(name) for name in ("example.com", "a.test", "localhost", "myexample.com")]
