"""The sender against a server that misbehaves: each fault has the right outcome for each recipient."""

import csv
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

import pytest

from services.mailer.batch import send_batch
from services.mailer.concluding import conclude
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import MailingResult, SendBatch
from shared.errors import JobCanceled, TransientError
from shared.job import FanOut
from tests.integration.smtp_peer import CUT, Peer, Script, running
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, run_children


def people(count: int) -> list[dict[str, object]]:
    """So many recipients: u0, u1 and so on."""
    return [{"email": f"u{number}@example.com", "name": f"U {number}"} for number in range(count)]


def settings_for(tmp_path: Path, peer: Peer, connections: int = 2) -> MailerSettings:
    """Short delays, and the peer as the relay."""
    return MailerSettings(
        home=tmp_path,
        smtp_url=peer.url,
        connections=connections,
        defer_delays=(0.05,),
        defer_for=0.2,
        reply_timeout=5,
        accept_timeout=5,
    )


def send(tmp_path: Path, peer: Peer, count: int = 6) -> tuple[MailingResult, dict[str, tuple[str, str]]]:
    """Mail `count` people; the result, and for each their state and the reply."""
    settings = settings_for(tmp_path, peer)
    command = mailing(recipients=people(count))
    children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
    job = FakeJob(tmp_path, ended=children)
    result = conclude(command, job, children)
    table = csv.DictReader(job.artifact("recipients.csv").splitlines())
    return result, {row["email"].partition("@")[0]: (row["state"], row["reply"]) for row in table}


def first_batch(fan_out: FanOut) -> SendBatch:
    """The command of the first child."""
    command = next(iter(fan_out.children)).command
    assert isinstance(command, SendBatch)
    return command


@pytest.mark.parametrize("pipelining", [True, False])
def test_everybody_gets_one_mail(tmp_path: Path, *, pipelining: bool) -> None:
    """With PIPELINING and in lockstep."""
    with running(Peer(pipelining=pipelining)) as peer:
        result, fates = send(tmp_path, peer)

    assert (result.sent, result.failed, result.unknown) == (6, 0, 0)
    assert peer.copies == {f"u{number}@example.com": 1 for number in range(6)}
    assert fates["u3"] == ("sent", "250 2.0.0 taken for u3@example.com")


def once(verb: str, who: str, answer: str, times: int = 1) -> Script:
    """A script that gives `answer` to the first `times` matching commands."""
    left = [times]

    def script(said: str, argument: str) -> str:
        if said == verb and who in argument and left[0] > 0:
            left[0] -= 1
            return answer
        return ""

    return script


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("verb", ["RCPT", "BODY"])
def test_a_4xx_is_tried_again_within_the_batch(tmp_path: Path, verb: str, *, pipelining: bool) -> None:
    """Greylisting for a moment costs nothing but the moment."""
    with running(Peer(once(verb, "u2@", "451 4.7.1 try later"), pipelining=pipelining)) as peer:
        result, fates = send(tmp_path, peer)

    assert result.sent == 6
    assert peer.copies["u2@example.com"] == 1
    assert fates["u2"][0] == "sent"


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("verb", "answer"), [("RCPT", "550 5.1.1 no such user"), ("BODY", "554 5.7.1 spam"), ("RCPT", "451 4.2.2 full")])
def test_a_lasting_refusal_fails_that_recipient_alone(tmp_path: Path, verb: str, answer: str, *, pipelining: bool) -> None:
    """In the server's words; a 4xx that does not end counts as one."""
    with running(Peer(once(verb, "u2@", answer, times=99), pipelining=pipelining)) as peer:
        result, fates = send(tmp_path, peer)

    assert (result.sent, result.failed) == (5, 1)
    assert fates["u2"] == ("failed", answer)
    assert peer.copies["u2@example.com"] == 0


def test_a_cut_before_the_body_is_tried_again(tmp_path: Path) -> None:
    """Nothing was offered, so nothing can come twice."""
    with running(Peer(once("RCPT", "u2@", CUT))) as peer:
        result, _ = send(tmp_path, peer)

    assert result.sent == 6
    assert set(peer.copies.values()) == {1}


