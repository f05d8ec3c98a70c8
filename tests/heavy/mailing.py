"""`python -m tests.heavy.mailing --recipients 5000 100000 1000000 --kill --write`: mailings of many sizes, from upload to recipients.csv.

Gateway, worker and ledger are real, the mails are those of bench.mailer, and Postfix's smtp-sink takes and counts them. Says what a mail
costs and how much memory each process takes at each size. With `--kill` the whole worker is ended by SIGKILL in the middle of the last
and started again.
"""

import argparse
import json
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from bench.mailer import postfix
from bench.mailer.letter import HTML, SENDER, SUBJECT, person
from tests.chaos.supervised import Supervised
from tests.gateways import Gateway
from tests.integration.test_gateway_uploads import BYTES, TUS, begin
from tests.servers import ROOT, gateway_server, redis_server, running

PAGE = ROOT / "docs" / "mailer.md"
BEGIN, END = "<!-- many: written by `python -m tests.heavy.mailing --write` -->", "<!-- /many -->"
CHILDREN, CONNECTIONS = 2, 16
PIECE = 4 << 20
ENDED = {"succeeded", "failed", "canceled", "expired"}
MB = 1 << 20
WARM_UP = 500
"""Recipients of a mailing before the first that counts: by its end all processes are up."""


@dataclass
class House:
    """Everything that a mailing goes through."""

    gateway: Gateway
    worker: Supervised
    ledger: int
    sink: Path

    def copies(self) -> int:
        """Mails that the sink has taken since it was started; it writes a running counter."""
        with self.sink.open("rb") as log:
            log.seek(max(0, self.sink.stat().st_size - 200))
            found = re.findall(rb"mesg=\s*(\d+)", log.read())
        return int(found[-1]) if found else 0


@dataclass
class Meter:
    """Memory and processor time of the house's processes, and whether progress tells the truth, twice a second."""

    house: House
    recipients: int
    job: str = ""
    before: int = 0
    peak: Counter[str] = field(default_factory=Counter)
    cpu: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("gateway", "ledger", "worker"), 0.0))
    begun: bool = False
    last: dict[int, float] = field(default_factory=dict)
    astray: float = 0.0
    """The largest difference between the progress that was told and the share of mails that the sink had."""
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `over`."""
        with self.house.gateway.client() as client:
            while not self.over.wait(0.5):
                self.look()
                if self.job:
                    self.compare(client)

    def look(self) -> None:
        """One look. What a process used after the last look at it is not counted: half a second of one that was killed."""
        pids = {"gateway": [self.house.gateway.server.pid], "ledger": [self.house.ledger], "worker": self.house.worker.family()}
        memory: Counter[str] = Counter()
        for name, family in pids.items():
            for pid in family:
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(pid)
                    held = process.memory_info().rss
                    memory[name] += held
                    if name == "worker" and pid != family[0]:
                        memory["largest pool child"] = max(memory["largest pool child"], held)
                    used = sum(process.cpu_times()[:2])
                    if self.begun:
                        self.cpu[name] += used - self.last.get(pid, 0.0)
                    self.last[pid] = used
        self.begun = True
        for name, held in memory.items():
            self.peak[name] = max(self.peak[name], held)

    def compare(self, client: httpx.Client) -> None:
        """Progress against the sink."""
        with suppress(httpx.TransportError):
            first = self.house.copies()
            told = client.get(f"/v1/jobs/{self.job}").json()
            second = self.house.copies()
            if told["state"] == "running" and told["progress"]["step"] == "send":
                low, high = ((copies - self.before) / self.recipients for copies in (first, second))
                self.astray = max(self.astray, low - told["progress"]["fraction"], told["progress"]["fraction"] - high)


def rows(count: int) -> Iterator[bytes]:
    """The list as a CSV, in pieces."""
    piece = bytearray(b"email,name,city,number\n")
    for number in range(count):
        one = person(number)
        piece += f"{one['email']},{one['name']},{one['city']},{number}\n".encode()
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def submit(client: httpx.Client, count: int) -> str:
    """Upload the list and order the mailing; its id."""
    path = begin(client, sum(map(len, rows(count))))
    offset = 0
    for piece in rows(count):
        client.patch(path, headers={**BYTES, "Upload-Offset": str(offset)}, content=piece).raise_for_status()
        offset += len(piece)
    assert int(client.head(path, headers=TUS).headers["upload-offset"]) == offset
    body = {"from": {"email": SENDER[0], "name": SENDER[1]}, "subject": SUBJECT, "html": HTML, "recipients": path.rpartition("/")[2]}
    answer = client.post("/v1/mailings", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def mail(house: House, count: int, *, kill: bool) -> dict[str, object]:
    """One mailing: what it cost, and whether everybody is accounted for."""
    meter = Meter(house, count, before=house.copies())
    thread = threading.Thread(target=meter.run)
    with house.gateway.client() as client:
        meter.look()
        thread.start()
        try:
            meter.job = submit(client, count)
            began = time.monotonic()
            told = wait(client, meter.job, (lambda: house.copies() - meter.before >= count // 2) if kill else None, house)
        finally:
            meter.over.set()
            thread.join()
        seconds = time.monotonic() - began
        assert told["state"] == "succeeded", told
        states, twice, strangers = count_rows(client, meter.job, count)
    copies = house.copies() - meter.before
    return {
        "mails a second": round(count / seconds),
        **{f"CPU µs a mail, {name}": round(meter.cpu[name] / count * 1e6) for name in ("worker", "ledger", "gateway")},
        "largest pool child, MB": meter.peak["largest pool child"] // MB,
        "the whole worker, MB": meter.peak["worker"] // MB,
        "ledger, MB": meter.peak["ledger"] // MB,
        "gateway, MB": meter.peak["gateway"] // MB,
        "progress, off by at most": f"{meter.astray:.1%}",
        "the worker was killed": "at half" if kill else "no",
        "sent": states["sent"],
        "unknown, listed": states["unknown"],
        "neither": count - states["sent"] - states["unknown"] + twice + strangers,
        "copies too many": max(0, copies - states["sent"] - states["unknown"]),
        "copies too few": max(0, states["sent"] - copies),
    }


def wait(client: httpx.Client, job: str, moment: object, house: House) -> dict[str, object]:
    """The job's last word; the worker dies at `moment`."""
    while True:
        told: dict[str, object] = client.get(f"/v1/jobs/{job}").json()
        if told["state"] in ENDED:
            return told
        if callable(moment) and moment():
            moment = None
            for pid in house.worker.family():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.25)


