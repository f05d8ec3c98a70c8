"""Whose turn it is: tenants share a queue fairly, and have caps."""

from collections.abc import Iterator

import pytest

from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

KIND = "avatar.generate.v1"


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(redis_url, "avatar", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def submit(ledger: Ledger, tenant: str, *, queue: str = "avatar", tenant_cap: int = 0) -> calls.Answer:
    """Accept a job of `tenant`."""
    return ledger.run(calls.accept(NewJob(ids.new("avatar"), KIND, tenant, queue, "{}", bell="@TAG@"), tenant_cap=tenant_cap))


def claim(ledger: Ledger, doorbell: str, *, queue: str = "avatar") -> JobRecord | calls.Answer:
    """Answer a doorbell."""
    return ledger.run(calls.claim(doorbell, worker="w", pid=1, lease_ms=60_000, nonce=ids.ulid(), queue=queue))


def tenants_in_turn(ledger: Ledger, doorbells: list[str]) -> str:
    """The first letters of the tenants that these doorbells serve, in order."""
    served = [claim(ledger, doorbell) for doorbell in doorbells]
    return "".join(record.tenant[0] for record in served if isinstance(record, JobRecord))


def test_one_tenants_thousands_do_not_starve_anothers_one(ledger: Ledger) -> None:
    """A tenant with one job is served next, however many another has waiting; every doorbell does some job."""
    bells = [submit(ledger, "acme").detail for _ in range(500)]
    bells.append(submit(ledger, "bolt").detail)

    served = tenants_in_turn(ledger, bells)

    assert "b" in served[:2]
    assert 501 == len(served)


def test_tenants_take_turns(ledger: Ledger) -> None:
    """Three tenants with long lines are served one after the other."""
    bells = [submit(ledger, tenant).detail for tenant in ("acme", "bolt", "corp") for _ in range(4)]

    assert "abc" * 4 == tenants_in_turn(ledger, bells)


def test_a_newcomer_neither_waits_for_the_past_nor_owns_the_future(ledger: Ledger) -> None:
    """A tenant that comes after a hundred turns starts at the present one: it alternates with the others at once."""
    bells = [submit(ledger, "acme").detail for _ in range(110)]
    tenants_in_turn(ledger, bells[:100])
    bells += [submit(ledger, "bolt").detail for _ in range(4)]

    served = tenants_in_turn(ledger, bells[100:])

    assert "abab" in served[:5]
    assert "abababab" in served[:9] or "babababa" in served[:9]


def test_within_a_tenant_the_oldest_goes_first(ledger: Ledger) -> None:
    """Whatever order the doorbells come in, a tenant's jobs start in the order they were accepted."""
    bells = [submit(ledger, "acme").detail for _ in range(5)]

    served = [claim(ledger, doorbell) for doorbell in reversed(bells)]

    assert bells == [record.id for record in served if isinstance(record, JobRecord)]


def test_what_is_rescued_goes_before_what_came_later(ledger: Ledger) -> None:
    """A rescued job is not sent to the end of its tenant's line."""
    bells = [submit(ledger, "acme").detail for _ in range(3)]
    first = claim(ledger, bells[0])
    assert isinstance(first, JobRecord)
    ledger.run(calls.lose(first.id, first.token, budget=3, why={"reason": "SIGKILL"}))

    again = claim(ledger, bells[2])

    assert isinstance(again, JobRecord)
    assert first.id == again.id


def test_a_surplus_doorbell_is_ignored(ledger: Ledger) -> None:
    """Where nothing waits, a doorbell says of its own job why it is ignored."""
    bell = submit(ledger, "acme").detail
    claim(ledger, bell)

    assert calls.Answer("taken", "running") == claim(ledger, bell)


def test_lines_of_other_queues_are_left_alone(ledger: Ledger) -> None:
    """A doorbell of one queue never takes a job of another."""
    urgent = submit(ledger, "acme", queue="avatar.high").detail
    normal = submit(ledger, "acme").detail

    taken = claim(ledger, normal)

    assert isinstance(taken, JobRecord)
    assert normal == taken.id
    assert urgent != taken.id


def test_a_tenant_has_no_more_live_jobs_than_its_cap(ledger: Ledger) -> None:
    """The cap counts what is not done: a job that ends makes room; other tenants are not concerned."""
    first = submit(ledger, "acme", tenant_cap=2)
    submit(ledger, "acme", tenant_cap=2)

    assert calls.Answer("quota", "2") == submit(ledger, "acme", tenant_cap=2)
    assert "accepted" == submit(ledger, "bolt", tenant_cap=2).word
    ledger.run(calls.cancel(first.detail, "acme"))
    assert "accepted" == submit(ledger, "acme", tenant_cap=2).word


def parent_of(ledger: Ledger, tenant: str) -> JobRecord:
    """A job of `tenant` that is running."""
    record = claim(ledger, submit(ledger, tenant).detail)
    assert isinstance(record, JobRecord)
    return record


def family(ledger: Ledger, record: JobRecord, children: int) -> list[str]:
    """So many children of a running job; their ids, which are their doorbells' too."""
    parent, tenant = record.id, record.tenant
    fields: list[str | int] = [
        "kind",
        KIND,
        "tenant",
        tenant,
        "queue",
        "avatar",
        "request",
        "{}",
        "bell",
        "@TAG@",
        "parent",
        parent,
        "weight",
        1,
    ]
    ledger.run(calls.spawn(parent, record.token, [(index, [*fields, "index", index]) for index in range(children)]))
    ledger.run(calls.suspend(parent, record.token, total=children, weight=children, on_failure="fail"))
    return [f"{parent}.{index}" for index in range(children)]


def served(ledger: Ledger, doorbells: list[str]) -> list[str]:
    """The ids of the jobs that these doorbells serve, in order."""
    return [record.id for record in (claim(ledger, doorbell) for doorbell in doorbells) if isinstance(record, JobRecord)]


def test_a_clip_does_not_wait_for_the_film_before_it(ledger: Ledger) -> None:
    """Of one tenant, too: at most one of the film's 200 parts begins before the job that came after them all."""
    film = family(ledger, parent_of(ledger, "acme"), 200)
    clip = submit(ledger, "acme").detail

    order = served(ledger, film)

    assert order.index(clip) <= 1
    assert 200 == len(order)


def test_a_familys_children_go_in_the_order_in_which_they_were_made(ledger: Ledger) -> None:
    """By number, not by name: part 2 before part 10."""
    film = family(ledger, parent_of(ledger, "acme"), 12)

    assert film == served(ledger, film)


def test_two_films_of_one_tenant_take_turns(ledger: Ledger) -> None:
    """One part of the first, one of the second, and so on."""
    parents = parent_of(ledger, "acme"), parent_of(ledger, "acme")
    films = family(ledger, parents[0], 6), family(ledger, parents[1], 6)

    order = served(ledger, [*films[0], *films[1]])
    pairs = {tuple(sorted(part.partition(".")[0] for part in order[at : at + 2])) for at in range(1, 11, 2)}

    assert sorted([*films[0], *films[1]]) == sorted(order)
    assert pairs == {tuple(sorted(parent.id for parent in parents))}


def test_a_family_leaves_no_trace_in_the_line(ledger: Ledger) -> None:
    """Claimed or cancelled, the last child takes the keys along."""
    film = family(ledger, parent_of(ledger, "acme"), 3)
    served(ledger, film[:1])
    ledger.run(calls.cancel(film[0].partition(".")[0], "acme"))

    assert [] == [
        key
        for key in ledger.redis.scan_iter("cf:{avatar}:*")
        if b"kin:" in bytes(str(key), "utf-8") or b"line:" in bytes(str(key), "utf-8")
    ]
