"""What a service stands on, looked at by its workers and told through the ledger."""

import time
from pathlib import Path

import pytest

from services.mailer import relay_check
from services.mailer.settings import MailerSettings
from shared.contracts.registry import contracts
from shared.errors import TransientError
from shared.ledger import checks as noted
from shared.policy import Policy
from shared.runtime import checks
from shared.runtime.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings
from tests.servers import free_port, redis_server, running


def test_each_thing_is_looked_at_and_the_last_look_counts(tmp_path: Path) -> None:
    """What fails is noted with its sentence, what works with none; a mended thing is well at the next look."""
    broken = [True]

    def relay() -> None:
        if broken:
            raise TransientError("nobody is there; start it")

    with running(redis_server(tmp_path / "redis")) as redis:
        settings = ServiceSettings(redis_url=f"redis://127.0.0.1:{redis.port}/0", home=tmp_path)
        runtime = Runtime(Service(contracts()["mailer"], Policy(), settings, {}, checks={"smtp": relay}))
        first, before = checks.look(runtime), runtime.ledger.run(noted.noted())
        broken.clear()
        second, after = checks.look(runtime), runtime.ledger.run(noted.noted())

    assert ({"storage": "", "smtp": "nobody is there; start it"}, {"storage": "", "smtp": ""}) == (first, second)
    assert [("smtp", "nobody is there; start it"), ("storage", "")] == [(check.name, check.problem) for check in before]
    assert [("smtp", ""), ("storage", "")] == [(check.name, check.problem) for check in after]
    assert all(abs(check.at / 1000 - time.time()) < 60 for check in after)


def test_a_relay_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the address that was tried."""
    port = free_port()
    monkeypatch.setattr(relay_check, "settings", lambda: MailerSettings(smtp_url=f"smtp://127.0.0.1:{port}"))

    with pytest.raises(TransientError, match=rf"127\.0\.0\.1:{port} cannot be reached"):
        relay_check.check_relay()