def count_rows(client: httpx.Client, job: str, count: int) -> tuple[Counter[str], int, int]:
    """How many rows of recipients.csv have which state, how many name somebody again, and how many nobody of ours."""
    states: Counter[str] = Counter()
    seen, twice, strangers = bytearray(count), 0, 0
    with client.stream("GET", f"/v1/jobs/{job}/artifacts/recipients.csv", follow_redirects=True, timeout=600) as answer:
        lines = answer.raise_for_status().iter_lines()
        next(lines)
        for line in lines:
            match = re.match(r"reader(\d+)@example\.com,(\w+),", line)
            if match is None or int(match[1]) >= count:
                strangers += 1
                continue
            twice += seen[int(match[1])]
            seen[int(match[1])] = 1
            states[match[2]] += 1
    return states, twice, strangers


def main() -> int:
    """Mail, print, write; 1 where somebody is not accounted for."""
    parser = argparse.ArgumentParser(prog="python -m tests.heavy.mailing", description="Mailings of many sizes: cost, memory, progress.")
    parser.add_argument("--recipients", type=int, nargs="+", default=[5_000, 100_000, 1_000_000])
    parser.add_argument("--kill", action="store_true", help="SIGKILL the whole worker in the middle of the last one")
    parser.add_argument("--folder", help="where all files lie (default: the system's temporary folder); 1,000,000 recipients take 2 GB")
    parser.add_argument("--write", action="store_true", help="write docs/mailer.md")
    given = parser.parse_args()
    found: dict[int, dict[str, object]] = {}
    with TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "sink").mkdir(mode=0o755)
        with (
            running(redis_server(folder / "ledger", appendonly=True)) as redis,
            running(gateway_server(folder / "home", f"redis://127.0.0.1:{redis.port}/0")) as server,
            postfix.sink(folder / "sink") as port,
        ):
            environ = {
                "MAILER_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
                "MAILER_STORAGE_URL": f"file://{folder}/home/storage",
                "MAILER_HOME": str(folder / "home"),
                "COUNTERFOIL_HOME": str(folder / "home"),
                "MAILER_SMTP_URL": f"smtp://127.0.0.1:{port}",
                "MAILER_CONNECTIONS": str(CONNECTIONS),
                "MAILER_CONCURRENCY": str(CHILDREN),
            }
            command = [sys.executable, "-m", "shared.start", "worker", "services.mailer.app"]
            with Supervised(command, env=environ, log=folder / "worker.log") as worker:
                house = House(Gateway(server, folder / "home"), worker, redis.pid, folder / "sink" / "sink.log")
                mail(house, WARM_UP, kill=False)
                for number, count in enumerate(given.recipients, start=1):
                    found[count] = mail(house, count, kill=given.kill and number == len(given.recipients))
                    sys.stdout.write(f"{count:,}: {json.dumps(found[count], indent=1, ensure_ascii=False)}\n")
                    sys.stdout.flush()
    if given.write:
        _write(found, shlex.join(["python", "-m", "tests.heavy.mailing", *sys.argv[1:]]))
    return int(any(counted["neither"] or counted["copies too many"] or counted["copies too few"] for counted in found.values()))


def _write(found: dict[int, dict[str, object]], command: str) -> None:
    lines = [f"| recipients | {' | '.join(f'{count:,}' for count in found)} |", "|---" * (len(found) + 1) + "|"]
    for what in next(iter(found.values())):
        cells = (counted[what] for counted in found.values())
        lines.append(f"| {what} | {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in cells)} |")
    place = f"{CHILDREN} children of {CONNECTIONS} connections · ledger with appendfsync always · {os.cpu_count()} cores"
    text = "\n".join((BEGIN, *lines, "", f"`{command}` · {place}", END))
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{head.rstrip()}\n\n{text}\n{rest.partition(END)[2]}".rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
