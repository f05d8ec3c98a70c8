"""The way of a bounce: through the LMTP door into the Maildir, and from there into a real ledger and storage."""

import asyncio
import smtplib
import uuid
from pathlib import Path

import pytest

from services.mailer.bouncing import collect
from services.mailer.lmtp import serve
from services.mailer.maildir import Maildir
from services.mailer.mime import message_key
from services.mailer.policy import POLICY
from services.mailer.settings import MailerSettings
from services.mailer.tasks import HANDLERS
from services.mailer.verp import SECRET, Returned, ReturnPaths
from shared.contracts.mailer import CONTRACT, CollectBounces
from shared.ledger import calls, secrets
from shared.runtime import beat
from shared.runtime.caretaker import LedgerCaretaker
from shared.runtime.handle import JobHandle
from shared.runtime.runtime import Runtime
from shared.service import Service
from tests.gateways import Gateway
from tests.integration.api_desk import ApiDesk, Tenant
from tests.integration.smtp_peer import Peer, running
from tests.integration.test_mailer_faults import settings_for
from tests.unit.mailer_bounces import dsn
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, run_children

ROWS = "email,state,reply,message_id,time,resent\r\nada@example.com,sent,250 ok,<{key}@example.com>,2026-11-26T05:00:00.000Z,\r\n"


def test_the_door_keeps_a_bounce_before_it_says_so(tmp_path: Path) -> None:
    """On disk with its return path; what is no bounce is refused, and so are two of three recipients of one mail."""
    settings = MailerSettings(home=tmp_path, bounce_maildir=tmp_path / "mail", bounce_address="bounces@b.example", lmtp_port=0)
    mail = dsn("bounces+x@b.example", "ada@example.com")

    def talk(port: int) -> dict[str, tuple[int, bytes]]:
        with smtplib.LMTP("127.0.0.1", port, timeout=10) as client:
            people = ["bounces+x@B.example", "sales@b.example", "bounces+x@elsewhere.example"]
            refused: dict[str, tuple[int, bytes]] = client.sendmail("", people, mail)
            return refused

    async def session() -> dict[str, tuple[int, bytes]]:
        until, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(settings, until=until, listening=listening))
        refused = await asyncio.to_thread(talk, await listening)
        until.set()
        await serving
        return refused

    refused = asyncio.run(session())
    (kept,) = (tmp_path / "mail" / "new").iterdir()

    assert sorted(refused) == ["bounces+x@elsewhere.example", "sales@b.example"]
    assert kept.read_bytes().startswith(b"Delivered-To: bounces+x@B.example\r\n")
    assert b"Status: 5.1.1" in kept.read_bytes()


def test_a_bounce_reaches_list_and_file_through_ledger_and_storage(
    desk: ApiDesk, mine: Tenant, gateway: Gateway, gateway_redis_url: str, tmp_path: Path
) -> None:
    """The tenant sees the suppression and, in the mailing's own file under its old address, the bounce; the old bytes are gone."""
    job_id = mine.submit("mailings")["id"]
    key = message_key(job_id, "ada@example.com")
    desk.succeed(job_id, recipients_csv=ROWS.format(key=key).encode())
    before = desk.storage.size(bytes_of(desk, job_id)[0])
    folder = tmp_path / "mail"
    settings = MailerSettings(
        home=tmp_path,
        redis_url=gateway_redis_url,
        storage_url=f"file://{gateway.home}/storage",
        bounce_maildir=folder,
        bounce_address="bounces@b.example",
    )
    runtime = Runtime(Service(CONTRACT, POLICY, settings, HANDLERS), worker="w@test", handlers=HANDLERS)
    paths = ReturnPaths(runtime.ledger.run(secrets.secret(SECRET)), settings.bounce_address)
    Maildir(folder).make()
    Maildir(folder).add(dsn(paths.address(job_id, key), "ada@example.com"))
    record = runtime.ledger.run(calls.read(job_id))
    assert record is not None
    with pytest.raises(PermissionError):
        JobHandle(runtime, record, tmp_path / "work").caretaker()
    upkeep = beat.tick(runtime, CollectBounces.kind, uuid.uuid4().hex).detail
    desk.claim(upkeep)
    held = runtime.ledger.run(calls.read(upkeep))
    assert held is not None

    result = collect(CollectBounces(), JobHandle(runtime, held, tmp_path / "work"), settings)
    table = mine.client.get(f"/v1/jobs/{job_id}/artifacts/recipients.csv").raise_for_status().text
    listed = mine.client.get("/v1/suppressions/ada@example.com").raise_for_status().json()

    assert (result.hard, result.amended, result.waiting) == (1, 1, 0)
    assert (listed["reason"], listed["mailing"], listed["note"]) == ("hard-bounce", job_id, "5.1.1 550 5.1.1 no such user")
    assert table.splitlines()[1].split(",")[6] == "hard 5.1.1 550 5.1.1 no such user"
    after = bytes_of(desk, job_id)
    assert (len(after), desk.storage.size(after[0]) > before) == (1, True)

    care = LedgerCaretaker(runtime)
    past = care.past(job_id)
    assert past is not None
    mine.client.delete(f"/v1/jobs/{job_id}").raise_for_status()
    assert care.replace(past, {}) is False
    care.tally({"bounce_hard": 2})
    assert 'counterfoil_mail_bounces_total{kind="hard",service="mailer"}' in metrics(gateway)


@pytest.mark.parametrize("pipelining", [True, False])
def test_each_mail_leaves_with_a_return_path_of_its_own(tmp_path: Path, *, pipelining: bool) -> None:
    """Also where the next envelope travels with a body: the path says whose mail it is."""
    said = list[str]()

    def script(verb: str, argument: str) -> str:
        if verb in ("MAIL", "RCPT"):
            said.append(argument.partition("<")[2].partition(">")[0])
        return ""

    people = [{"email": f"u{number}@example.com"} for number in range(5)]
    with running(Peer(script=script, pipelining=pipelining)) as peer:
        settings = settings_for(tmp_path, peer, connections=1).model_copy(update={"bounce_address": "bounces@b.example"})
        command = mailing(recipients=people, html="<p>Hi</p>", subject="Hi")
        run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
    paths = ReturnPaths(FakeJob(tmp_path).secret(SECRET), "bounces@b.example")
    back = {to: paths.found(sender) for sender, to in zip(said[::2], said[1::2], strict=True)}

    assert back == {person["email"]: Returned(MAILING, message_key(MAILING, person["email"])[:16]) for person in people}


def bytes_of(desk: ApiDesk, job_id: str) -> list[str]:
    """The keys of the job's bytes."""
    return [entry.key for entry in desk.storage.list(f"jobs/{job_id}")]


def metrics(gateway: Gateway) -> str:
    """What the gateway tells Prometheus."""
    with gateway.client() as client:
        return client.get("/metrics").raise_for_status().text
