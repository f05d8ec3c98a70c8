"""API keys over HTTP, against a real Redis."""

import asyncio
import stat
from pathlib import Path

import pytest
import redis as redis_py

from gateway.keys import INDEX, PREFIX, Keys, digest_of
from gateway.state import connect
from tests.gateways import Gateway, problem
from tests.servers import gateway_server, redis_server, running, wait_until


def test_the_first_start_writes_one_key(gateway: Gateway, gateway_redis_url: str) -> None:
    """The file is the owner's alone, opens everything, and neither it nor its digest's source is in Redis."""
    assert stat.S_IMODE((gateway.home / "api-key").stat().st_mode) == 0o600
    with gateway.client() as client:
        listed = client.get("/v1/keys").json()["items"]

    mine = next(item for item in listed if item["id"] == f"key_{digest_of(gateway.key)[:16]}")

    assert (mine["tenant"], mine["scopes"], mine["name"]) == ("default", ["submit", "read", "operate"], "first start")
    with redis_py.Redis.from_url(gateway_redis_url) as store:
        assert gateway.key.encode() not in b"".join(b"".join([*pair]) for pair in store.hgetall(PREFIX + digest_of(gateway.key)).items())


def test_a_restart_keeps_the_key_and_an_emptied_ledger_gets_it_again(gateway: Gateway, gateway_redis_url: str) -> None:
    """The file is reused, and the ledger is told of it again where it forgot."""
    before = gateway.key
    with redis_py.Redis.from_url(gateway_redis_url) as store:
        store.delete(PREFIX + digest_of(before), INDEX)
    gateway.server.restart()

    with gateway.client() as client:
        assert before == gateway.key
        assert client.get("/v1/keys").status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Basic eDp5", "Bearer cf_short", f"Bearer cf_{'x' * 43}", "Bearer ☃"])
def test_no_key_is_401(gateway: Gateway, header: str) -> None:
    """Whatever is wrong with the key, the answer is a 401 that says how to send one."""
    headers = [(b"Authorization", header.encode())] if header else []
    with gateway.client("") as client:
        response = client.get("/v1/keys", headers=headers)

    problem(response, "unauthenticated")

    assert response.headers["www-authenticate"].startswith('Bearer realm="counterfoil"')


def test_a_key_without_the_scope_is_403(gateway: Gateway) -> None:
    """Known, but not allowed; the challenge names the scope (RFC 6750)."""
    with gateway.client(gateway.make_key("scoped", "read", "submit")) as client:
        response = client.get("/v1/keys")

    problem(response, "forbidden")

    assert 'error="insufficient_scope", scope="operate"' in response.headers["www-authenticate"]


def test_a_tenant_manages_its_own_keys_only(gateway: Gateway) -> None:
    """Another tenant's keys can be neither seen nor made nor revoked; the tenant `default` can."""
    theirs, mine = gateway.make_key("acme", "operate"), gateway.make_key("globex", "operate")
    with gateway.client(mine) as client, gateway.client() as owner:
        assert {"globex"} == {item["tenant"] for item in client.get("/v1/keys").json()["items"]}
        problem(client.post("/v1/keys", json={"name": "x", "tenant": "acme", "scopes": ["read"]}), "forbidden")
        problem(client.delete(f"/v1/keys/key_{digest_of(theirs)[:16]}"), "not-found")
        assert {"acme", "globex"} <= {item["tenant"] for item in owner.get("/v1/keys").json()["items"]}
        assert owner.delete(f"/v1/keys/key_{digest_of(theirs)[:16]}").status_code == 204
        problem(owner.delete(f"/v1/keys/key_{digest_of(theirs)[:16]}"), "not-found")


