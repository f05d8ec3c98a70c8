"""`counterfoil pause`, `resume`, `resend`, and looking at a mail first, against a scripted gateway."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.cli.main import main
from tests.unit.client_gateway import JOB, Answer, Gateway, problem

ID = JOB["id"]
MAIL = ["mail", "--from", "news@example.com", "--subject", "Hi", "--to", "ada@example.com"]


def run(words: list[str], *answers: Answer) -> tuple[int, Gateway]:
    """The exit code, and the gateway with what it was asked."""
    gateway = Gateway(*answers)
    return main(words, lambda _url, _key: gateway.client()), gateway


@pytest.mark.parametrize(
    ("words", "asked", "sent"),
    [
        (["pause", ID], f"POST /v1/jobs/{ID}/pause", None),
        (["resume", ID], f"POST /v1/jobs/{ID}/resume", None),
        (["resend", ID], f"POST /v1/mailings/{ID}/resend", {"who": "missed"}),
        (["resend", ID, "--who", "failed"], f"POST /v1/mailings/{ID}/resend", {"who": "failed"}),
    ],
)
def test_what_is_asked(words: list[str], asked: str, sent: dict[str, Any] | None, capsys: pytest.CaptureFixture[str]) -> None:
    """One call each; the job's id is printed."""
    code, gateway = run(words, httpx.Response(202, json=JOB))
    body = gateway.asked[0].content

    assert (0, [asked], sent) == (code, gateway.calls(), json.loads(body) if body else None)
    assert ID in capsys.readouterr().out


def test_nobody_to_send_to_is_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    """In the gateway's words."""
    code, _ = run(["resend", ID], problem(409, "conflict", "there is nobody to send to"))

    assert (3, True) == (code, "nobody to send to" in capsys.readouterr().err)


def test_looking_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A preview is printed as it came, without a job; a test names its addresses."""
    text = tmp_path / "mail.txt"
    text.write_text("Hello")
    _, previewed = run([*MAIL, "--text", str(text), "--preview"], httpx.Response(200, json={"subject": "Hi"}))
    _, tested = run([*MAIL, "--text", str(text), "--test-to", "me@example.org", "--no-wait"], httpx.Response(202, json=JOB))

    assert ["POST /v1/mailings/preview"] == previewed.calls()
    assert {"subject": "Hi"} == json.loads(capsys.readouterr().out.partition("}")[0] + "}")
    assert {"to": ["me@example.org"]} == json.loads(tested.asked[0].content)["test"]
