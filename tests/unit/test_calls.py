"""What is said to the ledger and how its answers are read, without a ledger."""

import json

import pytest

from shared.contracts.base import Blob
from shared.contracts.events import EventType
from shared.contracts.states import State
from shared.errors import StaleTokenError
from shared.ledger import calls, dead
from shared.ledger.calls import Answer, Call, Held, Look, NewJob
from shared.ledger.record import JobRecord

ID = "avatar_01JD3Q7Y8M4C5N6P7R8S9T0VWX"
FLAT = [
    "state",
    "running",
    "kind",
    "avatar.generate.v1",
    "tenant",
    "acme",
    "token",
    "3",
    "created",
    "1700000000000.5",
    "trace",
    '{"a":"b"}',
]


def test_new_job_says_only_what_is_set() -> None:
    """Empty fields are not written: an absent one means the same and costs nothing."""
    least = NewJob(ID, "k.k.v1", "acme", "avatar", "{}")
    most = NewJob(ID, "k.k.v1", "acme", "avatar", "{}", labels={"a": "b"}, trace={}, run_at=0, expires_at=5, max_attempts=1)

    assert least.fields() == ["kind", "k.k.v1", "tenant", "acme", "queue", "avatar", "request", "{}"]
    assert most.fields()[8:] == ["labels", '{"a": "b"}', "run_at", 0, "expires", 5, "max", 1]


def test_accept_carries_what_its_script_reads() -> None:
    """Id, idempotency key and digest, their time to live, uniqueness, caps; then the record."""
    new = NewJob(ID, "k.k.v1", "acme", "avatar", "{}")
    call = calls.accept(new, idempotency=("acme:key", "ab12"), unique="acme:k:u", unique_ttl=60, cap=1_000, tenant_cap=9)

    assert call.script == "accept"
    assert call.args == (ID, "acme:key", "ab12", 86_400, "acme:k:u", 60, 1_000, 9, *new.fields())
    assert calls.accept(new).args[:8] == (ID, "", "", 86_400, "", 0, 0, 0)


@pytest.mark.parametrize(
    ("reply", "answer"), [(["accepted", ID], Answer("accepted", ID)), (["mismatch", ""], Answer("mismatch")), (["full"], Answer("full"))]
)
def test_answer_is_a_word_and_what_belongs_to_it(reply: list[str], answer: Answer) -> None:
    """A reply without a second part has an empty one."""
    assert answer == calls.accept(NewJob(ID, "k", "t", "q", "{}")).parse(reply)


@pytest.mark.parametrize(
    "call",
    [
        calls.progress(ID, 3, 0.5, {"step": "draw"}, event=True),
        calls.peek(ID, 3),
        calls.succeed(ID, 3, "{}", "[]"),
        calls.fail(ID, 3, {}, retryable=True, delay_ms=1, policy_attempts=5),
        calls.lose(ID, 3, budget=3, why={}),
        calls.release(ID, 3, "stopping"),
        calls.postpone(ID, 3, delay_ms=1, reason="not yet"),
        calls.canceled(ID, 3),
        calls.spawn(ID, 3, []),
        calls.suspend(ID, 3, total=0, weight=0.0, on_failure="fail"),
    ],
    ids=lambda call: str(call.script),
)
def test_every_write_of_an_attempt_is_fenced(call: Call[State]) -> None:
    """Each carries job and token first; a stale one is an error, anything else the job's state."""
    assert call.args[:2] == (ID, 3)
    assert call.parse(["ok", "canceling"]) is State.CANCELING

    with pytest.raises(StaleTokenError):
        call.parse(["stale"])


def test_claim_brings_the_record_or_a_reason() -> None:
    """A worker learns from one answer whether to work, and on what."""
    call = calls.claim(ID, worker="w", pid=17, lease_ms=15_000, nonce="n")
    record = call.parse(["claimed", FLAT, ID])

    assert isinstance(record, JobRecord)
    assert (ID, State.RUNNING, "acme", 3) == (record.id, record.state, record.tenant, record.token)
    assert call.parse(["taken", "running"]) == Answer("taken", "running")
    assert call.parse(["unknown"]) == Answer("unknown")


def test_renewal_brings_what_is_held() -> None:
    """With the child's pid, and the state that tells of a cancel."""
    call = calls.renew("w", lease_ms=15_000, info={"slots": 2})

    assert [Held("a", 1, 17, State.RUNNING), Held("b", 2, 0, State.CANCELING)] == call.parse(
        [["a", "1", "17", "running"], ["b", "2", "", "canceling"]]
    )


