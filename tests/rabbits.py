"""Starts real RabbitMQ servers for the tests: each with a folder, a node name and an epmd of its own, on loopback only.

Needs Debian's or Ubuntu's `rabbitmq-server` (any since 3.10); the distribution's own service is neither used nor touched.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import amqp
import pytest

from shared.bus import queue_names
from shared.rabbit import dead_queue_name
from tests.servers import Server, free_port, running, wait_until

ABSENT = "no rabbitmq-server is installed here: Debian and Ubuntu have it (apt-get install rabbitmq-server); nothing of RabbitMQ is proved"
QUIET = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
"""Two schedulers that sleep when idle (Erlang's spin for a while, which on a busy test machine is everybody else's CPU time)."""


@dataclass
class Rabbit:
    """A running RabbitMQ."""

    server: Server

    @property
    def url(self) -> str:
        """For COUNTERFOIL_BROKER_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.server.port}//"

    def channel(self) -> amqp.Channel:
        """A channel of the test's own."""
        connection = amqp.Connection(f"127.0.0.1:{self.server.port}", confirm_publish=True)
        connection.connect()
        return connection.channel()

    def empty(self, service: str) -> None:
        """Take every message out of a service's queues, once nobody consumes them.

        The queues stay. RabbitMQ 3.10, where a queue is deleted within a second or so of its leader's start, loses the supervisor of all
        its dead-letter workers (`rabbit_fifo_dlx_sup`), and from then on no queue of that node gets a leader: INTERNAL_ERROR, for ever.
        """
        for queue in (*queue_names(service), dead_queue_name(service)):
            wait_until(lambda queue=queue: self._emptied(queue), f"{queue} is empty")  # type: ignore[misc]  # a lambda's default

    def _emptied(self, queue: str) -> bool:
        channel = self.channel()
        try:
            found = channel.queue_declare(queue, passive=True)
            if found.consumer_count == 0:
                channel.queue_purge(queue)
            return bool(found.consumer_count == 0 and channel.queue_declare(queue, passive=True).message_count == 0)
        except amqp.NotFound:
            return True
        finally:
            channel.connection.close()

    def delete(self, service: str) -> None:
        """Delete a service's queues, messages and all. See `empty` for when not to."""
        channel = self.channel()
        for queue in (*queue_names(service), dead_queue_name(service)):
            channel.queue_delete(queue)
        channel.connection.close()

    def depth(self, queue: str) -> int:
        """How many messages wait in `queue`; -1 where there is no such queue."""
        channel = self.channel()
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except amqp.NotFound:
            return -1
        finally:
            channel.connection.close()


def binary() -> str:
    """The server's own script; skips the test, loudly, where none is installed.

    The one that distributions put on PATH changes to another user and forgets our environment; theirs lies beside it.
    """
    found = shutil.which("rabbitmq-server")
    if found is None:
        pytest.skip(ABSENT)
    own = Path(found).parents[1] / "lib" / "rabbitmq" / "bin" / "rabbitmq-server"
    own = own if own.exists() else Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(own) if own.exists() else found


@contextmanager
def rabbit(folder: Path, *, consumer_timeout: float | None = None) -> Iterator[Rabbit]:
    """A RabbitMQ with its data in `folder`. `consumer_timeout` (seconds) is looked at every second instead of every minute."""
    program = binary()
    folder.mkdir(parents=True, exist_ok=True)
    epmd_port = free_port()
    settings = ["loopback_users.guest = true", "log.file.level = warning", "disk_free_limit.absolute = 64MB"]
    if consumer_timeout is not None:
        settings.append(f"consumer_timeout = {int(consumer_timeout * 1000)}")
    (folder / "rabbitmq.conf").write_text("\n".join(settings) + "\n")
    (folder / "advanced.config").write_text("[{rabbit, [{channel_tick_interval, 1000}]}].\n" if consumer_timeout else "[].\n")
    (folder / "plugins").write_text("[].\n")
    (folder / "env.conf").touch()

    def make(port: int) -> Server:
        env = {
            "HOME": str(folder),  # where Erlang's cookie lies
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_NODENAME": f"counterfoil{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": QUIET,
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RUNNING_UNDER_SYSTEMD": "1",  # the script becomes the server, so that our signals reach it
        }
        return Server([program], port, b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00", folder / "rabbitmq.log", env)

    with _epmd(epmd_port, folder), running(make) as server:
        yield Rabbit(server)


@contextmanager
def _epmd(port: int, folder: Path) -> Iterator[None]:
    """Erlang's port mapper, as our child: the one that a node starts by itself would outlive it."""
    with (folder / "epmd.log").open("wb") as log:
        process = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(port)], stdout=log, stderr=log)
    names = ["epmd", "-port", str(port), "-names"]
    try:
        wait_until(lambda: subprocess.run(names, capture_output=True, check=False).returncode == 0, "epmd answers")
        yield
    finally:
        process.kill()
        process.wait()
