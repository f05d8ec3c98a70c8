"""Webhooks are delivered over real sockets: what receivers get, and what becomes of those that are down, slow, hostile or private."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler

import pytest
from standardwebhooks.webhooks import Webhook

from shared.addresses import networks
from shared.contracts.registry import contracts
from shared.ledger import calls, deliveries
from shared.ledger.deliveries import Limits
from shared.ledger.store import Ledger
from shared.webhooks.backoff import Backoff
from shared.webhooks.posting import Reach, post
from shared.webhooks.secrets import Signers
from tests.integration.webhook_desk import LOOPBACK, Desk
from tests.integration.webhook_receiver import Receiver, receiving
from tests.servers import ROOT, free_port, wait_until


@pytest.fixture
def desk(redis_url: str) -> Iterator[Desk]:
    """A ledger in a database of its own."""
    url = f"{redis_url.removesuffix('/0')}/11"
    ledger = Ledger(url, next(iter(contracts())), rings_here=True)
    ledger.redis.flushdb()
    yield Desk(ledger, Signers(url))
    ledger.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that answers 204."""
    with receiving() as found:
        yield found


def test_events_come_signed_and_once(desk: Desk, receiver: Receiver) -> None:
    """What was asked for, each event as a CloudEvent, verified by Standard Webhooks' own library; the trace goes along."""
    job = desk.job(receiver.url("/hook?a=b"), tells=" accepted succeeded ")
    with desk.delivering():
        wait_until(lambda: len(receiver.got) == 1, "the first event")
        desk.succeed(job, {"portrait": "done"})
        wait_until(lambda: len(receiver.got) == 2, "the last event")
        desk.until(f"{job}:3", lambda delivery: delivery.state == "delivered")

    assert [("/hook?a=b", f"{job}:1"), ("/hook?a=b", f"{job}:3")] == [(got.path, got.headers["webhook-id"]) for got in receiver.got]
    assert ["job.accepted", "job.succeeded"] == [got.event["type"] for got in receiver.got]
    assert {"portrait": "done"} == receiver.got[1].event["data"]["result"]
    assert "application/cloudevents+json" == receiver.got[0].headers["content-type"]
    for got in receiver.got:
        Webhook(desk.signers.of(desk.tenant)[0]).verify(got.body, got.headers)


def test_a_receiver_that_was_down_hears_of_it_later(desk: Desk) -> None:
    """Attempts are logged with their reasons, and the one that succeeds has the same id and its own timestamp."""
    port = free_port()
    delivery = desk.done(f"http://127.0.0.1:{port}/hook")
    with desk.delivering():
        found = desk.until(delivery, lambda delivery: len(delivery.log) == 2)
        assert "pending" == found.state
        assert {"Connection refused"} == {attempt["reason"] for attempt in found.log}
    with receiving() as receiver, desk.delivering(reach=Reach(LOOPBACK, resolve=lambda *_: ["127.0.0.1"])):
        other = desk.done(receiver.url())
        receiver.answers += [(500, {}), (302, {"Location": receiver.url("/elsewhere")})]
        found = desk.until(other, lambda delivery: delivery.state == "delivered")

    assert [500, 302, 204] == [attempt["status"] for attempt in found.log]
    assert "redirects are not followed" in found.log[1]["reason"]
    assert {"/hook"} == {got.path for got in receiver.got}
    assert {other} == {got.headers["webhook-id"] for got in receiver.got}


def test_a_day_of_failures_is_enough(desk: Desk, receiver: Receiver) -> None:
    """When the window is over the delivery has failed; a user may have it sent again, which opens the window anew."""
    receiver.answers += [(500, {})] * 2
    delivery = desk.done(receiver.url())
    with desk.delivering(backoff=Backoff((0.05,), window=0.1)):
        found = desk.until(delivery, lambda delivery: delivery.state == "failed")
        assert "exhausted" == found.reason
        assert 2 == len(found.log)
        desk.ledger.run(deliveries.again(delivery, desk.tenant))
        found = desk.until(delivery, lambda delivery: delivery.state == "delivered")

    assert [1, 2, 3] == [attempt["number"] for attempt in found.log]


