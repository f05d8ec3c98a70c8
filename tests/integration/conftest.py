"""The servers that the integration tests share."""

from collections.abc import Iterator

import pytest

from services.mailer import pool
from tests.gateways import Gateway
from tests.integration.api_desk import ApiDesk, Tenant
from tests.rabbits import Rabbit, rabbit
from tests.servers import gateway_server, redis_server, running


@pytest.fixture(autouse=True)
def _no_idle_mail_connections() -> Iterator[None]:
    """The mailer keeps connections for its next batch; a test's server is gone by then."""
    yield
    pool.close_all()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis or Valkey of this test session's own, without AOF; tests keep apart by their key prefixes or databases."""
    with running(redis_server(tmp_path_factory.mktemp("redis"))) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(scope="session")
def gateway_redis_url(redis_url: str) -> str:
    """A database of the shared gateway's own on that server: other tests empty theirs, and its keys must outlive them."""
    return f"{redis_url.removesuffix('/0')}/15"


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, gateway_redis_url: str) -> Iterator[Gateway]:
    """A gateway of this test session's own, on a free port, with local storage."""
    home = tmp_path_factory.mktemp("home")
    with running(gateway_server(home, gateway_redis_url)) as server:
        yield Gateway(server, home)


@pytest.fixture(scope="session")
def desk(gateway: Gateway, gateway_redis_url: str) -> Iterator[ApiDesk]:
    """The gateway with a hand on its ledgers; there are no workers."""
    desk = ApiDesk(gateway, gateway_redis_url)
    yield desk
    desk.close()


@pytest.fixture
def mine(desk: ApiDesk) -> Iterator[Tenant]:
    """A tenant of the test's own, with all scopes."""
    with desk.tenant() as tenant:
        yield tenant


@pytest.fixture(scope="session")
def rabbit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """A RabbitMQ of this test session's own, with a consumer timeout of 5 s; skips, loudly, where none is installed."""
    with rabbit(tmp_path_factory.mktemp("rabbit"), consumer_timeout=5) as server:
        yield server
