"""The suppression list over HTTP, in the ledger where the mailer's batches look."""

from services.mailer.suppression import Lookout
from shared.contracts.mailer import SUPPRESSIONS
from shared.runtime.lasting import LedgerRegister
from tests.gateways import problem
from tests.integration.api_desk import ApiDesk, Tenant


def test_what_the_gateway_writes_the_mailer_heeds(desk: ApiDesk, mine: Tenant) -> None:
    """Added once, known afterwards, found by any spelling, gone when removed; another tenant's list is another."""
    body = {"addresses": ["Ada@Bücher.example", "bob/b@example.com"], "note": "asked by telephone"}
    assert mine.client.post("/v1/suppressions", json=body).json() == {"added": 2, "known": 0}
    assert mine.client.post("/v1/suppressions", json={**body, "reason": "complaint"}).json() == {"added": 0, "known": 2}

    def why(tenant: str) -> str:
        lookout = Lookout(LedgerRegister(desk.ledgers["mailer"].run, tenant, SUPPRESSIONS), transactional=False)
        lookout.expect(["ADA@xn--bcher-kva.example"])
        return lookout.why("ADA@xn--bcher-kva.example")

    assert why(mine.name).startswith("manual on ")
    assert why("another") == ""
    shown = mine.client.get("/v1/suppressions/ada@bücher.example").raise_for_status().json()
    assert (shown["address"], shown["reason"], shown["note"]) == ("ada@xn--bcher-kva.example", "manual", "asked by telephone")
    assert mine.client.delete("/v1/suppressions/ada@bücher.example").status_code == 204
    problem(mine.client.get("/v1/suppressions/ada@bücher.example"), "not-found")
    problem(mine.client.delete("/v1/suppressions/ada@bücher.example"), "not-found")
    assert why(mine.name) == ""
    assert mine.client.get("/v1/suppressions/bob%2Fb@example.com").json()["address"] == "bob/b@example.com"


def test_a_bounce_stands_above_an_unsubscribing(mine: Tenant) -> None:
    """Or a password reset would go on to a dead mailbox, because its owner once left a newsletter; never the other way round."""
    for reason in ("unsubscribed", "hard-bounce", "unsubscribed", "manual"):
        mine.client.post("/v1/suppressions", json={"addresses": ["ada@example.com"], "reason": reason}).raise_for_status()

    assert mine.client.get("/v1/suppressions/ada@example.com").json()["reason"] == "hard-bounce"


def test_pages_go_through_the_whole_list_once(mine: Tenant) -> None:
    """In alphabetical order, by a cursor that stays right while entries come in; a reason filters."""
    mine.client.post("/v1/suppressions", json={"addresses": [f"u{number:03}@example.com" for number in range(250)]})
    mine.client.post("/v1/suppressions", json={"addresses": ["u249x@example.com"], "reason": "hard-bounce"})
    seen = list[str]()
    cursor: str | None = ""
    while cursor is not None:
        page = mine.client.get("/v1/suppressions", params={"limit": 100, "cursor": cursor}).raise_for_status().json()
        seen += [item["address"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert seen == [*(f"u{number:03}@example.com" for number in range(250)), "u249x@example.com"]
    filtered = mine.client.get("/v1/suppressions", params={"reason": "hard-bounce"}).json()
    assert ([item["address"] for item in filtered["items"]], filtered["next_cursor"]) == (["u249x@example.com"], None)


def test_bad_addresses_are_pointed_at_and_scopes_hold(desk: ApiDesk, mine: Tenant) -> None:
    """A 422 with the guilty element; adding takes `submit`, removing `operate`."""
    answer = mine.client.post("/v1/suppressions", json={"addresses": ["ada@example.com", "b..b@example.com"]})
    assert problem(answer, "invalid-request")["errors"][0]["pointer"] == "/addresses/1"
    problem(mine.client.post("/v1/suppressions", json={"addresses": []}), "invalid-request")
    problem(mine.client.post("/v1/suppressions", json={"addresses": ["a@b.example"], "reason": "boredom"}), "invalid-request")
    with desk.tenant("submit") as shop:
        assert shop.client.post("/v1/suppressions", json={"addresses": ["a@b.example"]}).status_code == 200
        problem(shop.client.get("/v1/suppressions"), "forbidden")
        problem(shop.client.delete("/v1/suppressions/a@b.example"), "forbidden")
