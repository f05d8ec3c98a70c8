"""What the doctor finds, and what the command needs to know where the gateway is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.cli.doctor import facts, findings
from client.cli.main import main
from client.cli.settings import Address, address
from client.errors import ClientError
from client.models import Service
from tests.unit.client_gateway import Gateway, problem

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WORKER = {"name": "avatar@host", "host": "host", "pid": 1, "slots": 2, "heartbeat_at": NOW.isoformat(), "queues": ["avatar"]}
HEALTHY: dict[str, Any] = {"name": "avatar", "queues": [{"name": "avatar", "depth": 1, "oldest_age": 2}], "workers": [WORKER]}


def found(**changes: Any) -> list[str]:
    """The findings for a healthy service with some changes."""
    return list(findings([Service.model_validate({**HEALTHY, **changes})], NOW))


def test_a_healthy_service_has_no_findings() -> None:
    """No news is good news; a queue for machines that one does not have is none either, while nothing waits there."""
    assert found() == []
    assert found(queues=[{"name": "avatar.gpu", "need": "gpu"}]) == []
    assert found(webhooks={"pending": 2, "deliverer_age": 0.2, "oldest_age": 60.0}) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workers": []}, "no worker is running"),
        ({"workers": [{**WORKER, "heartbeat_at": (NOW - timedelta(minutes=2)).isoformat()}]}, "was last heard of at"),
        ({"workers": [{**WORKER, "deaf": True, "deaf_queues": ["avatar"]}]}, "takes nothing from avatar; restart it"),
        ({"queues": [{"name": "avatar.low"}]}, "no worker listens on the queue avatar.low"),
        (
            {"queues": [{"name": "avatar.gpu", "need": "gpu", "depth": 3}]},
            "3 in avatar.gpu need gpu, and no worker serves it",
        ),
        ({"queues": [{"name": "avatar", "depth": 9, "oldest_age": 301}]}, "has waited 301 s in avatar"),
        ({"available": False, "workers": []}, "its ledger does not answer"),
        ({"dead_letters": 3}, "3 dead letters"),
        ({"webhooks": {"pending": 2, "deliverer_age": None}}, "2 webhooks wait and nobody delivers them"),
        ({"webhooks": {"pending": 2, "deliverer_age": 31.0}}, "start `python -m shared.webhooks`"),
        (
            {"webhooks": {"pending": 2, "deliverer_age": 0.2, "oldest_age": 9_000.0, "receivers_failing": 1}},
            "tried for 2.5 h (2 pending, 1 rec",
        ),
        ({"checks": [{"name": "smtp", "ok": False, "detail": "nobody there"}]}, "avatar: smtp: nobody there. See MAILER_SMTP_URL"),
        ({"catalogue": {"refused": "FFmpeg 5.1 is too old"}}, "avatar: FFmpeg 5.1 is too old"),
    ],
)
def test_each_ill_has_a_sentence(changes: dict[str, Any], words: str) -> None:
    """Each thing that is wrong is said, with what to do."""
    assert words in "\n".join(found(**changes))


def test_how_users_files_are_shut_in_is_said() -> None:
    """Not a finding: the service says itself, by a check, where it is weaker than it was told to be."""
    older = {"catalogue": {"sandbox": "limits"}}
    weak = {"catalogue": {"sandbox": {"level": "limits", "missing": "files and network are not fenced off"}}}
    said = list(facts([Service.model_validate({**HEALTHY, **changes}) for changes in ({}, older, weak)]))

    assert found(**weak) == []
    assert said == ["avatar: programs that read users' files run in the sandbox 'limits': files and network are not fenced off."]


def test_an_empty_house_is_noticed() -> None:
    """A gateway without services is not a working installation."""
    assert "knows no service" in "".join(findings([], NOW))


def doctor(*answers: httpx.Response | Exception) -> int:
    """The exit code of `counterfoil doctor`."""
    return main(["doctor"], lambda _url, _key: Gateway(*answers).client())


def test_the_doctor_ends_with_0_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """One reassuring line."""
    service = {**HEALTHY, "workers": [{**WORKER, "heartbeat_at": datetime.now(UTC).isoformat()}]}

    assert doctor(httpx.Response(200, json={}), httpx.Response(200, json={"items": [service]})) == 0
    assert capsys.readouterr().out.startswith("✓")


def test_the_doctor_ends_with_1_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """A readiness problem is reported beside what the services say."""
    code = doctor(problem(503, "unavailable", "the broker does not answer"), httpx.Response(200, json=[{**HEALTHY, "dead_letters": 1}]))
    printed = capsys.readouterr().out

    assert code == 1
    assert "The broker does not answer" in printed
    assert "1 dead letters" in printed


def test_the_doctor_says_when_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """No gateway is a finding, not a crash."""
    assert doctor(httpx.ConnectError("refused")) == 1
    assert "does not answer" in capsys.readouterr().out


def test_options_go_before_the_environment_before_the_home(tmp_path: Path) -> None:
    """The nearest setting counts."""
    (tmp_path / "api-key").write_text("from-file\n", encoding="utf-8")
    environ = {"COUNTERFOIL_HOME": str(tmp_path), "COUNTERFOIL_PORT": "9000"}

    assert address(environ=environ) == Address("http://127.0.0.1:9000", "from-file")
    assert address(environ={**environ, "COUNTERFOIL_URL": "http://x", "COUNTERFOIL_API_KEY": "env"}) == Address("http://x", "env")
    assert address("http://y", "opt", environ) == Address("http://y", "opt")


def test_a_missing_key_is_a_sentence(tmp_path: Path) -> None:
    """It says where one can come from."""
    with pytest.raises(ClientError, match="COUNTERFOIL_API_KEY"):
        address(environ={"COUNTERFOIL_HOME": str(tmp_path)})
