"""`counterfoil suppressions` against a scripted gateway."""

import json
from pathlib import Path

import httpx
import pytest

from client.cli.main import main
from tests.unit.client_gateway import Gateway


def test_a_file_of_addresses_goes_up_in_portions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand at a time, as many as the gateway takes; empty lines and a byte order mark do not matter."""
    listed = tmp_path / "gone.txt"
    listed.write_text("\ufeff" + "\n\n".join(f"u{number}@example.com" for number in range(1_001)), encoding="utf-8")
    gateway = Gateway(httpx.Response(200, json={"added": 998, "known": 2}), httpx.Response(200, json={"added": 1, "known": 0}))
    words = ["suppressions", "add", "--file", str(listed), "--reason", "hard-bounce"]

    assert main(words, lambda _url, _key: gateway.client()) == 0
    bodies = [json.loads(request.content) for request in gateway.asked]
    assert [len(body["addresses"]) for body in bodies] == [1_000, 1]
    assert (bodies[0]["addresses"][0], bodies[0]["reason"]) == ("u0@example.com", "hard-bounce")
    assert "999 of 1001 are new" in capsys.readouterr().out


def test_an_odd_address_stays_in_its_path_segment() -> None:
    """A slash is legal in a local part."""
    gateway = Gateway(httpx.Response(204))

    assert main(["suppressions", "remove", "a/b?@example.com"], lambda _url, _key: gateway.client()) == 0
    assert gateway.calls() == ["DELETE /v1/suppressions/a%2Fb%3F%40example.com"]
