"""The embedded home as its users have it: started by its command, asked over HTTP, stopped by a signal."""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.embedded.home import read_runtime
from deploy.embedded.leftovers import mark, marked
from services.transcoder.sandbox import strongest
from tests.servers import ROOT, wait_until

SAMPLES = ROOT / "deploy" / "samples"
PIECE = 256 * 1024
PATIENCE = 150.0
"""Seconds for what takes a few on a machine that has nothing else to do."""


@dataclass
class House:
    """A running home. Paths are relative to its gateway."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def runtime(self) -> dict[str, Any]:
        """runtime.json as it is now."""
        return read_runtime(self.folder)

    @cached_property
    def http(self) -> httpx.Client:
        """With the key of the first start."""
        key = (self.folder / "api-key").read_text().strip()
        return httpx.Client(base_url=self.runtime["gateway_url"], headers={"Authorization": f"Bearer {key}"}, timeout=90)

    @cached_property
    def mail(self) -> httpx.Client:
        """The mail catcher."""
        return httpx.Client(base_url=self.runtime["mail_url"], timeout=60)

    def submit(self, route: str, body: dict[str, Any], **headers: str) -> str:
        """The id of a new job."""
        answer = self.http.post(f"/v1/{route}", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is now."""
        body: dict[str, Any] = self.http.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return body

    def done(self, job_id: str) -> dict[str, Any]:
        """The job once it is done, by long-poll."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self.http.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=20"}).raise_for_status().json())
            return bool(found["done"])

        wait_until(ended, f"{job_id} is done", seconds=PATIENCE)
        return found

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """All its events."""
        listed: list[dict[str, Any]] = self.http.get(f"/v1/jobs/{job_id}/events").raise_for_status().json()
        return listed

    def artifact(self, job_id: str, name: str) -> httpx.Response:
        """The bytes of an artifact."""
        return self.http.get(f"/v1/jobs/{job_id}/artifacts/{name}").raise_for_status()

    def upload(self, path: Path, media_type: str) -> str:
        """A finished upload: tus, piece by piece."""
        content, version = path.read_bytes(), {"Tus-Resumable": "1.0.0"}
        named = {"filename": path.name, "filetype": media_type}
        metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in named.items())
        made = self.http.post("/v1/uploads", headers={**version, "Upload-Length": str(len(content)), "Upload-Metadata": metadata})
        assert made.status_code == 201, made.text
        offset, where = 0, made.headers["location"]
        while offset < len(content):
            headers = {**version, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            sent = self.http.patch(where, content=content[offset : offset + PIECE], headers=headers)
            assert sent.status_code == 204, sent.text
            offset = int(sent.headers["upload-offset"])
        return str(where.rpartition("/")[2])

    def alive(self) -> list[psutil.Process]:
        """Every process of this home, whatever started it."""
        return marked(mark(self.folder))

    def encoders(self) -> list[psutil.Process]:
        """Its FFmpeg processes."""
        found = []
        for process in self.alive():
            try:
                if any("ffmpeg" in Path(word).name for word in process.cmdline()[:3]):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def work(self) -> list[Path]:
        """What lies in the attempts' work folders."""
        return [path for path in (self.folder / "work").glob("*/*") if path.exists()]

    def close(self) -> None:
        """Close the connections."""
        for client in (self.__dict__.get("http"), self.__dict__.get("mail")):
            if client is not None:
                client.close()

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def log(self) -> str:
        """The last lines of every process's log."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1_500:]}" for path in sorted((self.folder / "logs").glob("*.log"))
        )


@contextmanager
def house(folder: Path, **settings: str) -> Iterator[House]:
    """A home in `folder`, ready and with a worker for each service; nothing of it is left afterwards. `settings`: more environment."""
    free = {f"COUNTERFOIL_{name}": "0" for name in ("PORT", "CATCHER_HTTP_PORT", "CATCHER_SMTP_PORT")}
    env = {"TRANSCODER_SANDBOX": strongest(), **os.environ, **free, "COUNTERFOIL_HOME": str(folder), **settings}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "console.log").open("ab") as console:
        process = subprocess.Popen([sys.executable, "-m", "deploy.embedded"], cwd=ROOT, env=env, stdout=console, stderr=console)
    running = House(folder, process)
    try:
        wait_until(lambda: running.runtime.get("ready") is True or process.poll() is not None, "the home is ready", seconds=PATIENCE)
        assert process.poll() is None, (folder / "console.log").read_text()

        def manned() -> bool:
            return all(service["workers"] for service in running.http.get("/v1/services").raise_for_status().json()["items"])

        wait_until(manned, "each service has a worker", seconds=PATIENCE)
        yield running
    finally:
        running.close()
        if process.poll() is None:
            process.kill()
            process.wait()
        for left in running.alive():
            left.kill()
