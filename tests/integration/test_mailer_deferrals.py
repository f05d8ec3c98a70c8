"""What is put off, what is asked, what is sent again: the outcomes that need more than one attempt."""

import csv
import time
from pathlib import Path

import pytest

from services.mailer.batch import send_batch
from services.mailer.concluding import conclude
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import SendBatch
from shared.errors import JobPostponed, PermanentError, TransientError
from tests.integration.smtp_peer import CUT, Peer, running
from tests.integration.test_mailer_faults import once, people, settings_for
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, run_children


def attempt(tmp_path: Path, command: SendBatch, settings: MailerSettings) -> dict[str, dict[str, str]]:
    """One attempt at the batch; what its table says, by the name before the @."""
    job = FakeJob(tmp_path, id=f"{MAILING}.0")
    send_batch(command, job, settings)
    rows = csv.DictReader(job.artifact("recipients.csv").splitlines())
    return {row["email"].partition("@")[0]: row for row in rows}


def batch_of(tmp_path: Path, settings: MailerSettings, **fields: object) -> SendBatch:
    """The only batch of a mailing to six people."""
    command = next(iter(plan(mailing(recipients=people(6), **fields), FakeJob(tmp_path), settings).children)).command
    assert isinstance(command, SendBatch)
    return command


def test_a_deferral_holds_no_worker(tmp_path: Path) -> None:
    """The batch ends at once, to go on when the mail is due; the others have theirs, and a look too early sends nothing."""
    with running(Peer(once("RCPT", "u2@", "450 4.2.0 greylisted"))) as peer:
        settings = settings_for(tmp_path, peer).model_copy(update={"defer_delays": (300.0,), "defer_for": 600.0})
        command = batch_of(tmp_path, settings)
        with pytest.raises(JobPostponed, match="1 recipients") as first:
            attempt(tmp_path, command, settings)
        with pytest.raises(JobPostponed):
            attempt(tmp_path, command, settings)

        assert peer.copies["u2@example.com"] == 0
        settings = settings.model_copy(update={"defer_delays": (0.05,)})
        FakeJob(tmp_path, id=f"{MAILING}.0").hasten()
        fates = attempt(tmp_path, command, settings)

    assert 295 < first.value.seconds <= 300
    assert set(peer.copies.values()) == {1}
    assert {row["state"] for row in fates.values()} == {"sent"}


def test_a_deferral_that_lasts_too_long_fails_in_the_servers_words(tmp_path: Path) -> None:
    """Over all attempts: the time of the first 4xx is in the journal."""
    with running(Peer(once("RCPT", "u2@", "450 4.2.0 greylisted", times=99))) as peer:
        settings = settings_for(tmp_path, peer).model_copy(update={"defer_delays": (300.0,), "defer_for": 250.0})
        command = batch_of(tmp_path, settings)
        with pytest.raises(JobPostponed):
            attempt(tmp_path, command, settings)
        FakeJob(tmp_path, id=f"{MAILING}.0").hasten(300.0)
        fates = attempt(tmp_path, command, settings)

    assert (fates["u2"]["state"], fates["u2"]["reply"]) == ("failed", "450 4.2.0 greylisted")


def test_a_lost_answer_is_sent_again_where_twice_is_better_than_never(tmp_path: Path) -> None:
    """With `resend`, and flagged in both files, for the first copy may have been taken."""
    with running(Peer(once("BODY", "u2@", CUT))) as peer:
        settings = settings_for(tmp_path, peer)
        command = mailing(recipients=people(6), on_unknown="resend")
        children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
        job = FakeJob(tmp_path, ended=children)
        result = conclude(command, job, children)

    assert (result.sent, result.unknown, result.resent) == (6, 0, 1)
    assert [line for line in job.artifact("recipients.jsonl").splitlines() if '"resent":true' in line and '"u2@example.com"' in line]


def test_urgent_mail_is_sent_again_unasked(tmp_path: Path) -> None:
    """A password reset with priority high resends; a newsletter skips."""
    settings = MailerSettings()
    urgent = next(iter(plan(mailing(), FakeJob(tmp_path, priority="high"), settings).children)).command
    bulk = next(iter(plan(mailing(), FakeJob(tmp_path), settings).children)).command

    assert isinstance(urgent, SendBatch)
    assert isinstance(bulk, SendBatch)
    assert (urgent.on_unknown, bulk.on_unknown) == ("resend", "skip")


