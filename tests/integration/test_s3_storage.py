"""The S3 store against a real HTTP server (moto), and across forks."""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from gateway.uploads import Uploads
from shared import s3_storage
from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError, StorageError
from shared.s3_storage import MIN_PART, S3Storage
from shared.storage import Storage

BIG = os.urandom(1 << 16) * ((2 * MIN_PART + 12_345) // (1 << 16) + 1)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A moto server with one bucket, `counterfoil-test`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    with urlopen(Request(f"{url}/counterfoil-test", method="PUT", data=b"")) as answer:  # noqa: S310 - a loopback server of this test
        assert answer.status == 200
    yield url
    server.stop()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Storage:
    """A store with a prefix of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    prefix = request.node.name.partition("[")[0].replace("_", "-")
    return Storage.at(f"s3://counterfoil-test/{prefix}?endpoint={endpoint}&region=us-east-1")


def test_bytes_come_back(store: Storage, tmp_path: Path) -> None:
    """A small value and a file of several parts are described and read back right, in ranges too."""
    source = tmp_path / "big"
    source.write_bytes(BIG)

    small = store.put("a/small.txt", b"hello", "text/plain")
    big = store.put("a/big.bin", source, "application/octet-stream")

    assert (5, hashlib.sha256(b"hello").hexdigest()) == (small.bytes, small.sha256)
    assert (len(BIG), hashlib.sha256(BIG).hexdigest()) == (big.bytes, big.sha256)
    assert store.read("a/small.txt") == b"hello"
    assert len(BIG) == store.size("a/big.bin")
    assert b"".join(store.stream("a/big.bin")) == BIG
    assert BIG[7:1_000_001] == b"".join(store.stream("a/big.bin", 7, 1_000_001))
    assert BIG[-9:] == b"".join(store.stream("a/big.bin", len(BIG) - 9))
    assert b"".join(store.stream("a/big.bin", 9, 9)) == b""


def test_astream_runs_on_a_loop(store: Storage) -> None:
    """The gateway reads ranges without a thread."""
    store.put("a", b"0123456789", "text/plain")

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in store.astream("a", 2, 5)])

    assert asyncio.run(collect()) == b"234"


def test_folders_adoption_and_copies(store: Storage, tmp_path: Path) -> None:
    """List, delete by prefix, adopt and local behave as in the local store."""
    source = tmp_path / "upload"
    source.write_bytes(b"12345")

    blob = store.adopt(source, "jobs/a/1", "video/mp4")
    store.put("jobs/a/x/2.mp4", b"four", "text/plain")
    store.put("jobs/ab/3", b"four", "text/plain")

    assert hashlib.sha256(b"12345").hexdigest() == blob.sha256
    assert not source.exists()
    with store.local("jobs/a/x/2.mp4") as path:
        assert (path.read_bytes(), path.suffix) == (b"four", ".mp4")
    assert not path.exists()
    assert sorted(entry.key for entry in store.list("jobs/a")) == ["jobs/a/1", "jobs/a/x/2.mp4"]
    assert store.delete_prefix("jobs/a") == (2, 9)
    assert [entry.key for entry in store.list()] == ["jobs/ab/3"]
    store.delete("jobs/ab/3")
    store.delete("jobs/ab/3")


def test_what_is_not_there_says_so(store: Storage) -> None:
    """Absent objects are `BlobNotFoundError`, whichever way they are asked for."""
    with pytest.raises(BlobNotFoundError):
        store.read("nope")
    with pytest.raises(BlobNotFoundError):
        store.size("nope")
    with pytest.raises(BlobNotFoundError):
        list(store.stream("nope"))


def test_a_signed_url_needs_no_credentials(store: Storage) -> None:
    """A signed URL gives the bytes to anybody who has it."""
    store.put("a", b"hello", "text/plain")
    url = store.signed_url("a", 60)

    assert url is not None
    with urlopen(url) as answer:  # noqa: S310 - a loopback server of this test
        assert answer.read() == b"hello"


def test_an_upload_finishes_into_the_bucket(store: Storage, tmp_path: Path) -> None:
    """A tus upload under way lies on the gateway's disk; finished, it and its record are in the bucket, for every gateway."""

    async def upload() -> Blob:
        here, elsewhere = (Uploads(store, tmp_path / name, max_bytes=1 << 30, expiry=60) for name in ("here", "elsewhere"))
        upload = await here.create("acme", len(BIG), {"filename": "big.bin"})

        async def body() -> AsyncIterator[bytes]:
            yield BIG

        await here.append(upload, 0, body())
        assert not list((tmp_path / "here").iterdir())
        return await elsewhere.resolve(upload.id, "acme", "/source")

    blob = asyncio.run(upload())

    assert (len(BIG), hashlib.sha256(BIG).hexdigest(), "big.bin") == (blob.bytes, blob.sha256, blob.name)
    assert len(BIG) == store.size(blob.key)


def test_a_store_that_does_not_answer_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead endpoint gives a typed error, and no URL or credential in its sentence."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-value")
    dead = S3Storage("bucket", endpoint="http://127.0.0.1:9", region="us-east-1", patience=0.1)

    with pytest.raises(StorageError) as caught:
        dead.check()

    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def _in_a_fork(work: str, store: Storage) -> str:
    """What `work` came to in a forked child: its value, its error's name, or `hung`."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            said = store.read(work).decode()
        except StorageError as error:
            said = type(error).__name__
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said or "hung"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_never_hangs(store: Storage) -> None:
    """After its parent used S3, a child is refused at once, and the parent goes on; before, the child works."""
    store.put("a", b"hello", "text/plain")

    assert _in_a_fork("a", store) == "StorageError"
    assert store.read("a") == b"hello"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_store_made_before_a_fork_works_after_it(store: Storage, endpoint: str, tmp_path: Path) -> None:
    """Celery's way: the parent makes the object, several children use it. In a fresh process, for this one has used S3."""
    import subprocess  # noqa: PLC0415 - this test only
    import sys  # noqa: PLC0415 - this test only

    store.put("a", b"hello", "text/plain")
    script = tmp_path / "prefork.py"
    script.write_text(
        "import os, signal, sys\n"
        "from shared.storage import Storage\n"
        "store = Storage.at(sys.argv[1])\n"
        "for _ in range(2):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        signal.alarm(20)\n"
        "        os._exit(0 if store.read('a') == b'hello' else 3)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
    )
    url = f"s3://counterfoil-test/test-a-store-made-before-a-fork-works-after-it?endpoint={endpoint}&region=us-east-1"
    done = subprocess.run([sys.executable, str(script), url], env={**os.environ, "PYTHONPATH": os.getcwd()}, timeout=60, check=False)  # noqa: PTH109 - the root

    assert done.returncode == 0
    assert s3_storage._used_by == {os.getpid()}
