"""HTML made ready once: MJML, CSS into attributes, images that come along; and nothing moved or lost on the way."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from services.mailer.content import from_command, open_content
from services.mailer.marks import MarkupError
from services.mailer.responsive import from_mjml
from services.mailer.settings import MailerSettings
from services.mailer.styling import inlined
from services.mailer.workbench import done_apart
from shared.contracts.mailer import Recipient
from shared.errors import PermanentError
from tests.unit.mailer_job import MAILING, FakeJob, mailing

STYLE = "<style>td { color: red } h1 { color: {{ brand }} } @media (max-width: 9px) { td { color: blue } }</style>"
LOOP = '<table>{% for x in xs %}<tr><td title="{{ x }}">{{ x }}</td></tr>{% endfor %}</table>'
PNG = b"\x89PNG\r\n\x1a\n"


def mail_of(tmp_path: Path, recipient: dict[str, Any], uploads: dict[str, Path] | None = None, **fields: Any) -> EmailMessage:
    """The mail that a mailing with `fields` is to one recipient, parsed."""
    job = FakeJob(tmp_path, uploads=uploads or {})
    content = from_command(mailing(**fields), job, MailerSettings(home=tmp_path))
    _, writer = open_content(job.stash("content.json", content.model_dump_json().encode()), MAILING, job)
    who = Recipient.model_validate(recipient)
    parsed = email.message_from_bytes(writer.write(who, *writer.key(who)), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert [part.defects for part in parsed.walk() if part.defects] == []
    return parsed


def test_css_goes_into_attributes_and_marks_stay_where_they_were() -> None:
    """A loop between the rows of a table, a variable in a style sheet; the sheet itself stays, for media queries."""
    done = inlined(f"<html><head>{STYLE}</head><body><h1>{{{{ a }}}} &amp; b</h1>{LOOP}</body></html>")

    assert '<h1 style="color: {{ brand }};">{{ a }} &amp; b</h1>' in done
    row = '{% for x in xs %}<tr><td title="{{ x }}" style="color: red;">{{ x }}</td></tr>{% endfor %}'
    assert f"<table>{row}</table>" in done
    assert "@media (max-width: 9px)" in done


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<table><b>{{ x }}</b><tr><td>y</td></tr></table>", "move or change something at: <table> <b>"),
        ('<p {% if x %}class="a"{% endif %}>x</p>', "between attributes"),
        ("<p title={{ x }}>x</p>", "between attributes"),
        ("<i>" * 400, "more than 300 deep"),
        ("<p>cfmark0x</p>", "used by this mailer itself"),
    ],
)
def test_css_that_cannot_be_inlined_without_harm_is_refused(source: str, words: str) -> None:
    """With the place; a parser that recurses is never given what would end the process."""
    with pytest.raises(MarkupError, match=words):
        inlined(source)


def test_nothing_is_fetched_for_css(tmp_path: Path) -> None:
    """A sheet by link, of this machine or another, is left as the link that it is."""
    (tmp_path / "secret.css").write_text("p { color: red }")
    link = f'<link rel="stylesheet" href="file://{tmp_path}/secret.css">'

    assert link in inlined(f"<html><head>{link}</head><body><p>x</p></body></html>")
    assert "style=" not in inlined(f"<html><head>{link}</head><body><p>x</p></body></html>")


def test_markup_that_eats_the_machine_ends_a_process_of_its_own() -> None:
    """A style sheet that multiplies itself is refused with a sentence, and this process goes on."""
    rules = "".join(f"div *{{p{number}:red}}" for number in range(2_000))
    with pytest.raises(MarkupError, match="more than 1 s or 1 GiB"):
        done_apart("css", f"<style>{rules}</style><div>{'<i>x</i>' * 20_000}</div>", cpu_seconds=1)
    with pytest.raises(MarkupError, match="not MJML"):
        done_apart("mjml", "<p>")
    with pytest.raises(RuntimeError, match="KeyError"):
        done_apart("polish", "")


MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ name }}{% if n < 3 %}!{% endif %}</mj-text>"
    '<mj-image src="cid:logo" alt="Logo" /></mj-column></mj-section><mj-raw>{% for x in xs %}</mj-raw><mj-section><mj-column>'
    "<mj-text>{{ x }}</mj-text></mj-column></mj-section><mj-raw>{% endfor %}</mj-raw></mj-body></mjml>"
)


def test_mjml_with_an_image_that_comes_along(tmp_path: Path) -> None:
    """Compiled once, filled for each; the image is part of the HTML, a file beside it is not; nothing is loaded from elsewhere."""
    (tmp_path / "logo.png").write_bytes(PNG)
    (tmp_path / "terms.pdf").write_bytes(b"%PDF")
    uploads = {"upl_00000001": tmp_path / "logo.png", "upl_00000002": tmp_path / "terms.pdf"}
    attachments = [{"upload": "upl_00000001", "name": "logo.png", "cid": "logo"}, {"upload": "upl_00000002", "name": "terms.pdf"}]
    person = {"email": "ada@example.com", "vars": {"name": "Ada", "n": 1, "xs": ["one", "two"]}}
    mail = mail_of(tmp_path, person, uploads, html=None, mjml=MJML, attachments=attachments)
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    related = next(part for part in mail.walk() if part.get_content_type() == "multipart/related")
    image = next(part for part in related.iter_parts() if part["Content-ID"])

    assert html is not None
    assert text is not None
    assert ("Hello Ada!" in html.get_content(), html.get_content().count("two")) == (True, 1)
    assert 'src="cid:logo@example.com"' in html.get_content()
    assert "googleapis" not in html.get_content()
    assert (image["Content-ID"], image.get_content_disposition(), image.get_content()) == ("<logo@example.com>", "inline", PNG)
    assert [part.get_filename() for part in mail.iter_attachments()] == ["terms.pdf"]
    assert text.get_content().split() == ["Hello", "Ada!", "Logo", "one", "two"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<mjml><mj-body>", "not MJML"),
        ('<mjml><mj-body><mj-include path="/etc/passwd" /></mj-body></mjml>', "not MJML"),
        ("<mjml><mj-body>" + "<mj-wrapper>" * 400, "300 deep"),
        ("<mjml><mj-head><mj-title>a</mj-title>{{ x }}</mj-head><mj-body></mj-body></mjml>", "not MJML|mj-raw"),
    ],
)
def test_bad_mjml_is_refused(source: str, words: str) -> None:
    """Also a file that it would include."""
    with pytest.raises(MarkupError, match=words):
        from_mjml(source)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"html": '<img src="cid:a">'}, "/html"),
        ({"html": "<p>x</p>", "attachments": [{"upload": "upl_00000001", "name": "a.png", "cid": "a"}]}, "/attachments/0/cid"),
        ({"html": "<table><b>x</b></table>", "inline_css": True}, "/inline_css"),
        ({"html": None, "mjml": "<p>"}, "/mjml"),
        ({"html": None, "mjml": MJML.replace("cid:logo", "x").replace("{{ x }}", "{{ x | nofilter }}")}, "/mjml"),
        ({"from": {"email": "ü@example.com"}}, "/from/email"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, fields: dict[str, Any], pointer: str) -> None:
    """Before anybody is mailed."""
    (tmp_path / "a.png").write_bytes(PNG)
    with pytest.raises(PermanentError) as refused:
        mail_of(tmp_path, {"email": "a@example.com"}, {"upl_00000001": tmp_path / "a.png"}, **fields)

    assert refused.value.pointer == pointer
