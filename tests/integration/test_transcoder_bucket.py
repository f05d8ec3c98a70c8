"""`s3://` sources against a real HTTP server (moto): what is listed is read, by ranges; nothing else is."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import obstore
import pytest
from moto.server import ThreadedMotoServer

from services.transcoder import bucket
from services.transcoder.settings import TranscoderSettings
from services.transcoder.source import local_source
from shared.errors import JobCanceled, JobError, PermanentError, TransientError
from tests.integration.transcoder_media import SAMPLE, do
from tests.unit.transcoder_job import FakeJob

BIG = os.urandom(1 << 16) * ((2 * bucket.RANGE) // (1 << 16)) + b"the end"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server with two buckets: `films`, and `private`, which nobody meant to open."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    put(url, "films", b"")
    put(url, "private", b"")
    put(url, "films/big.bin", BIG)
    put(url, "films/in/a%20film.mp4", SAMPLE.read_bytes())
    put(url, "films/outside.mp4", b"not yours")
    put(url, "films/acme/theirs.mp4", b"acme's")
    put(url, "private/secret", b"secret")
    yield url
    server.stop()


def put(url: str, path: str, body: bytes) -> None:
    """Make a bucket or an object, by plain HTTP."""
    with urlopen(Request(f"{url}/{path}", body, {"Content-Type": "application/octet-stream"}, method="PUT")) as answer:  # noqa: S310 - a loopback server of this test
        assert answer.status == 200


def settings(endpoint: str, **changes: Any) -> TranscoderSettings:
    """Only these places are open."""
    given = {"s3_sources": "films/in/, films/big.bin, films/{tenant}", "s3_endpoint": endpoint, "s3_region": "us-east-1"}
    return TranscoderSettings(**{"spare_bytes": 0, "s3_access_key_id": "test", "s3_secret_access_key": "test", **given, **changes})


def brought(url: str, job: FakeJob, given: TranscoderSettings) -> bytes:
    """What comes."""
    with local_source(url, job, job.workdir, given) as path:
        return path.read_bytes()


def test_a_film_in_a_bucket_becomes_a_job_s_source(endpoint: str, tmp_path: Path) -> None:
    """The whole job, from a key with a space in it to its outputs."""
    job = FakeJob(tmp_path / "job")
    made = do(job, settings(endpoint), source="s3://films/in/a%20film.mp4", preset="mp4-480p", clip={"duration": 0.5})

    assert [output.name for output in made.outputs] == ["video-480p.mp4"]
    assert [step for _, step, *_ in job.told if step == "fetch"]
    assert list(job.workdir.iterdir()) == []


def test_ranges_are_put_together_in_order(endpoint: str, tmp_path: Path) -> None:
    """Three of them here, the last one short; progress ends at the whole."""
    job = FakeJob(tmp_path / "job")

    assert brought("s3://films/big.bin", job, settings(endpoint)) == BIG
    assert [done for done, step, *_ in job.told if step == "fetch"][-1] == pytest.approx(0.1)


def test_a_tenant_s_own_folder(endpoint: str, tmp_path: Path) -> None:
    """`{tenant}` opens to each tenant what is theirs."""
    acme, other = FakeJob(tmp_path / "a", tenant="acme"), FakeJob(tmp_path / "b", tenant="other")

    assert brought("s3://films/acme/theirs.mp4", acme, settings(endpoint)) == b"acme's"
    with pytest.raises(PermanentError, match="does not read from"):
        brought("s3://films/acme/theirs.mp4", other, settings(endpoint))


@pytest.mark.parametrize(
    "url",
    [
        "s3://private/secret",
        "s3://films/outside.mp4",
        "s3://films/inside/x",
        "s3://films/in/../outside.mp4",
        "s3://films/in/%2e%2e/outside.mp4",
        "s3://films/in//outside.mp4",
        "s3://films/in/./a",
        "s3://films/in%2F..%2Foutside.mp4",
        "s3://films",
        "s3://films/",
        "s3://FILMS/in/a",
        "s3://films@127.0.0.1/in/a",
        "s3://127.0.0.1:9000/films/in/a",
        "s3://films/in/a?versionId=3",
        "s3://films/in/a%00b",
    ],
)
def test_nothing_else_is_asked_for(tmp_path: Path, url: str) -> None:
    """The list decides before anything is asked: here nobody would answer, and that would be another error."""
    with pytest.raises(PermanentError) as caught:
        brought(url, FakeJob(tmp_path / "job"), settings("http://127.0.0.1:9"))

    assert (caught.value.type, caught.value.pointer) == ("fetch-refused", "/source")


def test_without_a_list_there_are_no_such_sources(endpoint: str, tmp_path: Path) -> None:
    """A worker's key can often read more than its users may; the sentence says what to do instead."""
    with pytest.raises(PermanentError, match="upload the file, or give an https"):
        brought("s3://films/big.bin", FakeJob(tmp_path / "job"), settings(endpoint, s3_sources=" , "))


@pytest.mark.parametrize(
    ("url", "changes", "kind", "words"),
    [
        ("s3://films/in/none.mp4", {}, PermanentError, "no object 'in/none.mp4'"),
        ("s3://films/big.bin", {"max_source_bytes": 1_000}, PermanentError, "1000 are allowed"),
        ("s3://films/big.bin", {"spare_bytes": 1 << 60}, PermanentError, "this worker's disk has"),
    ],
)
def test_refusals_are_sentences(endpoint: str, tmp_path: Path, url: str, changes: dict[str, Any], kind: type[JobError], words: str) -> None:
    """Not there; too large for the setting; too large for the disk, before one byte is fetched."""
    job = FakeJob(tmp_path / "job")
    with pytest.raises(kind, match=words):
        brought(url, job, settings(endpoint, **changes))

    assert job.told == []


def test_a_store_that_does_not_answer_is_asked_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And names no endpoint."""
    monkeypatch.setattr(bucket, "RETRIES", 0)
    with pytest.raises(TransientError) as caught:
        brought("s3://films/big.bin", FakeJob(tmp_path / "job"), settings("http://127.0.0.1:9"))

    assert "127.0.0.1" not in caught.value.detail


def test_a_cancel_goes_through(endpoint: str, tmp_path: Path) -> None:
    """Between two pieces, and while one is awaited."""
    job = FakeJob(tmp_path / "job")

    def cancel() -> None:
        if job.told:
            raise JobCanceled

    job.on_checkpoint = cancel
    with pytest.raises(JobCanceled):
        brought("s3://films/big.bin", job, settings(endpoint))


def test_an_object_that_changes_meanwhile_is_not_pieced_together(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ranges come from one version or not at all."""
    put(endpoint, "films/in/changing", BIG)
    monkeypatch.setattr(bucket, "AT_ONCE", 1)
    job = FakeJob(tmp_path / "job")

    def change() -> None:
        if len(job.told) == 1:
            obstore.put(bucket._store("films", settings(endpoint)), "in/changing", BIG[::-1])

    job.on_checkpoint = change
    with pytest.raises(TransientError, match="changed while it was read"):
        brought("s3://films/in/changing", job, settings(endpoint))
