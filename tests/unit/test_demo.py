"""The demo's parts that need no home: recipients, templates, outcomes."""

import csv
import io
from pathlib import Path

import httpx
from rich.console import Console

from client import Counterfoil, Job
from client.cli.live import Bars
from deploy.demo import recipients
from deploy.demo.errands import SAMPLES, Errand, run_all
from services.mailer.templates import MailTemplate
from shared.contracts.mailer import Recipient
from tests.unit.client_gateway import DONE, Gateway


def rows(folder: Path, count: int) -> list[dict[str, str]]:
    """Written recipients, read back."""
    with recipients.write(folder / "r.csv", count).open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def test_recipients_are_many_and_different(tmp_path: Path) -> None:
    """5,000 rows, 5,000 addresses, each one that the contract takes."""
    written = rows(tmp_path, 5_000)

    assert len({row["email"] for row in written}) == 5_000
    assert all(Recipient(email=row["email"], name=row["name"]).email.rpartition("@")[2].startswith("example.") for row in written)


def test_the_newsletter_uses_only_what_the_recipients_have(tmp_path: Path) -> None:
    """The mailer, strict about missing variables, renders it for members and for others."""
    html, text = ((SAMPLES / f"newsletter.{ending}").read_text(encoding="utf-8") for ending in ("html", "txt"))
    template = MailTemplate(subject="{{ first_name }}", html=html, text=text, list_unsubscribe=None)
    mails = {row["member"]: template.render(row) for row in rows(tmp_path, 3)}

    assert "As a member" in f"{mails['yes'].html}"
    assert "As a member" in f"{mails['yes'].text}"
    assert "As a member" not in f"{mails['no'].html}{mails['no'].text}"


def submitted(client: Counterfoil, _: Bars) -> Job:
    """An errand that submits one avatar."""
    return client.avatars(seed="ada")


def broken(_client: Counterfoil, _bars: Bars) -> Job:
    """An errand that cannot be run."""
    raise FileNotFoundError("portrait.jpg")


def test_one_broken_errand_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    """Each errand has its outcome, in the order asked for."""
    gateway = Gateway(httpx.Response(202, json=DONE))
    errands = [Errand("bad", broken), Errand("good", submitted)]
    bad, good = run_all(errands, gateway.client(), tmp_path, Console(file=io.StringIO()))

    assert (bad.succeeded, bad.problem) == (False, "FileNotFoundError: portrait.jpg")
    assert good.succeeded
