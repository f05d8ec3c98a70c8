"""Whose setting goes before whose, and which refuse to start."""

import os
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic_settings import SettingsConfigDict

from shared.errors import SettingsError
from shared.settings import PlatformSettings, ServiceSettings


class Lantern(ServiceSettings):
    """LANTERN_*."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(env_prefix="LANTERN_", extra="ignore", frozen=True)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("COUNTERFOIL_", "LANTERN_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_embedded_defaults(tmp_path: Path) -> None:
    """With nothing set: a home in this folder, a local Redis for both, and storage in the home."""
    settings = Lantern()

    assert tmp_path / ".counterfoil" == settings.home
    assert (settings.redis_url, settings.broker_url) == ("redis://127.0.0.1:6379/0",) * 2
    assert f"file://{tmp_path}/.counterfoil/storage" == settings.storage_url
    assert settings.rings_in_ledger


def test_platform_goes_before_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """COUNTERFOIL_* sets it for every service; the broker follows the ledger where it has no address of its own."""
    monkeypatch.setenv("COUNTERFOIL_REDIS_URL", "rediss://ledger/0")
    monkeypatch.setenv("COUNTERFOIL_HOME", "data")
    monkeypatch.setenv("COUNTERFOIL_STORAGE_URL", "s3://bucket/prefix")
    settings = Lantern()

    assert (settings.redis_url, settings.broker_url) == ("rediss://ledger/0",) * 2
    assert (tmp_path / "data", "s3://bucket/prefix") == (settings.home, settings.storage_url)


def test_service_goes_before_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """LANTERN_REDIS_URL gives the service a ledger of its own, and with it the broker, unless that is set too."""
    monkeypatch.setenv("COUNTERFOIL_REDIS_URL", "redis://shared/0")
    monkeypatch.setenv("LANTERN_REDIS_URL", "redis://own/0")
    own = Lantern()
    monkeypatch.setenv("COUNTERFOIL_BROKER_URL", "amqp://rabbit//")
    with_broker = Lantern()
    monkeypatch.setenv("LANTERN_BROKER_URL", "redis://own/1")
    with_own_broker = Lantern()

    assert ("redis://own/0", "redis://own/0", True) == (own.redis_url, own.broker_url, own.rings_in_ledger)
    assert ("amqp://rabbit//", False) == (with_broker.broker_url, with_broker.rings_in_ledger)
    assert ("redis://own/1", False) == (with_own_broker.broker_url, with_own_broker.rings_in_ledger)


def test_empty_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable, as Compose passes one that is not set, takes the fallback."""
    monkeypatch.setenv("LANTERN_REDIS_URL", "")
    monkeypatch.setenv("COUNTERFOIL_REDIS_URL", "redis://shared/0")

    assert Lantern().redis_url == "redis://shared/0"


@pytest.mark.parametrize(
    ("name", "url", "told"),
    [
        ("REDIS_URL", "http://ledger", "LANTERN_REDIS_URL has the scheme 'http'; it must be one of redis, rediss"),
        ("REDIS_URL", "ledger:6379", "LANTERN_REDIS_URL has the scheme 'ledger'"),
        ("REDIS_URL", "sentinel://ledger:26379/0", "LANTERN_REDIS_URL has the scheme 'sentinel'"),
        ("BROKER_URL", "kafka://broker", "LANTERN_BROKER_URL has the scheme 'kafka'; it must be one of amqp, amqps, redis"),
        ("STORAGE_URL", "/var/storage", "LANTERN_STORAGE_URL has the scheme ''; it must be one of file, s3"),
        ("STORAGE_URL", "gs://bucket", "LANTERN_STORAGE_URL has the scheme 'gs'"),
    ],
)
def test_unknown_scheme_refuses(monkeypatch: pytest.MonkeyPatch, name: str, url: str, told: str) -> None:
    """An address that nothing here can open does not start, and the sentence names the variable and what would do."""
    monkeypatch.setenv(f"LANTERN_{name}", url)

    with pytest.raises(SettingsError, match=told):
        Lantern()


def test_sentence_does_not_repeat_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address may hold a password, and sentences end in logs."""
    monkeypatch.setenv("LANTERN_REDIS_URL", "reddis://user:hunter2@ledger/0")

    with pytest.raises(SettingsError) as refused:
        Lantern()

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://h/0", "rediss://h/0"])
@pytest.mark.parametrize("broker", ["redis://h/0", "rediss://h/0", "amqp://h//", "amqps://h//", "sentinel://h:26379/0"])
@pytest.mark.parametrize("storage", ["file:///data", "s3://bucket/prefix"])
def test_known_schemes_pass(url: str, broker: str, storage: str) -> None:
    """Every ledger goes with every broker and every storage."""
    settings = Lantern(redis_url=url, broker_url=broker, storage_url=storage)

    assert (url, broker, storage) == (settings.redis_url, settings.broker_url, settings.storage_url)


def test_platform_without_a_variable() -> None:
    """The platform's own settings leave addresses empty: that is for the services to fill in."""
    platform = PlatformSettings()

    assert (platform.redis_url, platform.broker_url, platform.storage_url) == ("", "", "")