def test_look_of_the_reconciler() -> None:
    """Five numbers, or that another worker does the looking; the depths go along by queue."""
    call = calls.reconcile("w", budget=3, most=100, depths={"avatar": -1, "avatar.low": 7})

    assert call.args == ("w", 3, 100, "avatar", -1, "avatar.low", 7)
    assert call.parse([0]) == Look(mine=False)
    assert call.parse([1, "1", "2", "3", "4"]) == Look(True, 1, 2, 3, 4)


def test_children_are_said_with_their_length() -> None:
    """Index, count, then that many strings: the script takes them apart again."""
    assert calls.spawn(ID, 3, [(0, ["kind", "k"]), (1, ["a", "b", "c", "d"])]).args[2:] == (0, 2, "kind", "k", 1, 4, "a", "b", "c", "d")


def test_children_are_read_as_json() -> None:
    """Results, errors and artifacts are JSON or nothing."""
    assert [(0, State.SUCCEEDED, {"a": 1}, None, []), (1, State.FAILED, None, {"detail": "no"}, None)] == calls.children(ID, start=0).parse(
        [["0", "succeeded", '{"a":1}', "", "[]"], ["1", "failed", "", '{"detail":"no"}', ""]]
    )


def test_events_are_typed() -> None:
    """A page has the job's state and its last event's number, so that a reader knows whether there is more; places are numbers."""
    page = calls.events(ID, after=1).parse(["running", "2", ['{"type":"job.started","time":1,"data":{},"new":1}']])

    assert ("running", 2) == (page.state, page.last)
    assert [(2, EventType.STARTED)] == [(event.seq, event.type) for event in page.events]


def test_stats_are_seconds_and_numbers() -> None:
    """Ages come in milliseconds and are told in seconds; an absent catalogue is empty."""
    reply = [
        [["avatar", "3", "1500", "1"]],
        ["queued", "3"],
        "2",
        "1",
        [['{"name":"w","caps":[4,0]}', "1700.0", "1"]],
        ["stale_refused", "4"],
        "",
        [],
        1_700,
    ]

    assert calls.stats(["avatar"]).parse(reply) == {
        "queues": {"avatar": {"depth": 3, "held_back": 1, "oldest_age": 1.5, "canary_age": None}},
        "limits": {"running": 4, "running_per_tenant": None},
        "states": {"queued": 3},
        "dead_letters": 2,
        "due": 1,
        "workers": [{"name": "w", "caps": [4, 0], "heartbeat_at": 1700, "busy": 1, "deaf": False, "deaf_queues": []}],
        "counters": {"stale_refused": 4},
        "catalogue": {},
    }


def test_record_reads_its_fields() -> None:
    """Text, numbers, times and JSON; what is absent is empty, zero or None."""
    blob = Blob(key="uploads/x", bytes=5)
    record = JobRecord.parse(ID, [*FLAT, "inputs", json.dumps({"upl_12345678": blob.model_dump()})], ['{"number":1}'])

    assert record is not None
    assert (1_700_000_000_000, None) == (record.time("created"), record.time("finished"))
    assert ("", 0, None) == (record.text("error"), record.number("errors"), record.json("error"))
    assert {"a": "b"} == record.carrier
    assert {"upl_12345678": blob} == record.inputs
    assert (record.artifacts, record.done, record.attempts) == ((), False, ({"number": 1},))


@pytest.mark.parametrize("state", sorted(State))
def test_done_is_true_in_the_four_terminal_states(state: State) -> None:
    """And in no other."""
    terminal = {"succeeded", "failed", "canceled", "expired"}

    assert (state in terminal) is JobRecord(ID, {"state": state}).done


def test_no_fields_no_job() -> None:
    """An empty hash is how Redis says that there is none."""
    assert JobRecord.parse(ID, []) is None
    assert calls.read(ID).parse([[], []]) is None


def test_dead_letter_without_a_job() -> None:
    """A message that never became one has its reason and kind from the entry; whose it was, nobody knows."""
    letter = dead.one("avatar_1").parse(["avatar_1", "1700.0", [], [], '{"reason":"malformed","kind":"x"}'])

    assert letter is not None
    assert ("malformed", "x", "", 1_700) == (letter.reason, letter.kind, letter.tenant, letter.at)
    assert dead.one("avatar_1").parse([]) is None


def test_what_is_no_text_can_still_be_told() -> None:
    """Lone surrogates (bytes of a broken upload in an error's detail) reach the scripts as question marks: Lua's cjson refuses them."""
    call = calls.fail(ID, 3, {"detail": "column \udcff\x00é"}, retryable=False, delay_ms=0, policy_attempts=3)

    assert {"detail": "column ?\x00é"} == json.loads(str(call.args[2]))
    assert "\\ud" not in str(call.args[2])
