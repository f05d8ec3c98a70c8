"""`python -m tests.heavy.upload --gigabytes 10`: one tus upload through a gateway that is killed meanwhile, by a client that dies too.

Says how much memory the gateway takes, what each SIGKILL cost, and whether the stored bytes are the ones sent. They lie on the disk once,
for a finished upload is only renamed.
"""

import argparse
import hashlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from tests.gateways import Gateway
from tests.integration.test_gateway_uploads import BYTES, TUS, begin
from tests.servers import Server, free_port, gateway_server, redis_server, running, wait_until

PIECE = 1 << 20
BASE = os.urandom(PIECE)
CHUNK = 64 << 20
"""Bytes of one PATCH, after the first, which asks for all there is (as tus-js-client does)."""


def piece(number: int) -> bytes:
    """The bytes of piece `number`: no two alike, and any of them made again at once."""
    return number.to_bytes(8, "big") + BASE[8:]


def content(start: int, stop: int) -> Iterator[bytes]:
    """The upload's bytes from `start` to `stop`."""
    while start < stop:
        number, at = divmod(start, PIECE)
        found = piece(number)[at : at + stop - start]
        yield found
        start += len(found)


@dataclass
class Meter:
    """The gateway's resident memory, ten times a second, whichever process it is by now."""

    gateway: Gateway
    seen: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `over`."""
        while not self.over.wait(0.1):
            with suppress(psutil.NoSuchProcess, AssertionError):
                self.seen.append(psutil.Process(self.gateway.server.pid).memory_info().rss)


@dataclass
class Upload:
    """One upload from its creation to its end; `deaths` are offsets at which somebody dies, and who."""

    gateway: Gateway
    size: int
    deaths: list[tuple[int, str]]
    path: str = ""
    told: list[str] = field(default_factory=list)

    def offset(self) -> int:
        """What the gateway has."""
        with self.gateway.client() as client:
            return int(client.head(self.path, headers=TUS).raise_for_status().headers["upload-offset"])

    def go(self) -> None:
        """Send it all, through every death."""
        with self.gateway.client() as client:
            self.path = begin(client, self.size)
        length, at = self.size, 0
        while at < self.size:
            sent = self.patch(at, min(length, self.size - at))
            length = CHUNK
            safe = self.offset()
            if sent and safe < at + sent:
                self.told.append(f"{(at + sent) / 1e9:.3f} GB were sent, {safe / 1e9:.3f} GB of them were safe")
            at = safe

    def patch(self, start: int, length: int) -> int:
        """One PATCH; how many bytes were sent before it ended, or somebody's life did."""
        connection = HTTPConnection("127.0.0.1", self.gateway.server.port, timeout=120)
        connection.putrequest("PATCH", self.path)
        headers = {**BYTES, "Upload-Offset": str(start), "Content-Length": str(length), "Authorization": f"Bearer {self.gateway.key}"}
        for name, value in headers.items():
            connection.putheader(name, value)
        sent = 0
        try:
            connection.endheaders()
            for found in content(start, start + length):
                connection.send(found)
                sent += len(found)
                if self.deaths and start + sent >= self.deaths[0][0]:
                    self.die(self.deaths.pop(0)[1])
                    return sent
            status = connection.getresponse().status
            if status == httpx.codes.CONFLICT:  # what a dead connection had still in it was written meanwhile: ask again where we are
                self.told.append("the offset had moved on meanwhile")
            elif status != httpx.codes.NO_CONTENT:
                sys.exit(f"the gateway answered {status}")
        except (OSError, HTTPException) as error:
            self.told.append(f"the connection broke: {type(error).__name__}")
        finally:
            connection.close()
        return sent

    def die(self, who: str) -> None:
        """The gateway is killed and started again; or the client closes its connection in the middle, as one that is killed does."""
        began = time.monotonic()
        if who == "gateway":
            self.gateway.server.stop(signal.SIGKILL)
            start(self.gateway.server)
        self.told.append(f"the {who} died; going on after {time.monotonic() - began:.1f} s")


def start(server: Server) -> None:
    """However long it takes, on a machine with other things to do."""
    try:
        server.start()
    except AssertionError:
        wait_until(server._up, "the gateway answers", seconds=900)


def digests(stored: Path, size: int) -> Sequence[str]:
    """SHA-256 of what was sent and of what is stored."""
    sent = hashlib.sha256()
    for found in content(0, size):
        sent.update(found)
    with stored.open("rb") as file:
        return sent.hexdigest(), hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    """Upload, measure, compare, clean up."""
    parser = argparse.ArgumentParser(prog="python -m tests.heavy.upload", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    size = int(parser.parse_args().gigabytes * 1e9)
    with TemporaryDirectory(prefix="counterfoil-upload-") as folder:
        home = Path(folder)
        if shutil.disk_usage(home).free < size + 5e9:
            sys.exit("there is not enough room on the disk of TMPDIR")
        with running(redis_server(home / "redis", appendonly=True)) as redis:
            url = f"redis://127.0.0.1:{redis.port}/0"
            server = gateway_server(home / "gateway", url)(free_port())
            try:
                start(server)
                return measure(Gateway(server, home / "gateway"), size)
            finally:
                server.stop()


def measure(gateway: Gateway, size: int) -> int:
    """The upload, with its figures; 1 where a byte is not what it was."""
    meter = Meter(gateway)
    before = psutil.Process(gateway.server.pid).memory_info().rss
    threading.Thread(target=meter.run, daemon=True).start()
    upload = Upload(gateway, size, [(size // 3, "gateway"), (size // 2, "client"), (size * 2 // 3, "gateway")])
    began = time.monotonic()
    upload.go()
    took = time.monotonic() - began
    meter.over.set()
    name = upload.path.rpartition("/")[2]
    stored = gateway.home / "storage" / "uploads" / name
    wait_until(stored.exists, "the upload is in the storage", seconds=60)
    sent, kept = digests(stored, size)
    with gateway.client() as client:
        client.delete(upload.path, headers=TUS).raise_for_status()
    left = list(gateway.home.rglob(f"{name}*"))
    cpu = psutil.Process(gateway.server.pid).cpu_times()
    lines = [
        f"{size / 1e9:g} GB in {took:.0f} s ({size / took / 1e6:.0f} MB/s), {cpu.user + cpu.system:.0f} s of CPU in the last gateway",
        *upload.told,
        f"gateway's resident memory: {before / 1e6:.0f} MB before, {max(meter.seen) / 1e6:.0f} MB at most, of {len(meter.seen)} looks",
        f"sha256 {'is right' if sent == kept else 'DIFFERS'}; after its deletion {len(left)} files are left",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(sent != kept or bool(left))


if __name__ == "__main__":
    raise SystemExit(main())
