"""The embedded home's parts that need no process: backoff, logs, ports, the choice of a server, pip's settings for uv."""

import io
import json
import signal
from pathlib import Path

import pytest

from deploy.embedded import ledger_server, plan
from deploy.embedded.backoff import Backoff
from deploy.embedded.ledger_server import Server
from deploy.embedded.logs import Console, Log
from deploy.embedded.settings import EmbeddedSettings
from deploy.install import uv_environment
from shared.errors import SettingsError

VALKEY = Server("/a/valkey-server", "valkey", (8, 1, 8))
REDIS = Server("/b/redis-server", "redis", (7, 0, 15))


def test_backoff_is_quick_first() -> None:
    """Four quick starts under 2 s each, then longer ones, never over 15 s."""
    backoff = Backoff()

    assert [0.2, 0.5, 1.0, 1.5, 5.0, 10.0, 15.0, 15.0] == [backoff.after(0.1, 1) for _ in range(8)]
    assert backoff.looping


def test_backoff_forgets_old_deaths() -> None:
    """A process that ran for a while starts over with a quick restart."""
    backoff = Backoff()
    for _ in range(6):
        backoff.after(0.1, 1)

    assert backoff.after(60.0, 1) == 0.2
    assert not backoff.looping


def test_being_killed_is_never_slow() -> None:
    """However often somebody SIGKILLs a process, it is back within 2 s."""
    backoff = Backoff()

    assert max(backoff.after(0.1, -signal.SIGKILL) for _ in range(20)) < 2


def test_log_is_bounded(tmp_path: Path) -> None:
    """A log holds at most two files of its limit, and the newest line."""
    log = Log(tmp_path / "logs" / "worker.log", limit=1_000)
    for number in range(500):
        log.write(f"line {number:04}".encode())
    log.close()
    sizes = [file.stat().st_size for file in (tmp_path / "logs").iterdir()]

    assert log.path.read_text().endswith("line 0499\n")
    assert len(sizes) == 2
    assert max(sizes) < 1_100


def test_console_shows_output_only_if_verbose() -> None:
    """Without --verbose only the supervisor's own sentences are shown; a console that is no terminal gets no colours."""
    quiet, loud = io.StringIO(), io.StringIO()
    for out, verbose in ((quiet, False), (loud, True)):
        console = Console(verbose=verbose, out=out)
        console.line("gateway", b"hello")
        console.warn("gateway died")

    assert quiet.getvalue() == "gateway died\n"
    assert loud.getvalue() == f"{'gateway':<18} hello\ngateway died\n"


@pytest.mark.parametrize(
    ("candidates", "writer", "chosen"),
    [
        ([REDIS, VALKEY], None, REDIS),
        ([REDIS, VALKEY], VALKEY, VALKEY),
        ([VALKEY], REDIS, VALKEY),
        ([REDIS, VALKEY], REDIS, REDIS),
    ],
)
def test_server_that_can_read_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, candidates: list[Server], writer: Server | None, chosen: Server
) -> None:
    """The first candidate that reads what the last one wrote; the same one where it is still there."""
    monkeypatch.setattr(ledger_server, "_candidates", lambda _: iter(candidates))
    _write(tmp_path, writer)

    assert chosen == ledger_server.choose(tmp_path)
    assert json.loads((tmp_path / "written-by.json").read_text())["path"] == chosen.path


def test_unreadable_ledger_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that only a missing server could read is refused with a sentence, not overwritten."""
    monkeypatch.setattr(ledger_server, "_candidates", lambda _: iter([REDIS]))
    _write(tmp_path, VALKEY)

    with pytest.raises(SettingsError, match=r"was written by valkey 8\.1\.8; found here: redis 7\.0\.15"):
        ledger_server.choose(tmp_path)


def _write(folder: Path, writer: Server | None) -> None:
    if writer:
        (folder / "written-by.json").write_text(json.dumps({"path": writer.path, "flavour": writer.flavour, "version": writer.version}))


def test_plan_takes_services_from_contracts(tmp_path: Path) -> None:
    """A new service gets its worker and its Beat without an edit."""
    settings = EmbeddedSettings(home=tmp_path, redis_url="redis://ledger.example/0", smtp_url="smtp://relay.example:25", port=0)
    places = plan.resolve(settings)
    names = [spec.name for spec in plan.processes(settings, places, "mark", services=["printer"])]

    assert names == ["guard", "gateway", "printer-worker", "printer-beat", "webhooks"]


def test_plan_has_a_worker_for_what_this_machine_has(tmp_path: Path) -> None:
    """With a GPU, one of `avatar.gpu`, alone in its process; nobody waits for it; a word that no service knows is refused."""
    settings = EmbeddedSettings(
        home=tmp_path, redis_url="redis://ledger.example/0", smtp_url="smtp://relay.example:25", port=0, needs=" gpu ,"
    )
    specs = {spec.name: spec for spec in plan.processes(settings, plan.resolve(settings), "mark", services=["avatar", "mailer"])}
    strange = settings.model_copy(update={"needs": "gpu, tpu"})

    assert ("--need", "gpu", "--pool", "solo") == specs["avatar-gpu-worker"].argv[-4:]
    assert specs["avatar-gpu-worker"].answers is None
    assert "mailer-gpu-worker" not in specs
    with pytest.raises(SettingsError, match="names tpu; the services know gpu"):
        plan.processes(strange, plan.resolve(strange), "mark")


def test_plan_without_outside_help(tmp_path: Path) -> None:
    """By default the ledger and the mail catcher are started here, and every room is told where they are."""
    settings = EmbeddedSettings(home=tmp_path, redis_url="", smtp_url="", port=0, catcher_http_port=0, catcher_smtp_port=0)
    places = plan.resolve(settings)
    specs = {spec.name: spec for spec in plan.processes(settings, places, "mark", services=["printer"])}

    assert {"ledger", "catcher"} < set(specs)
    assert places.ledger == specs["printer-worker"].env["COUNTERFOIL_REDIS_URL"]
    assert places.smtp == specs["printer-worker"].env["MAILER_SMTP_URL"] == f"smtp://127.0.0.1:{places.smtp_port}"


def test_uv_acts_as_pip_is_configured() -> None:
    """Pip's index, extra indexes, wheel folders and certificate are handed to uv under its names."""
    config = "global.index-url='https://mirror.example/simple'\n:env:.find-links='/a /b'\nglobal.extra-index-url='https://x.example\\nhttps://y.example'\n"

    assert uv_environment(config, {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_FIND_LINKS": "/a,/b",
        "UV_INDEX": "https://x.example https://y.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uv_settings_go_first(variable: str) -> None:
    """Who set an index for uv, under its new name or its old one, keeps it."""
    assert uv_environment("global.index-url='https://mirror.example/simple'\n", {variable: "https://mine.example"}) == {}
