"""Several mail servers: the first that works is used, a mail that was offered is not moved, and tokens open doors."""

import base64
from pathlib import Path

import pytest

from services.mailer.breaker import FIRST_PAUSE, Breaker
from services.mailer.settings import MailerSettings, Relay
from shared.errors import TransientError
from tests.integration.smtp_peer import CUT, Peer, running
from tests.integration.test_mailer_deferrals import attempt, batch_of
from tests.integration.test_mailer_faults import once, people, settings_for
from tests.unit.mailer_job import FakeJob, mailing, plan, run_children


def both(tmp_path: Path, first: Peer, second: Peer, connections: int = 2) -> MailerSettings:
    """Settings with two servers."""
    return settings_for(tmp_path, first, connections).model_copy(update={"smtp_url": f"{first.url} {second.url}"})


def test_the_next_server_takes_over_where_the_first_is_away(tmp_path: Path) -> None:
    """Everybody has one mail, and the first is not asked again for each."""
    with running(Peer()) as away:
        pass
    with running(Peer()) as second:
        settings = both(tmp_path, away, second)
        ended = run_children(plan(mailing(recipients=people(20), batch_size=5), FakeJob(tmp_path), settings), tmp_path, settings)

    assert [child.state for child in ended] == ["succeeded"] * 4
    assert second.copies == {f"u{number}@example.com": 1 for number in range(20)}


def test_a_server_that_breaks_every_connection_is_passed_over(tmp_path: Path) -> None:
    """It greets, and cuts at MAIL: nothing was offered, so the mails go to the other one."""
    with running(Peer(once("MAIL", "", CUT, times=99))) as first, running(Peer()) as second:
        fates = attempt(tmp_path, batch_of(tmp_path, both(tmp_path, first, second)), both(tmp_path, first, second))

    assert {row["state"] for row in fates.values()} == {"sent"}
    assert set(second.copies.values()) == {1}
    assert first.sessions <= 4


def test_an_offered_mail_is_not_moved_to_the_other_server(tmp_path: Path) -> None:
    """The first cuts after a body: that recipient is unknown, and the second does not get their mail."""
    with running(Peer(once("BODY", "u2@", CUT))) as first, running(Peer()) as second:
        settings = both(tmp_path, first, second, connections=1)
        fates = attempt(tmp_path, batch_of(tmp_path, settings), settings)

    assert fates["u2"]["state"] == "unknown"
    assert second.copies["u2@example.com"] == 0


def test_all_servers_away_is_the_batchs_failure(tmp_path: Path) -> None:
    """For now: the platform tries it again."""
    with running(Peer()) as first, running(Peer()) as second:
        pass
    settings = both(tmp_path, first, second)
    with pytest.raises(TransientError, match="cannot be reached"):
        attempt(tmp_path, batch_of(tmp_path, settings), settings)


def test_the_breaker_pauses_longer_each_time_and_forgets_with_a_mail() -> None:
    """On pause a server comes last, not never: it may be the only one left."""
    now = [100.0]
    first, second = Relay("a", 25), Relay("b", 25)
    breaker = Breaker([first, second], now=lambda: now[0])
    breaker.failed(first)
    paused = breaker.order()
    now[0] += FIRST_PAUSE
    after = breaker.order()
    breaker.failed(first)
    now[0] += FIRST_PAUSE
    still = breaker.order()
    breaker.took(first)

    assert [paused, after, still, breaker.order()] == [[second, first], [first, second], [second, first], [first, second]]


@pytest.mark.parametrize("right", [True, False])
def test_a_token_logs_in(tmp_path: Path, *, right: bool) -> None:
    """XOAUTH2 with the token that lies in the file now; a refusal is told in the server's words."""
    said: list[str] = []

    def server(verb: str, argument: str) -> str:
        if verb == "EHLO":
            return "250-peer\r\n250-PIPELINING\r\n250 AUTH PLAIN XOAUTH2"
        if verb == "AUTH":
            said.append(base64.b64decode(argument.partition(" ")[2]).decode())
            return "235 welcome" if right else "334 eyJzdGF0dXMiOiI0MDEifQ=="
        return "535 5.7.8 token expired" if verb == "" else ""

    token = tmp_path / "token"
    token.write_text("ya29.secret\n")
    with running(Peer(server)) as peer:
        url = f"smtp://news%40example.com@127.0.0.1:{peer.relay.port}"
        settings = settings_for(tmp_path, peer, 1).model_copy(update={"smtp_url": url, "smtp_token_file": token})
        command = batch_of(tmp_path, settings)
        if right:
            attempt(tmp_path, command, settings)
        else:
            with pytest.raises(TransientError, match=r"535 5\.7\.8 token expired"):
                attempt(tmp_path, command, settings)

    assert said == ["user=news@example.com\x01auth=Bearer ya29.secret\x01\x01"]
    assert sum(peer.copies.values()) == (6 if right else 0)
