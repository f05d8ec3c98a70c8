"""What mailbox providers and RFCs ask of a mail, held against one that is written already. No I/O.

Sources: Gmail's email sender guidelines (support.google.com/a/answer/81126), Yahoo's sender best practices
(senders.yahooinc.com/best-practices), Microsoft's requirements for high-volume senders (since May 2025). All three ask bulk senders
(5,000 mails a day; whoever was one stays one) for SPF, DKIM, DMARC and one-click unsubscribing. Gmail takes 25 MB and clips HTML
beyond 102 kB.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from shared.contracts.mailer_preview import Finding

PROVIDERS = ["gmail", "yahoo", "microsoft"]
LARGEST = 25_000_000
LARGE = 10_000_000
CLIPPED = 102_000
FREE = frozenset(
    {"gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "aol.com", "outlook.com", "hotmail.com", "live.com", "msn.com",
     "icloud.com", "me.com", "gmx.de", "gmx.net", "web.de", "mail.ru", "proton.me"}
)  # fmt: skip
REPLIES = ("re:", "fwd:", "fw:", "aw:", "wg:")


@dataclass(frozen=True, slots=True)
class Specimen:
    """One mail as it will go out, and what is known of its mailing."""

    message: EmailMessage
    bytes: int
    sender: str
    """Its From address."""
    bulk: bool
    """Not what its recipient asked for."""
    text_is_derived: bool
    signed: bool
    """Here, with DKIM; the relay may do it otherwise."""


def findings(mail: Specimen) -> list[Finding]:
    """Everything that can be said without asking anybody."""
    return [*_size(mail), *_parts(mail), *_headers(mail), *_unsubscribing(mail)]


def domain_of(address: str) -> str:
    """The part behind the @, in lower case."""
    return address.rpartition("@")[2].lower()


def _size(mail: Specimen) -> Iterator[Finding]:
    if mail.bytes > LARGEST:
        yield _error("size", f"a mail has {mail.bytes:,} bytes; Gmail takes {LARGEST:,}, most servers less", ["gmail"])
    elif mail.bytes > LARGE:
        yield _warning("size", f"a mail has {mail.bytes:,} bytes; many servers take no more than {LARGE:,}", [])
    html = mail.message.get_body(("html",))
    if html is not None and (size := len(str(html.get_content()).encode())) > CLIPPED:
        yield _warning(
            "clipped", f"the HTML has {size:,} bytes; Gmail shows the first {CLIPPED:,} and hides the rest behind a link", ["gmail"]
        )


def _parts(mail: Specimen) -> Iterator[Finding]:
    html, text = (mail.message.get_body((kind,)) for kind in ("html", "plain"))
    if html is not None and text is None:
        yield _warning("text-part", "the mail has no text part; spam filters look for one", [])
    if html is not None and mail.text_is_derived:
        yield _note("text-derived", "the text part was derived from the HTML; read it in the preview, or give one of your own")


def _headers(mail: Specimen) -> Iterator[Finding]:
    subject = str(mail.message["Subject"] or "").strip()
    if not subject:
        yield _warning("subject", "the subject is empty", ["microsoft"])
    elif subject.lower().startswith(REPLIES) and "In-Reply-To" not in mail.message:
        yield _warning("subject", f"the subject begins like an answer ({subject[:10]!r}), and there is nothing that it answers", ["gmail"])
    if domain_of(mail.sender) in FREE:
        yield _error(
            "from-free-mailbox",
            f"{domain_of(mail.sender)} lets only its own servers send for it: send from a domain of your own",
            PROVIDERS,
        )
    if mail.bulk and not mail.signed:
        yield _warning(
            "dkim", "mails are not signed here (MAILER_DKIM_KEYS); the relay has to sign them with a key of the From domain", PROVIDERS
        )


def _unsubscribing(mail: Specimen) -> Iterator[Finding]:
    if not mail.bulk:
        return
    if "List-Unsubscribe" not in mail.message:
        yield _warning("unsubscribe", "there is no List-Unsubscribe header; set list_unsubscribe to one-click", PROVIDERS)
    elif "List-Unsubscribe-Post" not in mail.message:
        yield _warning(
            "one-click",
            "List-Unsubscribe is there, but not for one click (RFC 8058); set list_unsubscribe to one-click",
            ["gmail", "yahoo"],
        )


def worst(found: Sequence[Finding]) -> list[Finding]:
    """The errors among them."""
    return [each for each in found if each.level == "error"]


def _error(rule: str, detail: str, of: list[str]) -> Finding:
    return Finding(level="error", rule=rule, detail=detail, of=of)


def _warning(rule: str, detail: str, of: list[str]) -> Finding:
    return Finding(level="warning", rule=rule, detail=detail, of=of)


def _note(rule: str, detail: str) -> Finding:
    return Finding(level="note", rule=rule, detail=detail)
