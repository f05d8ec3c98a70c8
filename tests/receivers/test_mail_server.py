"""A mailing through a real Postfix: what it delivers, what it sends back, and what becomes of that."""

import asyncio
import email
import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Thread

import dkim
import pytest

from bench.mailer import postfix
from services.mailer.bouncing import collect
from services.mailer.concluding import conclude
from services.mailer.dkim_keys import make
from services.mailer.lmtp import serve
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import SUPPRESSIONS, CollectBounces
from shared.job import PastJob
from shared.unsubscribing import PATH
from tests.integration.smtp_peer import Peer, running
from tests.receivers.letters import NEWS
from tests.servers import wait_until
from tests.unit.mailer_bounces import FakeCaretaker
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, register_of, run_children

pytestmark = pytest.mark.serial
COUNT = 60
GONE, FULL = "gone@nowhere.example", "full@busy.example"
MORE = (
    "transport_maps = inline:{{nowhere.example = smtp:[127.0.0.1]:%d}, {busy.example = smtp:[127.0.0.1]:%d},"
    " {bounce.example.com = lmtp:[127.0.0.1]:%d}}\n"
)
BOUNCES = "bounces@bounce.example.com"


def refusing(verb: str, argument: str) -> str:
    """The server of the two, which Postfix hands their mail to."""
    answers = {f"TO:<{GONE}>": "550 5.1.1 no such user here", f"TO:<{FULL}>": "552 5.2.2 mailbox full"}
    return answers.get(argument.partition(" ")[0], "") if verb == "RCPT" else ""


@contextmanager
def door(maildir: Path) -> Iterator[int]:
    """The LMTP door as its process has it, in a thread; its port."""
    opened: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Queue()

    async def run() -> None:
        loop, until = asyncio.get_running_loop(), asyncio.Event()
        listening: asyncio.Future[int] = loop.create_future()
        here = MailerSettings(bounce_maildir=maildir, bounce_address=BOUNCES, lmtp_port=0)
        serving = asyncio.create_task(serve(here, until=until, listening=listening))
        opened.put((loop, until, await listening))
        await serving

    thread = Thread(target=asyncio.run, args=(run(),))
    thread.start()
    loop, until, port = opened.get(timeout=20)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(until.set)
        thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A Postfix with one Maildir for everybody but those whose own server refuses them: one is not there, the other's mailbox is full.

    What it sends back goes through the LMTP door into `tmp_path / "bounces"`.
    """
    if why := postfix.why_not():
        pytest.skip(f"{why} (Debian: apt-get install --no-install-recommends postfix); no real mail server has had our mails")
    with TemporaryDirectory() as name:  # pytest's own folders are closed to Postfix's user
        Path(name).chmod(0o755)
        with running(Peer(script=refusing)) as peer, door(tmp_path / "bounces") as lmtp:
            more = MORE % (peer.relay.port, peer.relay.port, lmtp)
            with postfix.postfix(Path(name) / "server", maildir=True, more=more) as found:
                yield found


def parsed(path: Path) -> EmailMessage:
    """The mail in a file."""
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def test_all_arrive_and_what_comes_back_is_heeded(tmp_path: Path, server: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """One mail each, whole and signed; the dead mailbox is suppressed for the next mailing, the full one is not; both are told."""
    port, maildir = server
    monkeypatch.setenv("COUNTERFOIL_PUBLIC_URL", "https://mail.example.com")
    key = make("example.com", "ed", tmp_path / "key.pem", ed25519=True)
    settings = MailerSettings(
        home=tmp_path,
        smtp_url=f"smtp://127.0.0.1:{port}",
        dkim_keys=f"example.com:ed:{tmp_path}/key.pem",
        bounce_address=BOUNCES,
        bounce_maildir=tmp_path / "bounces",
    )
    people = [
        {"email": f"reader{n}@readers.example", "name": f"R. {n}", "vars": {"name": f"Réader {n}", "number": n}} for n in range(COUNT)
    ]
    people += [{"email": address, "vars": {"name": "Nobody", "number": 0}} for address in (GONE, FULL)]
    command = mailing(subject="{{ name }}: hours", html=NEWS, inline_css=True, list_unsubscribe="one-click", recipients=people)
    children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
    job = FakeJob(tmp_path, ended=children)
    assert conclude(command, job, children).sent == COUNT + 2
    new = maildir / "new"
    back = tmp_path / "bounces" / "new"
    wait_until(lambda: new.exists() and len(list(new.iterdir())) == COUNT, "all mails", seconds=60)
    wait_until(lambda: len(list(back.iterdir())) == 2, "two bounces", seconds=60)
    mails = {path: parsed(path) for path in new.iterdir()}
    arrived = {str(mail["Delivered-To"]): path for path, mail in mails.items()}

    assert sorted(arrived) == sorted(f"reader{n}@readers.example" for n in range(COUNT))
    for address, path in arrived.items():
        mail, number = mails[path], address.partition("@")[0].removeprefix("reader")
        text = mail.get_body(("plain",))
        assert [part.defects for part in mail.walk() if part.defects] == []
        assert mail["Subject"] == f"Réader {number}: hours"
        assert text is not None
        assert f"Your card number {number} stays" in text.get_content()
        assert str(mail["List-Unsubscribe"]).startswith(f"<https://mail.example.com{PATH}")
        assert str(mail["Return-Path"]).startswith("<bounces+")
        assert dkim.verify(path.read_bytes(), dnsfunc=lambda _name, timeout=5: key.record.encode())  # noqa: ARG005 - dkimpy's call

    care = FakeCaretaker(tmp_path, {MAILING: PastJob(MAILING, "test", True, job.artifacts)})
    result = collect(CollectBounces(), FakeJob(tmp_path, id="mailer_look", takes_care=care), settings)
    told = {row["email"]: row.get("bounce", "") for row in map(json.loads, job.artifact("recipients.jsonl").splitlines())}
    next_one = command.model_copy(update={"dry_run": True})
    another = f"{MAILING[:-1]}B"
    (again,) = run_children(plan(next_one, FakeJob(tmp_path, id=another), settings), tmp_path, settings, another)

    assert (result.read, result.hard, result.soft, result.unparsed) == (2, 1, 1, 0)
    assert list(register_of(tmp_path, "test", SUPPRESSIONS).facts) == [GONE]
    assert (told[GONE][:10], told[FULL][:10]) == ("hard 5.1.1", "soft 5.2.2")
    assert again.result is not None
    assert (again.result["suppressed"], again.result["rendered"]) == (1, COUNT + 1)