def test_gone_is_the_end_of_it(desk: Desk, receiver: Receiver) -> None:
    """410: neither this delivery nor any other of the job is tried again."""
    job = desk.job(receiver.url(), tells=" accepted started succeeded ")
    receiver.answers.append((410, {}))
    with desk.delivering():
        found = desk.until(f"{job}:1", lambda delivery: delivery.state == "failed")
        desk.succeed(job)
        other = desk.done(receiver.url())
        desk.until(other, lambda delivery: delivery.state == "delivered")

    assert "gone" == found.reason
    assert [f"{job}:1"] == [delivery.id for delivery in desk.ledger.run(deliveries.page(desk.tenant, job=job))]
    assert [f"{job}:1", other] == [got.headers["webhook-id"] for got in receiver.got]


def test_a_receiver_that_asks_for_time_gets_it(desk: Desk, receiver: Receiver) -> None:
    """429 with Retry-After: that delivery waits so long, and nothing else is sent there meanwhile; others are."""
    receiver.answers.append((429, {"Retry-After": "2"}))
    with receiving() as another, desk.delivering():
        first = desk.done(receiver.url())
        found = desk.until(first, lambda delivery: len(delivery.log) == 1)
        assert found.next is not None
        assert found.next - found.log[0]["at"] >= 2_000
        second, elsewhere = desk.done(receiver.url()), desk.done(another.url())
        desk.until(elsewhere, lambda delivery: delivery.state == "delivered")
        held = desk.until(second, lambda delivery: delivery.state == "delivered")
        assert held.log[0]["at"] >= found.log[0]["at"] + 2_000
        desk.until(first, lambda delivery: delivery.state == "delivered")


def test_slow_receivers_hold_up_nobody(desk: Desk, receiver: Receiver) -> None:
    """With fewer slots than a silent receiver has deliveries, others hear at once; it never has more than its share at a time."""
    receiver.hold.clear()
    for _ in range(20):
        desk.done(receiver.url())
    with receiving() as other, desk.delivering(slots=5, limits=Limits(3)):
        wait_until(lambda: receiver.busy == 3, "its share")
        for _ in range(20):
            desk.done(other.url())
        wait_until(lambda: len(other.got) == 20, "the other's")
        assert 3 == receiver.busiest
        receiver.hold.set()
        wait_until(lambda: len(receiver.got) == 20, "all of them")


def test_a_tenant_with_many_silent_receivers_holds_up_nobody(desk: Desk, receiver: Receiver) -> None:
    """However many names it has them under, some slots are kept for other tenants."""
    receiver.hold.clear()
    for number in range(12):
        desk.done(f"http://r{number}.example:{receiver.port}/hook")
    reach = Reach(LOOPBACK, 20.0, resolve=lambda *_: ["127.0.0.1"])
    with receiving() as other, desk.delivering(reach=reach, slots=6, limits=Limits(tenant=4)):
        wait_until(lambda: receiver.busy == 4, "its share")
        Desk(desk.ledger, desk.signers).done(other.url())
        wait_until(lambda: len(other.got) == 1, "another tenant's")
        assert 4 == receiver.busiest
        receiver.hold.set()
        wait_until(lambda: len(receiver.got) == 12, "all of them")


def test_a_large_result_is_left_out(desk: Desk, receiver: Receiver) -> None:
    """The body stays below 20 kB, says what is missing and where it is."""
    delivery = desk.done(receiver.url(), {"text": "x" * 30_000})
    with desk.delivering():
        desk.until(delivery, lambda found: found.state == "delivered")

    data = receiver.got[0].event["data"]
    job = deliveries.job_of(delivery)
    assert (None, ["result"], {"self": f"/v1/jobs/{job}"}) == (data["result"], data["left_out"], data["links"])


