"""The home that the end-to-end tests share."""

from collections.abc import Iterator

import pytest

from tests.e2e.house import House, house


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One embedded home for the whole session."""
    with house(tmp_path_factory.mktemp("house") / "home", COUNTERFOIL_WEBHOOK_NETWORKS="127.0.0.1/32") as running:
        yield running