def test_ask_leaves_the_unknown_to_a_human(tmp_path: Path) -> None:
    """The mailing ends as a dead letter whose file names them; sent again with an answer, only they are mailed."""
    with running(Peer(once("BODY", "u2@", CUT))) as peer:
        settings = settings_for(tmp_path, peer)
        command = mailing(recipients=people(6), on_unknown="ask")
        children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
        job = FakeJob(tmp_path, ended=children)
        with pytest.raises(PermanentError, match="1 recipients may or may not") as asked:
            conclude(command, job, children)
        asking = [line.partition(",")[0] for line in job.artifact("recipients.csv").splitlines() if ",unknown," in line]
        answered = command.model_copy(update={"on_unknown": "resend"})
        children = run_children(plan(answered, FakeJob(tmp_path), settings), tmp_path, settings)
        result = conclude(answered, FakeJob(tmp_path, ended=children), children)

    assert asked.value.pointer == "/on_unknown"
    assert asking == ["u2@example.com"]
    assert (result.sent, result.resent, set(peer.copies.values())) == (6, 1, {1})


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_refused_sender_stops_the_batch_and_fails_nobody(tmp_path: Path, *, pipelining: bool) -> None:
    """5xx to MAIL FROM is about the account: the batch is tried again, and every recipient is still open."""
    refusals = once("MAIL", "", "550 5.7.1 sender not allowed", times=4)
    with running(Peer(refusals, pipelining=pipelining)) as peer:
        settings = settings_for(tmp_path, peer, connections=1)
        command = batch_of(tmp_path, settings)
        with pytest.raises(TransientError, match="refuses the sender: 550") as refused:
            attempt(tmp_path, command, settings)
        for _ in range(3):
            with pytest.raises(TransientError):
                attempt(tmp_path, command, settings)
        fates = attempt(tmp_path, command, settings)

    assert refused.value.type == "smtp-account"
    assert {row["state"] for row in fates.values()} == {"sent"}
    assert set(peer.copies.values()) == {1}


def test_a_421_sends_fewer_at_once(tmp_path: Path) -> None:
    """Every second mail is answered with 421 at first: nobody fails, nobody has two, though connections come and go."""
    count = [0]

    def too_many(verb: str, _argument: str) -> str:
        count[0] += verb == "MAIL"
        return "421 4.7.0 too many connections" if verb == "MAIL" and count[0] % 2 and count[0] < 12 else ""

    with running(Peer(too_many)) as peer:
        settings = settings_for(tmp_path, peer).model_copy(update={"defer_for": 60.0})
        command = mailing(recipients=people(40))
        children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)

    assert [child.result and child.result["sent"] for child in children] == [40]
    assert set(peer.copies.values()) == {1}


def test_connections_outlive_a_batch(tmp_path: Path) -> None:
    """Five batches, one connection; where the server hung up meanwhile, the next batch opens another and nobody notices."""
    with running(Peer()) as peer:
        settings = settings_for(tmp_path, peer, connections=1)
        command = mailing(recipients=people(10), batch_size=2)
        run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
        before = peer.sessions
        peer.hang_up()
        again = mailing(recipients=[{"email": "late@example.com", "name": "L"}])
        run_children(plan(again, FakeJob(tmp_path), settings), tmp_path / "again", settings)

    assert (before, peer.sessions) == (1, 2)
    assert len(peer.copies) == 11
    assert set(peer.copies.values()) == {1}


def test_a_mail_costs_one_round_trip(tmp_path: Path) -> None:
    """The next envelope travels with the body: the server has read it when it answers the body."""
    seen: list[str] = []

    def note(verb: str, _argument: str) -> str:
        seen.append(verb)
        return ""

    with running(Peer(note)) as peer:
        settings = settings_for(tmp_path, peer, connections=1)
        run_children(plan(mailing(recipients=people(30)), FakeJob(tmp_path), settings), tmp_path, settings)

        assert peer.turns <= 30 + 4
    assert seen.count("BODY") == 30


def test_bulk_makes_room_for_urgent_mail(tmp_path: Path) -> None:
    """The batch stops within two seconds, to go on at once when a worker is free; nobody gets a second copy."""
    with running(Peer(delay=0.05)) as peer:
        settings = settings_for(tmp_path, peer)
        command = next(iter(plan(mailing(recipients=people(120), batch_size=120), FakeJob(tmp_path), settings).children)).command
        assert isinstance(command, SendBatch)
        waits = FakeJob(tmp_path, id=f"{MAILING}.0", is_outranked=lambda: sum(peer.copies.values()) >= 10)
        with pytest.raises(JobPostponed, match="urgent") as room:
            send_batch(command, waits, settings)
        seconds, taken = time.monotonic() - peer.times[9], sum(peer.copies.values())
        attempt(tmp_path, command, settings)

    assert (room.value.seconds, taken < 120, seconds < 2) == (0.0, True, True)
    assert (len(peer.copies), set(peer.copies.values())) == (120, {1})