def test_a_cut_after_the_body_is_unknown_and_not_tried_again(tmp_path: Path) -> None:
    """The server may have the mail: the recipient is listed by name, not mailed twice."""
    with running(Peer(once("BODY", "u2@", CUT))) as peer:
        result, fates = send(tmp_path, peer)

    assert (result.sent, result.unknown) == (5, 1)
    assert fates["u2"][0] == "unknown"
    assert peer.copies["u2@example.com"] == 0


def test_a_421_costs_the_connection_not_the_recipient(tmp_path: Path) -> None:
    """The server closes; the mail goes out over the next connection."""
    with running(Peer(once("MAIL", "", "421 4.3.2 shutting down"))) as peer:
        result, _ = send(tmp_path, peer)

    assert result.sent == 6
    assert set(peer.copies.values()) == {1}


def test_a_refused_connection_fails_the_batch_for_now_and_names_everybody(tmp_path: Path) -> None:
    """The platform tries the batch again; should it give up, nobody is missing from recipients.csv."""
    with running(Peer()) as peer:
        pass
    result, fates = send(tmp_path, peer)

    assert (result.recipients, result.failed) == (6, 6)
    assert "cannot be reached" in fates["u0"][1]


def test_a_failed_batch_hides_neither_the_sent_nor_the_rejected(tmp_path: Path) -> None:
    """The first of two batches sends two and dies: its sent ones are told by its journal, all others by name and reason."""
    taken = [0]

    def gone_after_two(verb: str, _argument: str) -> str:
        taken[0] += verb == "BODY"
        return "" if taken[0] < 3 and (verb != "MAIL" or taken[0] < 2) else CUT

    with running(Peer(gone_after_two)) as peer:
        settings = settings_for(tmp_path, peer, connections=1)
        command = mailing(recipients=[*people(6), {"email": "u1@EXAMPLE.com"}], batch_size=3)
        children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
        job = FakeJob(tmp_path, ended=children)
        result = conclude(command, job, children)
    states = [row["state"] for row in csv.DictReader(job.artifact("recipients.csv").splitlines())]

    assert states == ["sent", "sent", "failed", "failed", "failed", "failed"]
    assert (result.sent, result.failed, result.rejected_rows) == (2, 4, 1)
    assert job.artifact("rejected.csv").splitlines()[1] == "7,u1@EXAMPLE.com,duplicate"


def test_a_second_attempt_mails_only_whom_the_first_did_not(tmp_path: Path) -> None:
    """The server goes away after three mails and comes back: six mails, one each."""
    left = [3]

    def three_then_gone(verb: str, _argument: str) -> str:
        if verb in {"MAIL", "CONNECT"} and left[0] <= 0:
            return CUT if verb == "MAIL" else "421 gone"
        left[0] -= verb == "BODY"
        return ""

    with running(Peer(three_then_gone)) as peer:
        settings = settings_for(tmp_path, peer, connections=1)
        command = first_batch(plan(mailing(recipients=people(6)), FakeJob(tmp_path), settings))
        with pytest.raises(TransientError):
            send_batch(command, FakeJob(tmp_path, id=f"{MAILING}.0"), settings)
        left[0] = 99
        result = send_batch(command, FakeJob(tmp_path, id=f"{MAILING}.0", attempt=2), settings)

    assert (result.sent, result.unknown) == (6, 0)
    assert peer.copies == {f"u{number}@example.com": 1 for number in range(6)}


def test_a_connection_the_server_will_not_open_retires_alone(tmp_path: Path) -> None:
    """Four are wanted, the server allows one: the batch is sent over that one."""
    opened = [0]

    def one_at_most(verb: str, _argument: str) -> str:
        if verb == "CONNECT":
            opened[0] += 1
            return "421 4.7.0 too many connections" if opened[0] > 1 else ""
        return ""

    with running(Peer(one_at_most)) as peer:
        result, _ = send(tmp_path, peer, count=20)

    assert result.sent == 20