@pytest.mark.parametrize(
    ("url", "addresses", "allowed", "reason"),
    [
        ("https://inside.example:{port}/", ["127.0.0.1"], "", "does not lead to a public address"),
        ("https://inside.example:{port}/", ["93.184.216.34", "10.0.0.1"], "", "does not lead to a public address"),
        ("http://inside.example:{port}/", ["127.0.0.1"], "10.0.0.0/8", "network in which http:// is allowed"),
        ("http://public.example:{port}/", ["93.184.216.34"], "127.0.0.0/8", "network in which http:// is allowed"),
        ("https://inside.example:{port}/", ["::ffff:169.254.169.254"], "", "does not lead to a public address"),
    ],
)
def test_private_addresses_are_not_called(receiver: Receiver, url: str, addresses: Sequence[str], allowed: str, reason: str) -> None:
    """Unless a setting names their network; every address of a name must be allowed."""
    found = post(url.format(port=receiver.port), {}, b"{}", Reach(networks(allowed), resolve=lambda *_: addresses))

    assert reason in found.reason
    assert [] == receiver.got
    assert post(receiver.url(), {}, b"{}", Reach(networks("127.0.0.0/8"))).ok


def test_the_address_that_was_checked_is_the_one_connected_to(receiver: Receiver) -> None:
    """DNS rebinding: a name is looked up once, and a second answer, which leads inside, is never asked for."""
    answers = [["127.0.0.2"], ["127.0.0.1"]]
    found = post(receiver.url(host="rebound.example"), {}, b"{}", Reach(networks("127.0.0.2/32"), resolve=lambda *_: answers.pop(0)))

    assert "Connection refused" == found.reason
    assert ([], 1) == (receiver.got, len(answers))


def _drip(_: Receiver, handler: BaseHTTPRequestHandler) -> None:
    for _step in range(200):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        handler.wfile.flush()
        time.sleep(0.05)


def _flood(_: Receiver, handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        handler.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


def _headers(_: Receiver, handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        handler.wfile.write(b"x-%d: " % number + b"x" * 60_000 + b"\r\n")


def test_an_answer_that_never_ends_is_cut() -> None:
    """Drops are no way round the time limit; of a flood, in body or head, 64 kB are taken, and its status stands."""
    reach = Reach(LOOPBACK, timeout=0.6)
    with ExitStack() as stack:
        dripping, flooding, heading = (stack.enter_context(receiving(answer)) for answer in (_drip, _flood, _headers))
        assert "it gave no answer in time" == post(dripping.url(), {}, b"{}", reach).reason
        assert [200, 200] == [post(each.url(), {}, b"{}", reach).status for each in (flooding, heading)]


def test_a_deliverer_that_stops_gives_back(desk: Desk, receiver: Receiver) -> None:
    """What is under way when it is told to stop is due at once, for the next one, and no try is counted."""
    receiver.hold.clear()
    delivery = desk.done(receiver.url())
    with desk.delivering():
        wait_until(lambda: receiver.busy == 1, "under way")
    found = desk.look(delivery)
    assert ("pending", ()) == (found.state, found.log)
    receiver.hold.set()
    with desk.delivering():
        assert [2] == [attempt["number"] for attempt in desk.until(delivery, lambda found: found.state == "delivered").log]


def test_a_killed_deliverer_is_made_up_for(desk: Desk, receiver: Receiver, redis_url: str) -> None:
    """SIGKILL in the middle of an attempt: the lease runs out, another deliverer attempts it, under the same id."""
    receiver.hold.clear()
    delivery = desk.done(receiver.url())
    command = [sys.executable, "-m", "tests.integration.webhook_process", f"{redis_url.removesuffix('/0')}/11", desk.ledger.service]
    with subprocess.Popen(command, cwd=ROOT) as process:
        wait_until(lambda: receiver.busy == 1, "under way", seconds=60)
        process.send_signal(signal.SIGKILL)
    receiver.hold.set()
    with desk.delivering():
        found = desk.until(delivery, lambda found: found.state == "delivered")

    assert [(1, "lost"), (2, "delivered")] == [(attempt["number"], attempt["outcome"]) for attempt in found.log]
    assert {delivery} == {got.headers["webhook-id"] for got in receiver.got}


def test_a_job_without_a_webhook_owes_nothing(desk: Desk) -> None:
    """Its record and its events cost what they did: no key of a delivery is made."""
    plain = calls.NewJob("avatar_01JD3Q7Y8M4C5N6P7R8S9T0VWX", "avatar.generate.v1", "t", "hooked", "{}", bell="@TAG@")
    desk.ledger.run(calls.accept(plain))

    assert [] == list(desk.ledger.redis.scan_iter("*owed*")) + list(desk.ledger.redis.scan_iter("*deliveries*"))
