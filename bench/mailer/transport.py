"""Our transport alone: ready bytes over sixteen connections, nothing noted."""

from collections.abc import Mapping, Sequence

from bench.mailer.letter import HTML, SENDER, SUBJECT, person
from services.mailer import mime
from services.mailer.crowd import Crowd
from services.mailer.journal import Fate, Journal
from services.mailer.mails import Mail
from services.mailer.pacing import Pace, Rates
from services.mailer.plaintext import from_html
from services.mailer.pool import Pool
from services.mailer.sending import Sender
from services.mailer.settings import MailerSettings
from services.mailer.supply import Supply
from services.mailer.templates import MailTemplate
from shared.job import Coming, Grant, Note, Once, Rate


class NoEffects:
    """A journal that keeps nothing."""

    def known(self) -> Mapping[str, Once]:
        """Nothing."""
        return {}

    def note(self, notes: Sequence[Note]) -> None:
        """Forget them."""

    def post(self, notes: Sequence[Note]) -> Coming[None]:
        """Not asked for."""
        raise NotImplementedError(notes)


class NoThrottles:
    """Nothing is shared with anybody."""

    def slots(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> list[Grant]:
        """Not asked for."""
        raise NotImplementedError(requests, horizon)

    def post(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> Coming[list[Grant]]:
        """Not asked for."""
        raise NotImplementedError(requests, horizon)

    def crowd(self, name: str, *, halve: bool = False, more: float = 0.0) -> float:
        """All of them."""
        del name, halve, more
        return 1.0


class NoJournal(Journal):
    """Does not even try."""

    async def offered(self, key: str) -> None:
        """Nothing to wait for."""

    def accepted(self, key: str, at: float, reply: str, *, resent: bool = False) -> None:
        """Nothing to note."""


def stuffed() -> bytes:
    """One mail as it goes over the wire."""
    template = MailTemplate(subject=SUBJECT, html=HTML, text=from_html(HTML), list_unsubscribe=None)
    message = mime.Skeleton(sender=SENDER).build(address="x@example.com", name="", key="0" * 32, mail=template.render(person(1)))
    return mime.dot_stuffed(message)


def send(host: str, port: int, count: int) -> None:
    """All of them over one crowd of connections."""
    body = stuffed()
    left = [count]

    def record(mail: Mail, fate: Fate, reply: str) -> None:
        del mail, reply
        left[0] -= fate == "sent"

    settings = MailerSettings(smtp_url=f"smtp://{host}:{port}", connections=16, messages_per_connection=count)
    mails = (Mail(str(number), "", f"reader{number}@example.com", body) for number in range(count))
    with NoJournal(NoEffects()) as journal:
        pool, throttles = Pool(settings), NoThrottles()
        sender = Sender(
            supply=Supply(mails),
            sender=SENDER[0],
            journal=journal,
            record=record,
            settings=settings,
            pace=Pace(Rates(settings), throttles),
            crowd=Crowd(settings.connections, throttles, host),
            pool=pool,
        )
        pool.run(sender.run(lambda: None))
        pool.close()
    if left[0]:
        raise RuntimeError(f"{left[0]} mails were not sent")
