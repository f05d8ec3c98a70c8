"""The client: one class whose methods are the gateway's calls."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from client import downloads, events, submitting, uploads, waiting
from client.errors import JobFailedError
from client.models import Event, Job, JobArtifact, Service, Trace
from client.operating import DeadLetters, Keys
from client.pages import items, listed
from client.schedules import Schedules
from client.suppressions import Suppressions
from client.transport import Transport
from client.webhooks import Webhooks
from shared.contracts.base import Command
from shared.contracts.options import Options
from shared.contracts.states import State

JobLike = Job | str
"""A job or its id."""


class Counterfoil:
    """Talks to one gateway with one API key. Thread-safe; use as a context manager, or call `close`.

    Every method may raise `client.errors.UnreachableError` (no answer) and a subclass of `ApiError` (a refusal).

        with Counterfoil("http://127.0.0.1:8000", key) as counterfoil:
            job = counterfoil.avatars(prompt="a grumpy robot with an antenna")
            done = counterfoil.wait(job)
            counterfoil.download_all(done, Path("out"))
    """

    def __init__(self, base_url: str, api_key: str | None, *, transport: httpx.BaseTransport | None = None, **settings: Any) -> None:
        """`settings` are those of `client.transport.Transport`."""
        self.transport = Transport(base_url, api_key, transport=transport, **settings)
        self.dead_letters = DeadLetters(self.transport)
        self.keys = Keys(self.transport)
        self.suppressions = Suppressions(self.transport)
        self.schedules = Schedules(self.transport)
        self.webhooks = Webhooks(self.transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    # -- submitting ---------------------------------------------------------------------------------------------------

    def submit(
        self,
        command: Command | str,
        body: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        options: Options | Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> Job:
        """Hand over a job: a contract's command, or a kind (or route) with its JSON body.

        Without an `idempotency_key` one is made, so that a repeat after a lost answer never makes a second job.
        `traceparent` (W3C) makes the job's trace continue the caller's.
        """
        path, sent = submitting.request_of(command, body, options)
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        if traceparent:
            headers["traceparent"] = traceparent
        return Job.model_validate(self.transport.request("POST", path, json=sent, headers=headers).json())

    def avatars(self, *, options: Options | Mapping[str, Any] | None = None, **body: Any) -> Job:
        """Draw avatars from one of `prompt`, `seed` and `photo` (an upload's id)."""
        return self.submit("avatars", body, options=options)

    def mailings(self, *, sender: str | Mapping[str, str], options: Options | Mapping[str, Any] | None = None, **body: Any) -> Job:
        """Mail everybody in `recipients`. `sender` is an address or `{email, name}`: `from` is a word of Python's."""
        origin = {"email": sender} if isinstance(sender, str) else dict(sender)
        return self.submit("mailings", {"from": origin, **body}, options=options)

    def transcodes(self, source: str, *, options: Options | Mapping[str, Any] | None = None, **body: Any) -> Job:
        """Transcode `source` (an upload's id, or an https:// or s3:// URL) as `preset` or `presets` say."""
        return self.submit("transcodes", {"source": source, **body}, options=options)

    # -- following ----------------------------------------------------------------------------------------------------

    def job(self, job: JobLike, *, wait: float = 0) -> Job:
        """The job now; with `wait` (seconds), as soon as it is done but no later."""
        return waiting.fetch(self.transport, _id(job), wait=wait)

    def jobs(
        self,
        *,
        service: str | None = None,
        state: State | str | None = None,
        label: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Jobs, newest first, fetched as they are consumed. `label` reads `key:value`."""
        query = {"service": service, "state": str(state) if state else None, "label": label}
        return (Job.model_validate(item) for item in items(self.transport, "/v1/jobs", query, limit=limit))

    def wait(
        self, job: JobLike, *, on_progress: waiting.OnProgress | None = None, timeout: float | None = None, check: bool = False
    ) -> Job:
        """The job once it is done. With `check`, raises JobFailedError unless it succeeded; WaitTimeoutError after `timeout` s."""
        start = job if isinstance(job, Job) else self.job(job)
        done = waiting.wait_until_done(self.transport, start, on_progress=on_progress, timeout=timeout)
        if check and done.state is not State.SUCCEEDED:
            raise JobFailedError(done)
        return done

    def events(self, job: JobLike, *, after: int = 0) -> list[Event]:
        """The events so far, from number `after` + 1 on."""
        response = self.transport.request("GET", f"/v1/jobs/{_id(job)}/events", params={"after": after} if after else {})
        return [events.event_of(payload) for payload in listed(response.json())]

    def follow(self, job: JobLike, *, after: int = 0) -> Iterator[Event]:
        """The events, live, until the job is done; a broken connection is resumed without loss or repeat."""
        return events.follow(self.transport, _id(job), after=after)

    def trace(self, job: JobLike) -> Trace:
        """The spans of the job's trace, from the HTTP call to the last side effect."""
        return Trace.model_validate(self.transport.request("GET", f"/v1/jobs/{_id(job)}/trace").json())

    # -- changing -----------------------------------------------------------------------------------------------------

    def cancel(self, job: JobLike) -> Job:
        """Ask for the job's end; harmless if asked before. Raises ConflictError once it is done."""
        return Job.model_validate(self.transport.request("POST", f"/v1/jobs/{_id(job)}/cancel", safe=True).json())

    def pause(self, job: JobLike) -> Job:
        """Nothing of it begins until `resume`. Raises ConflictError once it is done."""
        return Job.model_validate(self.transport.request("POST", f"/v1/jobs/{_id(job)}/pause", safe=True).json())

    def resume(self, job: JobLike) -> Job:
        """End a pause; harmless where there is none. Raises ConflictError once the job is done."""
        return Job.model_validate(self.transport.request("POST", f"/v1/jobs/{_id(job)}/resume", safe=True).json())

    def retry(self, job: JobLike) -> Job:
        """Run a failed, canceled or expired job again, in a new epoch. Raises ConflictError for any other."""
        return Job.model_validate(self.transport.request("POST", f"/v1/jobs/{_id(job)}/retry").json())

    def resend(self, mailing: JobLike, who: str = "missed") -> Job:
        """A new mailing to those of an earlier one who are `failed`, `missed` or `unknown`. Raises ConflictError where there are none."""
        return Job.model_validate(
            self.transport.request("POST", f"/v1/mailings/{_id(mailing)}/resend", json={"who": who}, safe=True).json()
        )

    def preview(self, mailing: Mapping[str, Any]) -> dict[str, Any]:
        """One mail of a mailing as it would go out, sent to nobody: `mailing` is its body, and `like`, whose mail (default: the first)."""
        shown: dict[str, Any] = self.transport.request("POST", "/v1/mailings/preview", json=dict(mailing), safe=True).json()
        return shown

    def delete(self, job: JobLike) -> None:
        """Remove a done job, its artifacts and its events."""
        self.transport.request("DELETE", f"/v1/jobs/{_id(job)}")

    # -- bytes --------------------------------------------------------------------------------------------------------

    def upload(
        self, path: Path, *, on_progress: uploads.OnBytes | None = None, upload_id: str | None = None, chunk: int = uploads.CHUNK
    ) -> str:
        """Send a file and return its `upl_…` id; goes on after breaks, and with `upload_id` after a crash of this process."""
        return uploads.upload(self.transport, path, on_progress=on_progress, upload_id=upload_id, chunk=chunk)

    def artifacts(self, job: JobLike) -> list[JobArtifact]:
        """What the job has made so far."""
        return self.job(job).artifacts

    def download(self, job: JobLike, name: str, to: Path, *, on_progress: uploads.OnBytes | None = None) -> Path:
        """Fetch one artifact, checked, to a file or into a folder. Raises KeyError for an unknown name, IntegrityError."""
        known = job if isinstance(job, Job) else self.job(job)
        return downloads.download(self.transport, known, known.artifact(name), to, on_progress=on_progress)

    def download_all(self, job: JobLike, to: Path, *, on_file: Callable[[JobArtifact], None] | None = None) -> list[Path]:
        """Fetch all artifacts into the folder `to`, which is made where it is missing; `on_file` is called after each."""
        known = job if isinstance(job, Job) else self.job(job)
        to.mkdir(parents=True, exist_ok=True)
        fetched = []
        for artifact in known.artifacts:
            fetched.append(downloads.download(self.transport, known, artifact, to))
            (on_file or (lambda _: None))(artifact)
        return fetched

    # -- the platform -------------------------------------------------------------------------------------------------

    def services(self) -> list[Service]:
        """Every service: its commands, catalogue, queues, counts and workers."""
        return [Service.model_validate(item) for item in listed(self.transport.request("GET", "/v1/services").json())]

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` answers. Raises UnavailableError where ledger or broker does not answer, and says which; tries once."""
        response = self.transport.request("GET", "/readyz", attempts=1)
        answer: dict[str, Any] = response.json() if "json" in response.headers.get("content-type", "") else {}
        return answer


def _id(job: JobLike) -> str:
    return job.id if isinstance(job, Job) else job