def test_a_made_key_works_until_it_is_revoked(gateway: Gateway) -> None:
    """The secret is shown once, works at once, and is refused at once by the gateway that revoked it."""
    with gateway.client() as owner:
        made = owner.post("/v1/keys", json={"name": "shop", "scopes": ["operate", "operate"], "limits": {"live_jobs": 5}}).json()
        with gateway.client(made["key"]) as client:
            assert client.get("/v1/keys").status_code == 200
            assert "cf_" not in client.get("/v1/keys").text
            assert owner.delete(f"/v1/keys/{made['id']}").status_code == 204
            problem(client.get("/v1/keys"), "unauthenticated")

    assert (made["scopes"], made["limits"]["live_jobs"]) == (["operate"], 5)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name", "/scopes"}),
        ({"name": "x", "scopes": []}, {"/scopes"}),
        ({"name": "x", "scopes": ["read", "fly"]}, {"/scopes/1"}),
        ({"name": "x\n", "scopes": ["read"]}, {"/name"}),
        ({"name": "x", "scopes": ["read"], "a/b": 1}, {"/a~1b"}),
        ({"name": "x", "scopes": ["read"], "limits": {"live_jobs": 0}}, {"/limits/live_jobs"}),
        ({"name": "x", "scopes": ["read"], "tenant": "../x"}, {"/tenant"}),
        ([], {""}),
        ("text", {""}),
    ],
)
def test_bad_input_is_pointed_at(gateway: Gateway, body: object, pointers: set[str]) -> None:
    """A 422 names every guilty field."""
    with gateway.client() as client:
        found = problem(client.post("/v1/keys", json=body), "invalid-request")

    assert pointers == {error["pointer"] for error in found["errors"]}


def test_a_revoked_key_is_not_brought_back_by_its_use(redis_url: str) -> None:
    """Noting the day of a key's use, a moment after it was revoked elsewhere, leaves nothing behind."""

    async def race() -> int:
        async with connect(redis_url) as client:
            keys = Keys(client)
            key, info = await keys.make("racer", "x", ["read"])
            record = await keys._record(digest_of(key))
            assert record is not None
            await Keys(client).revoke(info.id, None)

            async def remembered(_digest: str) -> object:
                return record

            keys._record = remembered  # type: ignore[method-assign,assignment] # the moment between reading and noting
            assert await keys.principal(key.encode()) is not None
            return int(await client.exists(PREFIX + digest_of(key)))

    assert asyncio.run(race()) == 0


def test_errors_of_the_framework_are_problems_too(gateway: Gateway) -> None:
    """Unknown path, wrong method, wrong media type, no JSON, too much of it: declared or only sent."""
    json_type = {"Content-Type": "application/json"}
    with gateway.client() as client:
        problem(client.get("/nope"), "not-found")
        wrong = client.put("/livez")
        problem(wrong, "method-not-allowed")
        problem(client.post("/v1/keys", content="{}"), "unsupported-media")
        for bad in (b"{", b'{"a": NaN}', b'"\\ud800"', b"\xff", b"[" * 100_000, b""):
            problem(client.post("/v1/keys", content=bad, headers=json_type), "invalid-request")
        problem(client.post("/v1/keys", content=b" " * 9_000_000, headers=json_type), "payload-too-large")
        problem(client.post("/v1/keys", content=(b" " * 1_000_000 for _ in range(9)), headers=json_type), "payload-too-large")

    assert wrong.headers["allow"] == "GET"


def test_the_trace_of_the_caller_goes_on(gateway: Gateway) -> None:
    """The trace id in header and problem is the one of the caller's traceparent."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    with gateway.client() as client:
        response = client.get("/nope", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})

    assert trace == problem(response, "not-found")["trace_id"]


def test_a_dead_ledger_is_503_and_heals(tmp_path: Path) -> None:
    """Requests that need the ledger say so with Retry-After; the process lives on, and works again when the ledger does."""
    with (
        running(redis_server(tmp_path / "redis", appendonly=True)) as ledger,
        running(gateway_server(tmp_path / "home", f"redis://127.0.0.1:{ledger.port}/0")) as server,
        Gateway(server, tmp_path / "home").client() as client,
    ):
        ledger.stop()
        response = client.get("/v1/keys")
        problem(response, "unavailable")
        assert int(response.headers["retry-after"]) > 0
        assert client.get("/livez").status_code == 200
        ledger.start()
        wait_until(lambda: client.get("/v1/keys").status_code == 200, "the gateway works again")
