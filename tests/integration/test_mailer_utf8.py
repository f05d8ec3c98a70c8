"""Addresses with letters beyond ASCII before the @: to servers that take them (SMTPUTF8, RFC 6531), and to others."""

from pathlib import Path

import pytest

from tests.integration.smtp_peer import Peer, running
from tests.integration.test_mailer_faults import settings_for
from tests.unit.mailer_job import FakeJob, mailing, plan, run_children


@pytest.mark.parametrize("pipelining", [True, False])
def test_an_address_beyond_ascii_waits_for_a_server_that_takes_it(tmp_path: Path, *, pipelining: bool) -> None:
    """With SMTPUTF8 it is mailed like all others; without, that recipient alone fails, and the server is not even asked."""
    people = [{"email": address} for address in ("u0@example.com", "jürgen@köln.example", "u1@example.com")]
    fates = {}
    for offer in ("250 SMTPUTF8", "250 HELP"):
        asked = list[str]()

        def script(verb: str, argument: str, offer: str = offer, asked: list[str] = asked) -> str:
            asked.append(f"{verb} {argument}")
            return f"250-peer\r\n{'250-PIPELINING' if pipelining else '250-SIZE'}\r\n{offer}" if verb == "EHLO" else ""

        (folder := tmp_path / offer).mkdir()
        with running(Peer(script=script, pipelining=pipelining)) as peer:
            settings = settings_for(folder, peer, connections=1)
            command = mailing(recipients=people, html="<p>Hi</p>", subject="Hi")
            result = run_children(plan(command, FakeJob(folder), settings), folder, settings)[0].result
        assert result is not None
        fates[offer] = (result["sent"], result["failed"], sorted(peer.copies), [line for line in asked if "SMTPUTF8" in line])

    plain = ["u0@example.com", "u1@example.com"]
    assert fates["250 HELP"] == (2, 1, plain, [])
    assert fates["250 SMTPUTF8"] == (3, 0, ["jürgen@xn--kln-sna.example", *plain], ["MAIL FROM:<news@example.com> SMTPUTF8"])
