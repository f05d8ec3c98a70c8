"""Mails as mailings send them, signed, each of another make; and the DNS that their receivers would ask."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.mailer.content import from_command, open_content
from services.mailer.dkim import Key, Signer
from services.mailer.dkim_keys import make
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import Recipient
from tests.unit.mailer_job import MAILING, FakeJob, mailing

DOMAIN = "example.com"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAYCAIAAAAzn+mLAAAAMElEQVR42u3OMQ0AMAgAMJgdpOD/wsxUkHC0CprVE5e8OEZISEhI"
    "SEhISEhISGjXBza7AYFZAv3zAAAAAElFTkSuQmCC"
)
"""A blue square."""
NEWS = (
    "<html><head><style>h1 { color: #2b4bdb } p { margin: 1em 0 }</style></head><body><h1>Good morning, {{ name }}</h1>"
    "<p>The library on Mill Street opens again on Monday. The new reading room has forty seats, and the café is back.</p>"
    "<p>Your card number {{ number }} stays as it is. Books that you borrowed before March may come back until the end of May.</p>"
    '<p><a href="https://www.example.com/opening?card={{ number }}">See the opening hours</a></p>'
    '<p>You have a card with us. <a href="{{ unsubscribe_url }}">No more of these</a>.<br>Library of Milltown, Mill Street 4</p>'
    "</body></html>"
)
LETTERS: dict[str, dict[str, Any]] = {
    "newsletter": {"subject": "{{ name }}, the library opens on Monday", "html": NEWS, "inline_css": True, "list_unsubscribe": "one-click"},
    "text": {"subject": "Plain – {{ name }}", "html": None, "text": "Hello {{ name }},\n.a dot\nFrom here on\n\n\n"},
    "cyrillic": {
        "subject": "Доброе утро, {{ name }}",
        "html": "<p>Библиотека снова открыта, {{ name }}.</p>" * 20,
        "headers": {"X-Campaign": "весна"},
        "reply_to": {"email": f"desk@{DOMAIN}", "name": "Стол"},
    },
    "pictures": {
        "subject": "With a picture",
        "html": None,
        "mjml": "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ name }}</mj-text>"
        '<mj-image src="cid:logo" alt="The logo" /></mj-column></mj-section></mj-body></mjml>',
        "attachments": [{"upload": "upl_00000001", "name": "logo.png", "cid": "logo"}, {"upload": "upl_00000002", "name": "Über uns.txt"}],
    },
}


@dataclass(frozen=True, slots=True)
class Post:
    """The mails by name, and the keys that signed them."""

    mails: dict[str, bytes]
    keys: list[Key]


def post(folder: Path) -> Post:
    """Write them all, signed with an RSA and an Ed25519 key. COUNTERFOIL_PUBLIC_URL must be set."""
    (folder / "logo.png").write_bytes(PNG)
    (folder / "about.txt").write_text("Grüße\n", encoding="utf-8")
    job = FakeJob(folder, uploads={"upl_00000001": folder / "logo.png", "upl_00000002": folder / "about.txt"})
    keys = [make(DOMAIN, "rsa", folder / "rsa.pem", ed25519=False), make(DOMAIN, "ed", folder / "ed.pem", ed25519=True)]
    signer, mails, here = Signer(keys), {}, MailerSettings(home=folder)
    recipient = Recipient(email="ada@example.org", name="Ada Lovelace", vars={"name": "Ada", "number": 1815})
    for name, fields in LETTERS.items():
        content = from_command(mailing(**{"from": {"email": f"news@{DOMAIN}", "name": "Library"}, **fields}), job, here)
        stashed = job.stash(f"{name}.json", content.model_dump_json().encode())
        _, writer = open_content(stashed, MAILING, job)
        mails[name] = signer.signed(writer.write(recipient, *writer.key(recipient)))
    return Post(mails, keys)