def test_a_cancel_stops_within_two_seconds(tmp_path: Path) -> None:
    """Even where the server answers slowly."""

    def cancel() -> None:
        if sum(peer.copies.values()) >= 4:
            raise JobCanceled

    with running(Peer(delay=0.3)) as peer:
        settings = settings_for(tmp_path, peer)
        command = first_batch(plan(mailing(recipients=people(200)), FakeJob(tmp_path), settings))
        with pytest.raises(JobCanceled):
            send_batch(command, FakeJob(tmp_path, id=f"{MAILING}.0", on_checkpoint=cancel), settings)
        seconds = time.monotonic() - peer.times[3]

    assert seconds < 2
    assert sum(peer.copies.values()) < 12


class TimeLimitError(Exception):
    """Stands for billiard's SoftTimeLimitExceeded."""


@pytest.mark.parametrize("after", [0.05, 0.11, 0.23])
def test_an_alarm_anywhere_in_the_loop_ends_the_batch(tmp_path: Path, after: float) -> None:
    """The platform's soft time limit is raised by a signal handler, wherever the code is: it comes out of the sender as it is."""

    def strike(_number: int, _frame: FrameType | None) -> None:
        raise TimeLimitError

    with running(Peer(delay=0.005)) as peer:
        settings = settings_for(tmp_path, peer)
        command = first_batch(plan(mailing(recipients=people(2_000), batch_size=2_000), FakeJob(tmp_path), settings))
        # SIGUSR1, as billiard uses it, a moment after mail has begun to flow: so it strikes in the loop.
        before = signal.signal(signal.SIGUSR1, strike)
        alarm = threading.Thread(target=alarm_after, args=(peer, after))
        alarm.start()
        try:
            with pytest.raises(TimeLimitError):
                send_batch(command, FakeJob(tmp_path, id=f"{MAILING}.0"), settings)
        finally:
            alarm.join()
            signal.signal(signal.SIGUSR1, before)

    assert 0 < sum(peer.copies.values()) < 2_000


def alarm_after(peer: Peer, seconds: float) -> None:
    """Signal this process that long after the first mail."""
    peer.wait_for(1)
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGUSR1)


def test_a_paced_mailing_is_never_faster(tmp_path: Path) -> None:
    """At 50 a second no two mails are closer than 20 ms, though two connections send."""
    with running(Peer()) as peer:
        settings = settings_for(tmp_path, peer)
        command = mailing(recipients=people(20), rate_per_second=50, batch_size=5)
        run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)

    assert len(peer.times) == 20
    assert peer.times[-1] - peer.times[0] >= 19 * 0.02 - 0.015


def test_a_dry_run_writes_every_mail_and_sends_none(tmp_path: Path) -> None:
    """All the way, to a sink of its own: a missing variable shows without anybody being mailed."""
    with running(Peer()) as peer:
        settings = settings_for(tmp_path, peer)
        recipients = [*people(3), {"email": "nameless@example.com"}]
        command = mailing(recipients=recipients, dry_run=True)
        children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
        job = FakeJob(tmp_path, ended=children)
        result = conclude(command, job, children)

    assert (result.rendered, result.sent, result.failed, result.dry_run) == (3, 0, 1, True)
    assert (peer.sessions, job.artifact("recipients.csv").count("bytes, sent to nobody")) == (0, 3)


def test_an_injected_header_fails_that_recipient_alone(tmp_path: Path) -> None:
    """A line break out of a variable never reaches the wire."""
    with running(Peer()) as peer:
        settings = settings_for(tmp_path, peer)
        evil = {"email": "evil@example.com", "vars": {"name": "Eve\r\nBcc: victim@example.com"}}
        command = mailing(recipients=[*people(2), evil])
        children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
        job = FakeJob(tmp_path, ended=children)
        result = conclude(command, job, children)

    assert (result.sent, result.failed) == (2, 1)
    assert 'evil@example.com,failed,"not sent: subject: it has a line break' in job.artifact("recipients.csv")
    assert "victim@example.com" not in peer.copies
