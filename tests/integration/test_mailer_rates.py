"""Rates at the wire: processes that share one send no faster, and who waits for a slot holds no worker."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from services.mailer.batch import send_batch
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import SendBatch
from shared.errors import JobPostponed
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from tests.integration.smtp_peer import Peer, running
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, throttles_of

RATE = 40


def people(count: int, domain: str = "example.com") -> list[dict[str, object]]:
    """So many recipients."""
    return [{"email": f"u{number}@{domain}", "name": f"U {number}"} for number in range(count)]


def batch(tmp_path: Path, recipients: list[dict[str, object]], **fields: object) -> SendBatch:
    """The only batch of a mailing to them."""
    command = next(iter(plan(mailing(recipients=recipients, **fields), FakeJob(tmp_path), MailerSettings(home=tmp_path)).children)).command
    assert isinstance(command, SendBatch)
    return command


def test_two_processes_share_one_rate(tmp_path: Path, redis_url: str) -> None:
    """Each sends 25 mails to one server; in no stretch of time does it see more than the rate allows and a tenth of a second's more."""
    url = redis_url.replace("/0", "/6")
    ledger = Ledger(url, "mailer", rings_here=True)
    processes = []
    with running(Peer()) as peer:
        for number in range(2):
            root = tmp_path / str(number)
            root.mkdir()
            (root / "command.json").write_text(batch(root, people(25, f"{number}.example")).model_dump_json())
            job = ids.new("mailer")
            ledger.run(calls.accept(NewJob(job, SendBatch.kind, "t", "mailer", "{}", bell="@TAG@")))
            held = ledger.run(calls.claim(job, worker="w", pid=7, lease_ms=600_000, nonce=uuid.uuid4().hex))
            assert isinstance(held, JobRecord)
            env = {**os.environ, "MAILER_HOME": str(root), "MAILER_SMTP_URL": peer.url, "MAILER_SERVER_RATE": str(RATE)}
            arguments = [str(root), str(root / "command.json"), url, job, str(held.token)]
            processes.append(subprocess.Popen([sys.executable, "-m", "tests.integration.mailer_attempt", *arguments], env=env))
        assert [process.wait(60) for process in processes] == [0, 0]
    ledger.close()

    assert len(peer.times) == 50
    stretches = [(j - i, peer.times[j] - peer.times[i]) for i in range(50) for j in range(i + 1, 50)]
    assert max(count - RATE * seconds for count, seconds in stretches) <= RATE * 0.1 + 2


def test_a_wait_for_a_slot_holds_no_worker(tmp_path: Path) -> None:
    """At one mail in ten seconds the batch sends one, sleeps in the ledger until the next may go, and goes on where it was."""
    with running(Peer()) as peer:
        settings = MailerSettings(home=tmp_path, smtp_url=peer.url, connections=2)
        command = batch(tmp_path, people(3), rate_per_second=0.1)
        for sent in (1, 1):
            began = time.monotonic()
            with pytest.raises(JobPostponed) as later:
                send_batch(command, FakeJob(tmp_path, id=f"{MAILING}.0"), settings)
            assert (sum(peer.copies.values()), time.monotonic() - began < 2) == (sent, True)
        free = throttles_of(tmp_path).free
        free.update({name: time.monotonic() for name in free})
        with pytest.raises(JobPostponed):
            send_batch(command, FakeJob(tmp_path, id=f"{MAILING}.0"), settings)

    assert 5 < later.value.seconds <= 10
    assert sum(peer.copies.values()) == 2


def test_a_batch_whose_turn_is_later_does_not_begin(tmp_path: Path) -> None:
    """The second batch of a mailing at 1 a second: it opens no connection."""
    with running(Peer()) as peer:
        settings = MailerSettings(home=tmp_path, smtp_url=peer.url)
        children = plan(mailing(recipients=people(40), batch_size=20, rate_per_second=1), FakeJob(tmp_path), settings).children
        last = list(children)[-1].command
        assert isinstance(last, SendBatch)
        with pytest.raises(JobPostponed) as later:
            send_batch(last, FakeJob(tmp_path, id=f"{MAILING}.1"), settings)

    assert (peer.sessions, 15 < later.value.seconds <= 20) == (0, True)


def test_a_batch_that_its_rate_holds_back_lets_others_go(tmp_path: Path) -> None:
    """At 10 a second the waits are too short to sleep them out in the ledger; where another job waits, that one goes for a while."""
    with running(Peer()) as peer:
        settings = MailerSettings(home=tmp_path, smtp_url=peer.url, connections=2)
        with pytest.raises(JobPostponed, match="others go"):
            send_batch(batch(tmp_path, people(200), rate_per_second=10), FakeJob(tmp_path, is_awaited=lambda: True), settings)

    assert 5 <= sum(peer.copies.values()) <= 30


def test_a_slow_site_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """Mails to the site wait for its rate, each for a turn of its own; all others have gone by then."""
    with running(Peer()) as peer:
        settings = MailerSettings(home=tmp_path, smtp_url=peer.url, connections=4, site_rates="slow.example,sl.example=0.2")
        recipients = [*people(3, "slow.example"), *people(2, "sl.example"), *people(40)]
        with pytest.raises(JobPostponed):
            send_batch(batch(tmp_path, recipients), FakeJob(tmp_path), settings)

    assert sum(peer.copies.values()) == 41
    assert sum(count for who, count in peer.copies.items() if "@sl" in who) == 1


def test_a_421_lowers_the_crowd_of_every_process(tmp_path: Path) -> None:
    """One batch hears it, and another one, which shares nothing with it but the throttles, opens half as many connections."""
    left = ["421 4.7.0 too many connections"]

    def full(verb: str, _argument: str) -> str:
        return left.pop() if verb == "MAIL" and left else ""

    with running(Peer(script=full, delay=0.01)) as peer:
        settings = MailerSettings(home=tmp_path, smtp_url=peer.url, connections=8, defer_delays=(0.05,))
        send_batch(batch(tmp_path, people(30)), FakeJob(tmp_path, id=f"{MAILING}.0"), settings)
    with running(Peer(delay=0.01)) as other:
        crowds = throttles_of(tmp_path).crowds
        crowds[f"127.0.0.1:{other.relay.port}"] = crowds[f"127.0.0.1:{peer.relay.port}"]
        settings = MailerSettings(home=tmp_path, smtp_url=other.url, connections=8)
        send_batch(batch(tmp_path, people(30, "b.example")), FakeJob(tmp_path, id=f"{MAILING}.1"), settings)

    assert other.sessions == 4
