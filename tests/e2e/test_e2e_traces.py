"""One trace from the caller through gateway, publish, worker and domain steps, for each service, at a real OTLP receiver."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration.catcher_process import catching
from tests.otlp_receiver import OtlpReceiver, assert_one_tree
from tests.servers import ROOT, gateway_server, redis_server, running, wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]
CALLER = "00f067aa0ba902b7"
SAMPLE = ROOT / "deploy/samples/bigbuckbunny.mp4"
MAILING = {
    "from": {"email": "news@example.com"},
    "subject": "Hi {{ name }}",
    "text": "Hello {{ name }}",
    "recipients": [{"email": f"r{n}@example.com", "vars": {"name": f"R{n}"}} for n in range(4)],
    "batch_size": 2,
}


@contextmanager
def worker(service: str, env: dict[str, str], log: Path) -> Iterator[None]:
    """A worker of `service`."""
    command = [sys.executable, "-m", "celery", "-A", f"services.{service}.app", "worker", "-c", "2", "--without-gossip", "--without-mingle"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=sink, stderr=sink)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("route", "trace_id", "steps"),
    [
        ("avatars", "0af7651916cd43dd8448eb211c80319a", {"store artifact"}),
        ("mailings", "0af7651916cd43dd8448eb211c80319b", {"plan mailing", "send batch", "conclude mailing"}),
        ("transcodes", "0af7651916cd43dd8448eb211c80319c", {"probe", "encode", "store artifact"}),
    ],
)
def test_a_request_is_one_connected_tree_at_the_collector(tmp_path: Path, route: str, trace_id: str, steps: set[str]) -> None:
    """Caller → server span → send → process → domain steps: one trace, one tree, for each service."""
    service = {"avatars": "avatar", "mailings": "mailer", "transcodes": "transcoder"}[route]
    with OtlpReceiver() as otlp, running(redis_server(tmp_path / "redis")) as redis, catching(tmp_path / "mail") as mail:
        env = {
            "COUNTERFOIL_HOME": str(tmp_path / "home"),
            "COUNTERFOIL_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
            "MAILER_SMTP_URL": mail.smtp_url,
        }
        make = gateway_server(tmp_path / "home", env["COUNTERFOIL_REDIS_URL"], OTEL_EXPORTER_OTLP_ENDPOINT=otlp.endpoint)
        with running(make) as gateway, worker(service, env, tmp_path / "worker.log"):
            key = (tmp_path / "home" / "api-key").read_text().strip()
            with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}", headers={"Authorization": f"Bearer {key}"}) as client:
                body = {"avatars": {"seed": "ada"}, "mailings": MAILING, "transcodes": {"source": _uploaded(client, route)}}[route]
                job = client.post(f"/v1/{route}", json=body, headers={"traceparent": f"00-{trace_id}-{CALLER}-01"}).json()
                self_ = job["links"]["self"]
                wait_until(lambda: client.get(self_).json()["done"], "the job is done", seconds=120)
                done = client.get(self_).json()
            wanted = {f"POST /v1/{route}", f"send {service}", f"process {service}", *steps}
            otlp.wait_for_names(*wanted, timeout_s=30)
        spans = otlp.trace(trace_id)

    assert ("succeeded", trace_id) == (done["state"], job["trace_id"])
    assert wanted <= {span.name for span in spans}
    assert_one_tree(spans, outer_parent=CALLER)
    assert {"counterfoil-gateway", f"counterfoil-{service}"} == {span.service for span in spans}


def _uploaded(client: httpx.Client, route: str) -> str:
    """The sample video as an upload, where the route needs one."""
    if route != "transcodes":
        return ""
    data = SAMPLE.read_bytes()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Content-Type": "application/offset+octet-stream"}
    made = client.post("/v1/uploads", content=data, headers=headers)
    assert made.status_code == 201, made.text
    return made.headers["location"].rpartition("/")[2]
