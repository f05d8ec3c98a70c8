"""A mailing from the upload to the reader: 500 personal mails arrive in a real catcher and read well."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import dkim

from services.mailer.concluding import conclude
from services.mailer.dkim_keys import make
from services.mailer.settings import MailerSettings
from tests.integration.catcher_process import catching
from tests.unit.mailer_job import FakeJob, mailing, plan, run_children

COUNT = 500
HTML = (
    "<html><head><style>h1 { color: #3f5efb }</style></head><body><h1>Grüße, {{ name }}!</h1>"
    '<p>Your number is <b>{{ number }}</b>.<br>. dots\n.at line starts</p>{% if vip %}<p><a href="https://example.com/vip?n={{ number }}">'
    "Your lounge</a></p>{% endif %}</body></html>"
)


def test_five_hundred_mails_arrive_and_read_well(tmp_path: Path) -> None:
    """Each recipient has exactly one, with their own values in both parts, and the headers of a good newsletter."""
    upload = tmp_path / "people.csv"
    rows = "".join(f'person{n}@example.com,"Pérson, {n}",{n},{"yes" if n % 2 else ""}\n' for n in range(COUNT))
    upload.write_text("email,name,number,vip\n" + rows + "not an address,X,1,\n", encoding="utf-8")
    command = mailing(
        subject="Weekly {{ number }} – für {{ name }}",
        html=HTML,
        recipients="upl_12345678",
        list_unsubscribe="https://example.com/unsubscribe?n={{ number }}",
        headers={"X-Campaign": "Frühling"},
        reply_to={"email": "desk@example.com", "name": "The desk"},
    )
    key = make("example.com", "e1", tmp_path / "key.pem", ed25519=True)
    with catching(tmp_path / "mail") as catcher:
        settings = MailerSettings(home=tmp_path, smtp_url=catcher.smtp_url, dkim_keys=f"example.com:e1:{tmp_path}/key.pem")
        uploads = {"upl_12345678": upload}
        children = run_children(plan(command, FakeJob(tmp_path, uploads=uploads), settings), tmp_path, settings)
        job = FakeJob(tmp_path, uploads=uploads, ended=children)
        result = conclude(command, job, children)

        assert catcher.http.get("/readyz").json()["messages"] == COUNT
    signed = [path.read_bytes() for path in (tmp_path / "mail").rglob("*.eml")]
    mails = {}
    for path in (tmp_path / "mail").rglob("*.eml"):
        parsed = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        mails[parsed["Delivered-To"]] = parsed
    seven = mails["person7@example.com"]
    text, html = seven.get_body(("plain",)), seven.get_body(("html",))

    assert (result.recipients, result.sent, result.failed, result.rejected_rows, result.batches) == (COUNT, COUNT, 0, 1, 2)
    assert job.artifact("rejected.csv").splitlines()[1].startswith("502,not an address,")
    assert len(mails) == COUNT
    assert len({mail["Message-ID"] for mail in mails.values()}) == COUNT
    assert seven["Message-ID"] in job.artifact("recipients.csv")
    assert [part.defects for mail in mails.values() for part in mail.walk() if part.defects] == []
    assert all(dkim.verify(mail, dnsfunc=lambda _name, timeout=5: key.record.encode()) for mail in signed)  # noqa: ARG005 - dkimpy's call
    assert (seven["Subject"], seven["To"].addresses[0].display_name) == ("Weekly 7 – für Pérson, 7", "Pérson, 7")
    assert seven["List-Unsubscribe"] == "<https://example.com/unsubscribe?n=7>"
    assert (seven["List-Unsubscribe-Post"], seven["X-Campaign"]) == ("List-Unsubscribe=One-Click", "Frühling")
    assert seven["Reply-To"].addresses[0].addr_spec == "desk@example.com"
    assert text is not None
    assert html is not None
    expected = "Grüße, Pérson, 7!\n\nYour number is 7.\n. dots .at line starts\n\nYour lounge (https://example.com/vip?n=7)\n"
    assert text.get_content().replace("\r\n", "\n") == expected
    assert "<b>7</b>.<br>. dots\n.at line starts</p>" in html.get_content().replace("\r\n", "\n")
