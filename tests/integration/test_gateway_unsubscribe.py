"""The endpoint behind unsubscribe links: POST acts, GET never does."""

import pytest

from gateway.routers.unsubscribe import A_MINUTE
from shared.ledger import secrets
from shared.unsubscribing import PATH, SECRET, Leaving, Links
from tests.gateways import problem
from tests.integration.api_desk import ApiDesk, Tenant

FORM = {"List-Unsubscribe": "One-Click"}


def link(desk: ApiDesk, tenant: Tenant, address: str) -> str:
    """The path that a mail of this tenant has for `address`."""
    links = Links(desk.ledgers["mailer"].run(secrets.secret(SECRET)))
    return PATH + links.token(Leaving(tenant.name, "mailer_01JD", address))


def test_one_click_unsubscribes_and_looking_does_not(desk: ApiDesk, mine: Tenant) -> None:
    """Without a key, in either encoding of a form; the tenant's list says which mailing it was."""
    ada, bob = link(desk, mine, "Ada@example.com"), link(desk, mine, "bob@example.com")
    with desk.gateway.client("") as anybody:
        page = anybody.get(ada)
        assert (page.status_code, anybody.head(ada).status_code) == (200, 200)
        assert "<b>Ada@example.com</b>" in page.text
        assert 'name="List-Unsubscribe" value="One-Click"' in page.text
        assert "form-action 'self'" in page.headers["content-security-policy"]
        assert mine.client.get("/v1/suppressions").json()["items"] == []

        assert "You are unsubscribed" in anybody.post(ada, data=FORM).raise_for_status().text
        assert anybody.post(ada, data=FORM).status_code == 200
        boundary = {"content-type": "multipart/form-data; boundary=x"}
        body = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
        assert anybody.post(bob, content=body, headers=boundary).status_code == 200

    listed = mine.client.get("/v1/suppressions").json()["items"]
    assert [(item["address"], item["reason"], item["mailing"]) for item in listed] == [
        ("ada@example.com", "unsubscribed", "mailer_01JD"),
        ("bob@example.com", "unsubscribed", "mailer_01JD"),
    ]


@pytest.mark.parametrize(
    ("content", "kind", "slug"),
    [
        (b"", "application/x-www-form-urlencoded", "invalid-request"),
        (b"List-Unsubscribe=No", "application/x-www-form-urlencoded", "invalid-request"),
        (b'{"List-Unsubscribe": "One-Click"}', "application/json", "unsupported-media"),
        (b"x" * 20_000, "application/x-www-form-urlencoded", "payload-too-large"),
        (b"garbage", "multipart/form-data", "invalid-request"),
    ],
)
def test_another_body_does_nothing(desk: ApiDesk, mine: Tenant, content: bytes, kind: str, slug: str) -> None:
    """The form's one field tells a wish from a scanner."""
    with desk.gateway.client("") as anybody:
        answer = anybody.post(link(desk, mine, "ada@example.com"), content=content, headers={"content-type": kind})
    problem(answer, slug)
    assert mine.client.get("/v1/suppressions").json()["items"] == []


def test_a_forged_link_is_404_and_a_hammered_one_429(desk: ApiDesk, mine: Tenant) -> None:
    """A link may be used often enough for a person and a scanner, and no oftener."""
    good = link(desk, mine, "ada@example.com")
    with desk.gateway.client("") as anybody:
        problem(anybody.get(good[:-3] + "AAA"), "not-found")
        problem(anybody.post(good[:-3] + "AAA", data=FORM), "not-found")
        answers = [anybody.get(good) for _ in range(A_MINUTE + 2)]

    assert "this link may make" in problem(answers[-1], "rate-limited")["detail"]
    assert answers[0].status_code == 200
